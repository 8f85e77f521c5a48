package commit_test

import (
	stdcmp "cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/internal/audit"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
)

func (c *city) wantFindings(wheres ...string) {
	c.t.Helper()
	r, err := audit.Verify(c.t.Context(), audit.VerifyConfig{DB: c.pair.Main, Keys: c.keeper, Anchor: c.anchor})
	if err != nil {
		c.t.Fatal(err)
	}
	var got []string
	for _, f := range r.Findings {
		got = append(got, f.Where)
	}
	if diff := cmp.Diff(wheres, got); diff != "" {
		c.t.Error(diff, r.Findings)
	}
}

// write appends an entry to a chain as somebody else would.
func (c *city) write(ctx context.Context, n *commit.Node, kind string) error {
	return c.pair.Main.Append(ctx, func(ctx context.Context, q db.Querier) error {
		h := audit.Head{Chain: n.ID()}
		var hash []byte
		if err := q.QueryRow(ctx, "select seq, hash from audit_entry where chain = $1 order by seq desc limit 1", n.ID()).Scan(&h.Seq, &hash); err != nil {
			return err
		}
		h.Hash = audit.Digest(hash)
		e, err := audit.After(h, time.Now().UnixMilli(), kind, nil)
		if err != nil {
			return err
		}
		return audit.Insert(ctx, q, e)
	})
}

func TestANodeNoticesWhatItHasNotWrittenBeforeSigningIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newCity(t, d)
		var wheres []string
		for name, next := range map[string]func(n *commit.Node) error{
			"Do":         func(n *commit.Node) error { return n.Do(t.Context(), thing) },
			"DoAppend":   func(n *commit.Node) error { return n.DoAppend(t.Context(), thing) },
			"Checkpoint": func(n *commit.Node) error { return n.Checkpoint(t.Context()) },
			"Close":      func(n *commit.Node) error { return n.Close(t.Context()) },
		} {
			n := c.open(name)
			if err := c.write(t.Context(), n, "forged"); err != nil {
				t.Fatal(err)
			}
			if err := next(n); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"open", "forged", "broken"}, c.kinds(n.ID())[:3]); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if err := n.Close(t.Context()); err != nil {
				t.Error(err)
			}
			wheres = append(wheres, fmt.Sprintf("chain %d entry 2", n.ID()))
		}
		slices.SortFunc(wheres, byChain)
		c.wantFindings(wheres...)
	})
}

// byChain orders places as Verify reads chains: by number.
func byChain(a, b string) int {
	var x, y int64
	fmt.Sscanf(a, "chain %d", &x)
	fmt.Sscanf(b, "chain %d", &y)
	return stdcmp.Compare(x, y)
}

func TestALastEntryThatWasAlteredIsNoticed(t *testing.T) {
	c := newCity(t, dbtest.Open(t, db.SQLite))
	n := c.open("one")
	if err := n.Do(t.Context(), thing); err != nil {
		t.Fatal(err)
	}
	c.exec("delete from audit_entry where chain = $1 and seq = 2", n.ID())
	if err := c.write(t.Context(), n, "other"); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.wantFindings(fmt.Sprintf("chain %d entry 2", n.ID()))
}

func TestEntriesThatTheDatabaseLostAreNoticed(t *testing.T) {
	c := newCity(t, dbtest.Open(t, db.SQLite))
	n := c.open("one")
	for range 3 {
		if err := n.Do(t.Context(), thing); err != nil {
			t.Fatal(err)
		}
	}
	c.exec("delete from audit_entry where chain = $1 and seq > 2", n.ID())
	if err := n.Do(t.Context(), thing); err != nil {
		t.Fatal(err)
	}
	c.wantFindings(fmt.Sprintf("chain %d entry 3", n.ID()))
}

func TestCloseEndsTheChainWithACheckpoint(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newCity(t, d)
		n := c.open("one")
		for range 2 {
			if err := n.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"open", "close"}, c.kinds(n.ID())); diff != "" {
			t.Error(diff)
		}
		if got := c.number("select count(*) from audit_checkpoint"); got != 2 {
			t.Errorf("%d checkpoints", got)
		}
		if got := c.number("select count(*) from node where ended_at is not null"); got != 1 {
			t.Error("the node isn't marked as ended")
		}
		err := n.Do(t.Context(), func(context.Context, *commit.Tx) error { return nil })
		if fault.CodeOf(err) != "closing" {
			t.Errorf("an act after Close: %v", err)
		}
		c.verify()
	})
}

