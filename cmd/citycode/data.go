package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/citycode/citycode/internal/demo"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/server"
)

// dataFlags say where a city's data lies.
type dataFlags struct {
	Data        string `help:"Folder of the data: the embedded database, the key file, snapshots." default:"data" type:"path" placeholder:"DIR"`
	Database    string `help:"postgres://… instead of the embedded database." placeholder:"URL"`
	KeyFile     string `help:"Key file (default: citycode.key in the data folder)." type:"path" placeholder:"FILE"`
	AuditAnchor string `help:"File outside the database that signed audit checkpoints are also appended to." type:"path" placeholder:"FILE"`
	Zone        string `help:"The city's time zone, which decides every calendar day." default:"Asia/Shanghai"`
}

func (d dataFlags) core(r *run, now func() time.Time) (server.CoreConfig, error) {
	zone, err := time.LoadLocation(d.Zone)
	if err != nil {
		return server.CoreConfig{}, misused("--zone: %v", err)
	}
	return server.CoreConfig{Data: d.Data, Database: d.Database, KeyFile: d.KeyFile, Anchor: d.AuditAnchor, Zone: zone, Now: now, Log: r.log}, nil
}

// exists refuses to make an empty city where a command was to work on one.
func (d dataFlags) exists() error {
	if d.Database != "" {
		return nil
	}
	if _, err := os.Stat(d.Data); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no data folder %s (give it with --data)", d.Data)
	}
	if _, err := os.Stat(filepath.Join(d.Data, "citycode.db")); errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "no_database", "there is no database in %s: give the right folder with --data, or make one with citycode migrate", d.Data)
	}
	return nil
}

// open opens the city's data for a command. The invented region of demo people
// is accepted in a demo's database only.
func (d dataFlags) open(r *run) (*server.Core, error) {
	c, err := d.core(r, nil)
	if err != nil {
		return nil, err
	}
	c.NodeName = "command"
	c.Sample = demo.IsMarked
	k, err := server.Open(r.ctx, c)
	if err != nil {
		return nil, err
	}
	// A long import is a node like a server: others see that it lives, and what it
	// writes is signed every minute.
	k.Beat(r.ctx)
	return k, nil
}

// closing closes the core after a command, in time even when it was interrupted.
func closing(k *server.Core, err *error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	*err = errors.Join(*err, k.Close(ctx))
}
