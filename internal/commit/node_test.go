package commit_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/internal/audit"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/keys"
)

// city is a database with its key file, on which nodes are started.
type city struct {
	t      testing.TB
	pair   *dbtest.Pair
	keeper *keys.Keeper
	now    func() time.Time
	anchor string
}

func newCity(t testing.TB, d *dbtest.Pair) *city {
	t.Helper()
	f, err := keys.CreateFile(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	c := &city{t: t, pair: d, now: time.Now}
	if c.keeper, err = keys.Open(t.Context(), keys.Config{DB: d.Main, File: f}); err != nil {
		t.Fatal(err)
	}
	return c
}

// open starts a node with database handles of its own, as a process has.
func (c *city) open(name string) *commit.Node {
	c.t.Helper()
	n, err := commit.Open(c.t.Context(), commit.Config{
		DB: c.pair.Open().Main, Keys: c.keeper, Name: name, Now: func() time.Time { return c.now() }, Anchor: c.anchor,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c *city) verify() {
	c.t.Helper()
	r, err := audit.Verify(c.t.Context(), audit.VerifyConfig{DB: c.pair.Main, Keys: c.keeper, Anchor: c.anchor})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range r.Findings {
		c.t.Error("verify:", f)
	}
}

func (c *city) number(sql string, args ...any) int64 {
	c.t.Helper()
	var n int64
	err := c.pair.Main.Read(c.t.Context(), func(ctx context.Context, q db.Querier) error {
		return q.QueryRow(ctx, sql, args...).Scan(&n)
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c *city) exec(sql string, args ...any) {
	c.t.Helper()
	err := c.pair.Main.Append(c.t.Context(), func(ctx context.Context, q db.Querier) error {
		_, err := q.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// kinds lists a chain's entries.
func (c *city) kinds(chain int64) (kinds []string) {
	c.t.Helper()
	err := c.pair.Main.Read(c.t.Context(), func(ctx context.Context, q db.Querier) error {
		rows, err := q.Query(ctx, "select kind from audit_entry where chain = $1 order by seq", chain)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var k string
			if err := rows.Scan(&k); err != nil {
				return err
			}
			kinds = append(kinds, k)
		}
		return rows.Err()
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return kinds
}

// do is Do and DoAppend, for tests of what both promise.
var do = map[string]func(*commit.Node, context.Context, func(context.Context, *commit.Tx) error) error{
	"Do": (*commit.Node).Do, "DoAppend": (*commit.Node).DoAppend,
}

func TestAnActWritesItsEntriesAndChangesWithItsRows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newCity(t, d)
		n := c.open("one")
		var seqs []int64
		for _, name := range []string{"Do", "DoAppend"} {
			err := do[name](n, t.Context(), func(ctx context.Context, tx *commit.Tx) error {
				tx.Change("things", []byte("a"))
				seqs = append(seqs, tx.Audit("thing.first", map[string]any{"n": 1}), tx.Audit("thing.second", nil))
				tx.Change("things", nil)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]int64{2, 3, 4, 5}, seqs); diff != "" {
			t.Error(diff)
		}
		want := []string{"open", "thing.first", "thing.second", "thing.first", "thing.second"}
		if diff := cmp.Diff(want, c.kinds(n.ID())); diff != "" {
			t.Error(diff)
		}
		if got := c.number("select count(*) from change where stream = $1 and seq between 1 and 4", n.ID()); got != 4 {
			t.Errorf("%d changes", got)
		}
		if got := c.number("select head from node where id = $1", n.ID()); got != 4 {
			t.Errorf("head is %d", got)
		}
		c.verify()
	})
}

func TestAFailedActLeavesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newCity(t, d)
		n := c.open("one")
		mistake := errors.New("mistake")
		for name, do := range do {
			err := do(n, t.Context(), func(ctx context.Context, tx *commit.Tx) error {
				tx.Audit("thing", nil)
				tx.Change("things", nil)
				return mistake
			})
			if !errors.Is(err, mistake) {
				t.Errorf("%s: %v", name, err)
			}
			err = do(n, t.Context(), func(ctx context.Context, tx *commit.Tx) error {
				tx.Audit("thing", func() {}) // JSON has no functions
				return nil
			})
			if err == nil {
				t.Errorf("%s took a body that can't be written", name)
			}
			func() {
				defer func() { recover() }()
				do(n, t.Context(), func(ctx context.Context, tx *commit.Tx) error { panic("mistake") })
			}()
			if err := do(n, t.Context(), func(context.Context, *commit.Tx) error { return nil }); err != nil {
				t.Errorf("%s: after a panic: %v", name, err)
			}
		}
		if diff := cmp.Diff([]string{"open"}, c.kinds(n.ID())); diff != "" {
			t.Error(diff)
		}
		if got := c.number("select count(*) from change"); got != 0 {
			t.Errorf("%d changes", got)
		}
		c.verify()
	})
}

func TestActsOfManyCallersOnTwoNodesKeepTheirNumbers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newCity(t, d)
		nodes := []*commit.Node{c.open("one"), c.open("two")}
		const callers, acts = 4, 10
		var mu sync.Mutex
		given := make(map[[2]int64]int)
		var wg sync.WaitGroup
		for i := range 2 * callers {
			n := nodes[i%2]
			wg.Go(func() {
				for j := range acts {
					name := []string{"Do", "DoAppend"}[j%2]
					var seq int64
					err := do[name](n, t.Context(), func(ctx context.Context, tx *commit.Tx) error {
						seq = tx.Audit("thing", nil)
						tx.Change("things", nil)
						if name == "DoAppend" {
							return nil
						}
						// Nodes meet in this row, so that some runs fail and run again.
						var at int64
						err := tx.QueryRow(ctx, "select made_at from demo_mark where id = 1").Scan(&at)
						if err != nil && !errors.Is(err, db.ErrNoRows) {
							return err
						}
						_, err = tx.Exec(ctx, "insert into demo_mark (id, made_at) values (1, $1) on conflict (id) do update set made_at = excluded.made_at", at+1)
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					given[[2]int64{n.ID(), seq}]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(given) != 2*callers*acts {
			t.Errorf("%d numbers for %d acts", len(given), 2*callers*acts)
		}
		if got := c.number("select made_at from demo_mark"); got != callers*acts {
			t.Errorf("%d of %d read-modify-writes", got, callers*acts)
		}
		for _, n := range nodes {
			if got := c.number("select count(*) from change where stream = $1", n.ID()); got != callers*acts {
				t.Errorf("%d changes of %d", got, callers*acts)
			}
		}
		c.verify()
	})
}

// thing is an act that leaves an entry.
func thing(_ context.Context, tx *commit.Tx) error {
	tx.Audit("thing", nil)
	return nil
}

func TestWaitingForTheLineEndsWithTheContext(t *testing.T) {
	c := newCity(t, dbtest.Open(t, db.SQLite))
	n := c.open("one")
	inside, leave := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- n.Do(t.Context(), func(context.Context, *commit.Tx) error {
			close(inside)
			<-leave
			return nil
		})
	}()
	receive(t, inside)
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() {
		second <- n.Do(ctx, func(context.Context, *commit.Tx) error { return errors.New("ran beside another") })
	}()
	cancel()
	if err := receive(t, second); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(leave)
	if err := receive(t, first); err != nil {
		t.Error(err)
	}
}

func TestAnActInsideAnActIsRefused(t *testing.T) {
	c := newCity(t, dbtest.Open(t, db.SQLite))
	n := c.open("one")
	err := n.Do(t.Context(), func(ctx context.Context, _ *commit.Tx) error {
		return n.Do(ctx, func(context.Context, *commit.Tx) error { return nil })
	})
	if err == nil || !strings.Contains(err.Error(), "inside an act") {
		t.Errorf("got %v", err)
	}
}

func TestANodeThatTheDatabaseForgotMustStartAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newCity(t, d)
		n := c.open("one")
		c.exec("delete from node where id = $1", n.ID())
		for name, do := range do {
			err := do(n, t.Context(), func(context.Context, *commit.Tx) error { return nil })
			if fault.CodeOf(err) != "node_forgotten" {
				t.Errorf("%s: %v", name, err)
			}
		}
		ran := make(chan error, 1)
		go func() { ran <- n.Run(t.Context()) }()
		if err := receive(t, ran); fault.CodeOf(err) != "node_forgotten" {
			t.Errorf("Run: %v", err)
		}
	})
}