func TestACheckpointListsWhatMovedAndNothingElse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newCity(t, d)
		one := c.open("one")
		act := func(n *commit.Node) {
			t.Helper()
			if err := n.DoAppend(t.Context(), thing); err != nil {
				t.Fatal(err)
			}
		}
		two := c.open("two") // its link vouches for one's first entry
		act(one)
		three := c.open("three") // lists one, links to two
		steps := []struct {
			name string
			do   func()
			want map[int64]int64 // the heads of the checkpoint that three then signs
		}{
			{"first", func() {}, map[int64]int64{one.ID(): 2, three.ID(): 1}},
			{"nothing moved", func() {}, nil},
			{"another moved", func() { act(two) }, map[int64]int64{two.ID(): 2}},
			{"one closed and four began", func() {
				if err := one.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				act(three)
			}, map[int64]int64{one.ID(): 3, three.ID(): 2}},
		}
		last := int64(0)
		for i, s := range steps {
			s.do()
			if i > 0 {
				if err := three.Checkpoint(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			got := c.lastStatement(three.ID())
			if s.want == nil {
				if got.No != last {
					t.Errorf("%s: a checkpoint that says nothing", s.name)
				}
				continue
			}
			last = got.No
			heads := make(map[int64]int64)
			for _, h := range got.Heads {
				heads[h.Chain] = h.Seq
			}
			if diff := cmp.Diff(s.want, heads); diff != "" {
				t.Errorf("%s: %s", s.name, diff)
			}
		}
		c.verify()
	})
}

func (c *city) lastStatement(chain int64) (s audit.Statement) {
	c.t.Helper()
	err := c.pair.Main.Read(c.t.Context(), func(ctx context.Context, q db.Querier) error {
		last, err := audit.LastCheckpoint(ctx, q, chain)
		if err != nil {
			return err
		}
		key, _ := c.keeper.AuditPublic(last.Generation)
		s, err = last.Open(key)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func TestTheAnchorFileGetsWhatItMissedLater(t *testing.T) {
	c := newCity(t, dbtest.Open(t, db.SQLite))
	c.anchor = filepath.Join(t.TempDir(), "anchor")
	n := c.open("one")
	lines := func() int {
		b, err := os.ReadFile(c.anchor)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(b), "\n")
	}
	if info, err := os.Stat(c.anchor); err != nil || info.Mode().Perm() != 0o600 || lines() != 1 {
		t.Fatalf("%v, %v, %d lines", info.Mode(), err, lines())
	}
	away := c.anchor + ".away"
	if err := errors.Join(os.Rename(c.anchor, away), os.Mkdir(c.anchor, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := n.Do(t.Context(), thing); err != nil {
		t.Fatal(err)
	}
	if err := n.Checkpoint(t.Context()); err == nil {
		t.Error("nobody is told that the anchor can't be written")
	}
	if err := errors.Join(os.Remove(c.anchor), os.Rename(away, c.anchor)); err != nil {
		t.Fatal(err)
	}
	if err := n.Checkpoint(t.Context()); err != nil { // nothing moved: only the file is behind
		t.Error(err)
	}
	if lines() != 2 {
		t.Errorf("%d lines", lines())
	}
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lines() != 3 {
		t.Errorf("%d lines after Close", lines())
	}
	c.verify()
}

func TestOpenRefusesAnAnchorFileThatItCannotWrite(t *testing.T) {
	c := newCity(t, dbtest.Open(t, db.SQLite))
	_, err := commit.Open(t.Context(), commit.Config{DB: c.pair.Main, Keys: c.keeper, Anchor: filepath.Join(t.TempDir(), "missing", "anchor")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if got := c.number("select count(*) from audit_entry"); got != 0 {
		t.Error("a chain was begun all the same")
	}
}
