package main

import (
	"errors"
	"fmt"

	"github.com/citycode/citycode/internal/server"
)

type migrateCmd struct{ dataFlags }

func (c migrateCmd) Run(r *run) error {
	cc, err := c.core(r, nil)
	if err != nil {
		return err
	}
	main, personKeys, err := server.OpenDatabase(r.ctx, cc)
	if err != nil {
		return err
	}
	have, _, err := main.Version(r.ctx)
	err = errors.Join(err, main.Close(), personKeys.Close())
	if err == nil {
		fmt.Fprintf(r.out, "the schema is at version %d\n", have)
	}
	return err
}
