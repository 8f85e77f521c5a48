package main

import (
	"encoding/json"
	"fmt"

	"github.com/citycode/citycode/internal/audit"
	"github.com/citycode/citycode/internal/scan"
	"github.com/citycode/citycode/internal/server"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Recompute every chain, batch and checkpoint; name what doesn't fit."`
}

type auditVerifyCmd struct {
	dataFlags
	JSON bool `name:"json" help:"Print the result as JSON."`
}

func (c auditVerifyCmd) Run(r *run) (err error) {
	if err := c.exists(); err != nil {
		return err
	}
	cc, err := c.core(r, nil)
	if err != nil {
		return err
	}
	// Reading only: a check must not add a chain of its own.
	v, err := server.OpenToRead(r.ctx, cc)
	if err != nil {
		return err
	}
	defer v.Close()
	rep, err := audit.Verify(r.ctx, audit.VerifyConfig{DB: v.DB, Keys: v.Keys, Anchor: c.AuditAnchor, Batches: []audit.Batches{scan.Batches()}})
	if err != nil {
		return err
	}
	if c.JSON {
		if err := json.NewEncoder(r.out).Encode(rep); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(r.out, "%d chains, %d entries, %d checkpoints (%d of them in the anchor file), %d batches, %d rows\n",
			rep.Chains, rep.Entries, rep.Checkpoints, rep.Anchored, rep.Batches, rep.Rows)
		if rep.Unsigned > 0 {
			fmt.Fprintf(r.out, "%d entries are newer than the last signature: nothing vouches for them yet\n", rep.Unsigned)
		}
		for _, f := range rep.Findings {
			fmt.Fprintln(r.out, f)
		}
		if rep.More > 0 {
			fmt.Fprintf(r.out, "and %d more findings\n", rep.More)
		}
	}
	if n := len(rep.Findings) + rep.More; n > 0 {
		return fmt.Errorf("the audit log does not hold: %d findings", n)
	}
	if !c.JSON {
		fmt.Fprintln(r.out, "the audit log holds")
	}
	return nil
}
