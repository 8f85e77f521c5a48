package commit_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
)

// On SQLite nobody comes between: the writer's lock keeps them out.
func TestAnActRunsAgainWhenItsNumberIsTakenMeanwhile(t *testing.T) {
	c := newCity(t, dbtest.Open(t, db.PostgreSQL))
	n := c.open("one")
	runs := 0
	err := n.Do(t.Context(), func(ctx context.Context, tx *commit.Tx) error {
		if runs++; runs == 1 {
			if err := c.write(ctx, n, "late"); err != nil {
				return err
			}
		}
		return thing(ctx, tx)
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"open", "late", "broken", "thing"}, c.kinds(n.ID())); diff != "" {
		t.Error(diff)
	}
}

func TestAnActWhoseOutcomeIsUnknownIsTakenUpAsOurs(t *testing.T) {
	pair := dbtest.Open(t, db.PostgreSQL)
	c := newCity(t, pair)
	proxy := startProxy(t, pair.URL)
	c.pair = dbtest.OpenAt(t, "", proxy.url)
	n := c.open("one")
	for name, do := range do {
		act := func(ctx context.Context, tx *commit.Tx) error {
			tx.Change("things", nil)
			return thing(ctx, tx)
		}
		for _, lost := range []bool{false, true} { // the commit itself, or the answer to it
			proxy.cut(lost)
			if err := do(n, t.Context(), act); fault.KindOf(err) != fault.Unavailable {
				t.Fatalf("%s: %v", name, err)
			}
			if err := do(n, t.Context(), act); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	// Of each four acts all but the one that never arrived.
	want := []string{"open", "thing", "thing", "thing", "thing", "thing", "thing"}
	if diff := cmp.Diff(want, c.kinds(n.ID())); diff != "" {
		t.Error(diff)
	}
	if got := c.number("select count(*) from change"); got != 6 || got != c.number("select head from node") {
		t.Errorf("%d changes", got)
	}
	proxy.cut(true)
	if err := n.Checkpoint(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Fatal(err)
	}
	if err := n.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	proxy.cut(true)
	if err := n.Close(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Fatal(err)
	}
	if err := n.Do(t.Context(), thing); fault.CodeOf(err) != "closing" {
		t.Errorf("an act after a Close of unknown outcome: %v", err)
	}
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append(want, "close"), c.kinds(n.ID())); diff != "" {
		t.Error(diff)
	}
	c.verify()
}

func TestNoAcknowledgedActIsLostWhenTheServerIsKilled(t *testing.T) {
	server := dbtest.StartPostgres(t)
	pair := dbtest.OpenAt(t, "", dbtest.Schema(t, server.URL))
	for _, d := range []*db.DB{pair.Main, pair.PersonKeys} {
		if _, err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c := newCity(t, pair)
	n := c.open("one")
	for range 2 {
		acked := make(map[int64]bool)
		failed := make(chan struct{})
		killed := make(chan struct{})
		go func() {
			defer close(failed)
			for i := 0; ; i++ {
				var seq int64
				err := n.DoAppend(t.Context(), func(ctx context.Context, tx *commit.Tx) error {
					seq = tx.Audit("thing", nil)
					tx.Change("things", nil)
					return nil
				})
				if err != nil {
					if fault.KindOf(err) != fault.Unavailable {
						t.Errorf("not told as unavailable: %v", err)
					}
					return
				}
				acked[seq] = true
				if i == 20 {
					close(killed)
				}
			}
		}()
		receive(t, killed)
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		receive(t, failed)
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(30 * time.Second); ; {
			err := n.Do(t.Context(), func(ctx context.Context, tx *commit.Tx) error {
				tx.Audit("after", nil)
				tx.Change("things", nil)
				return nil
			})
			if err == nil {
				break
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
		kinds := c.kinds(n.ID())
		for seq := range acked {
			if seq > int64(len(kinds)) || kinds[seq-1] != "thing" {
				t.Errorf("entry %d was acknowledged and isn't there", seq)
			}
		}
		if changes := c.number("select count(*) from change"); changes != c.number("select head from node") {
			t.Errorf("%d changes under a head of another number", changes)
		}
	}
	c.verify()
}
