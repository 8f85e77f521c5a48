package keys

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/db"
)

// shanghai is UTC+8 without a time zone database.
var shanghai = time.FixedZone("UTC+8", 8*60*60)

// morning is 10:00:00 in the city, on an ordinary day.
var morning = time.Date(2026, 11, 22, 10, 0, 0, 0, shanghai)

// clock is a time that tests move.
type clock struct{ ms atomic.Int64 }

func newClock(t time.Time) *clock {
	c := new(clock)
	c.set(t)
	return c
}

func (c *clock) set(t time.Time)         { c.ms.Store(t.UnixMilli()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }
func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }

func newKeyFile(t *testing.T) *File {
	t.Helper()
	f, err := CreateFile(filepath.Join(t.TempDir(), "citycode.key"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func openKeeper(t *testing.T, d *db.DB, f *File, c *clock) *Keeper {
	t.Helper()
	k, err := Open(t.Context(), Config{DB: d, File: f, Now: c.now, Zone: shanghai})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// tend does what the hourly job and the change feed do.
func tend(t *testing.T, k *Keeper) (made int) {
	t.Helper()
	err := k.db.Tx(t.Context(), func(ctx context.Context, q db.Querier) (err error) {
		made, err = k.Ahead(ctx, q)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	reload(t, k)
	return made
}

func rotate(t *testing.T, k *Keeper, r Ring, compromised bool) Generation {
	t.Helper()
	g, err := tryRotate(t, k, r, compromised)
	if err != nil {
		t.Fatal(err)
	}
	reload(t, k)
	return g
}

func tryRotate(t *testing.T, k *Keeper, r Ring, compromised bool) (g Generation, err error) {
	t.Helper()
	err = k.db.Tx(t.Context(), func(ctx context.Context, q db.Querier) (err error) {
		g, err = k.Rotate(ctx, r, compromised, q)
		return err
	})
	return g, err
}

func reload(t *testing.T, k *Keeper) {
	t.Helper()
	if err := k.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func sealing(t *testing.T, k *Keeper, r Ring) *Generation {
	t.Helper()
	g, err := k.Sealing(r)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// state is what Opening says of a generation.
func state(k *Keeper, g *Generation) State {
	held, s := k.Opening(g.Ring, g.Low())
	if held != nil && held.Number != g.Number {
		return Unknown
	}
	return s
}

// mintAt seals a live code with the keeper's present key.
func mintAt(t *testing.T, k *Keeper, c *clock) code.Sealed {
	t.Helper()
	s, err := sealing(t, k, Live).Live().Seal(code.Live{Kind: code.KindLive, IssuedAt: c.now(), Random: [8]byte{1, 2}, Subject: 42})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// opens tells whether the keeper opens the code as an ordinary scan does.
func opens(k *Keeper, s code.Sealed) bool {
	g, state := k.Opening(Live, s.Generation())
	if state != Active && state != Retired {
		return false
	}
	_, err := g.Live().Open(s)
	return err == nil
}
