package main

import (
	"fmt"
	"path/filepath"

	"github.com/citycode/citycode/internal/server"
)

type backupCmd struct {
	dataFlags
	To           string `help:"Folder for the copy of the data." required:"" type:"path" placeholder:"DIR"`
	PersonKeysTo string `help:"Folder for the copy of the person keys; keep it apart from the data, and for 30 days at most." required:"" type:"path" placeholder:"DIR"`
}

func (c backupCmd) Run(r *run) error {
	if filepath.Clean(c.To) == filepath.Clean(c.PersonKeysTo) {
		return misused("--to and --person-keys-to must differ: whoever finds one copy must not find the other")
	}
	if err := c.exists(); err != nil {
		return err
	}
	cc, err := c.core(r, nil)
	if err != nil {
		return err
	}
	if err := server.Backup(r.ctx, cc, c.To, c.PersonKeysTo); err != nil {
		return err
	}
	fmt.Fprintf(r.out, "data: %s\nperson keys: %s\n", c.To, c.PersonKeysTo)
	fmt.Fprintf(r.notes, "Neither opens without the key file (%s): keep a copy of that in a third place.\n", cc.KeyPath())
	return nil
}

type restoreCmd struct {
	dataFlags
	From           string `help:"Folder with the copy of the data." required:"" type:"existingdir" placeholder:"DIR"`
	PersonKeysFrom string `help:"Folder with the copy of the person keys." required:"" type:"existingdir" placeholder:"DIR"`
}

func (c restoreCmd) Run(r *run) error {
	cc, err := c.core(r, nil)
	if err != nil {
		return err
	}
	if err := server.Restore(r.ctx, cc, c.From, c.PersonKeysFrom); err != nil {
		return err
	}
	fmt.Fprintln(r.out, "restored; check it with citycode audit verify")
	return nil
}
