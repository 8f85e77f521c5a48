package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/citycode/citycode/internal/keys"
	"github.com/citycode/citycode/internal/server"
)

type keyCmd struct {
	Rotate keyRotateCmd `cmd:"" help:"Make a new generation; every node has it before it is used."`
	List   keyListCmd   `cmd:"" help:"List the generations of every ring, without the keys."`
}

type keyRotateCmd struct {
	dataFlags
	Ring        string `help:"Which ring: ${enum}." enum:"live,session,audit" default:"live"`
	Compromised bool   `help:"The keys are known to a stranger: stop them at once. Codes shown under them (live) and access tokens (session) stop; apps fetch new ones by themselves."`
	JSON        bool   `name:"json" help:"Print the result as JSON."`
}

func (c keyRotateCmd) Run(r *run) (err error) {
	if err := c.exists(); err != nil {
		return err
	}
	k, err := c.open(r)
	if err != nil {
		return err
	}
	defer closing(k, &err)
	g, err := k.RotateKeys(r.ctx, keys.Ring(c.Ring), c.Compromised)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(r.out).Encode(map[string]any{"ring": c.Ring, "number": g.Number, "not_before": g.NotBefore.UTC().Format(time.RFC3339Nano), "compromised": c.Compromised})
	}
	fmt.Fprintf(r.out, "%s: generation %d is used from %s\n", c.Ring, g.Number, g.NotBefore.In(k.Config.Zone).Format(time.DateTime))
	return nil
}

type keyListCmd struct {
	dataFlags
	JSON bool `name:"json" help:"Print as JSON."`
}

func (c keyListCmd) Run(r *run) error {
	if err := c.exists(); err != nil {
		return err
	}
	cc, err := c.core(r, nil)
	if err != nil {
		return err
	}
	k, err := server.OpenToRead(r.ctx, cc)
	if err != nil {
		return err
	}
	defer k.Close()
	type line struct {
		Ring      string `json:"ring"`
		Number    uint32 `json:"number"`
		NotBefore string `json:"not_before"`
		RetireAt  string `json:"retire_at,omitempty"`
		State     string `json:"state"`
	}
	var lines []line
	for _, ring := range []keys.Ring{keys.Live, keys.Session, keys.Audit} {
		for _, g := range k.Keys.Generations(ring) {
			_, state := k.Keys.Opening(ring, g.Low())
			l := line{Ring: string(ring), Number: g.Number, NotBefore: g.NotBefore.UTC().Format(time.RFC3339), State: state.String()}
			if !g.RetireAt.IsZero() {
				l.RetireAt = g.RetireAt.UTC().Format(time.RFC3339)
			}
			lines = append(lines, l)
		}
	}
	if c.JSON {
		return json.NewEncoder(r.out).Encode(lines)
	}
	for _, l := range lines {
		fmt.Fprintf(r.out, "%-8s %6d  from %s  until %-20s  %s\n", l.Ring, l.Number, l.NotBefore, l.RetireAt, l.State)
	}
	return nil
}
