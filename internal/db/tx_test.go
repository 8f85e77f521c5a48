package db_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
)

func mark(t testing.TB, d *db.DB, id int64) (made int64, found bool) {
	t.Helper()
	err := d.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
		made, found = 0, true
		err := q.QueryRow(ctx, "select made_at from demo_mark where id = $1", id).Scan(&made)
		if errors.Is(err, db.ErrNoRows) {
			found = false
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return made, found
}

func addMark(t testing.TB, d *db.DB, id, made int64) {
	t.Helper()
	write(t, d, "insert into demo_mark (id, made_at) values ($1, $2)", id, made)
}

func TestTxKeepsEveryIncrementOfEightAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		addMark(t, d.Main, 1, 0)
		second := d.Open().Main // half of them through handles of another process
		done := make(chan error)
		for i := range 8 {
			handle := []*db.DB{d.Main, second}[i%2]
			go func() {
				for range 50 {
					if err := increment(t.Context(), handle); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range 8 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if made, _ := mark(t, d.Main, 1); made != 400 {
			t.Errorf("%d of 400 increments kept", made)
		}
	})
}

// TestTxForbidsWriteSkew: two transactions that each read what the other writes
// can't both be as if alone.
func TestTxForbidsWriteSkew(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		addMark(t, d.Main, 1, 1)
		addMark(t, d.Main, 2, 1)
		// Each sets its own row to zero if the sum leaves one for the other.
		leave := func(own int64) error {
			return d.Main.Tx(t.Context(), func(ctx context.Context, q db.Querier) error {
				var sum int64
				if err := q.QueryRow(ctx, "select cast(sum(made_at) as bigint) from demo_mark").Scan(&sum); err != nil || sum < 2 {
					return err
				}
				_, err := q.Exec(ctx, "update demo_mark set made_at = 0 where id = $1", own)
				return err
			})
		}
		done := make(chan error)
		for own := range int64(2) {
			go func() { done <- leave(own + 1) }()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		a, _ := mark(t, d.Main, 1)
		b, _ := mark(t, d.Main, 2)
		if a+b != 1 {
			t.Errorf("sum %d, want 1", a+b)
		}
	})
}

func TestTxRunsAgainWhenItMetAnother(t *testing.T) {
	d := dbtest.Open(t, db.PostgreSQL) // on SQLite writers wait for each other instead
	addMark(t, d.Main, 1, 0)
	for _, hide := range []bool{false, true} {
		tries := 0
		err := d.Main.Tx(t.Context(), func(ctx context.Context, q db.Querier) error {
			tries++
			var n int64
			if err := q.QueryRow(ctx, "select made_at from demo_mark where id = $1", 1).Scan(&n); err != nil {
				return err
			}
			if tries == 1 {
				write(t, d.Open().Main, "update demo_mark set made_at = made_at + 10 where id = 1")
			}
			_, err := q.Exec(ctx, "update demo_mark set made_at = $2 where id = $1", 1, n+1)
			if err != nil && hide { // a capability that says what it was doing, without %w
				return fault.New(fault.Conflict, "changed", "somebody else was faster")
			}
			return err
		})
		if err != nil || tries != 2 {
			t.Errorf("hide %t: %d tries, %v", hide, tries, err)
		}
	}
	if made, _ := mark(t, d.Main, 1); made != 22 {
		t.Errorf("made_at %d, want 22", made)
	}
}

func TestTxGivesUpAfterManyTries(t *testing.T) {
	d := dbtest.Open(t, db.PostgreSQL)
	addMark(t, d.Main, 1, 0)
	other := d.Open().Main
	tries := 0
	err := d.Main.Tx(t.Context(), func(ctx context.Context, q db.Querier) error {
		tries++
		var n int64
		if err := q.QueryRow(ctx, "select made_at from demo_mark where id = $1", 1).Scan(&n); err != nil {
			return err
		}
		write(t, other, "update demo_mark set made_at = made_at + 1 where id = 1")
		_, err := q.Exec(ctx, "update demo_mark set made_at = $2 where id = $1", 1, n)
		return err
	})
	if fault.KindOf(err) != fault.Busy || fault.CodeOf(err) != "database_contention" || tries != 24 {
		t.Errorf("after %d tries: %v", tries, err)
	}
}

func TestAnErrorOrAPanicRollsBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		stop := errors.New("stop")
		for name, run := range map[string]func(context.Context, func(context.Context, db.Querier) error) error{"Tx": d.Main.Tx, "Append": d.Main.Append} {
			err := run(t.Context(), func(ctx context.Context, q db.Querier) error {
				if _, err := q.Exec(ctx, "insert into demo_mark (id, made_at) values (1, 1)"); err != nil {
					return err
				}
				return stop
			})
			if !errors.Is(err, stop) {
				t.Errorf("%s: %v", name, err)
			}
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s swallowed the panic", name)
					}
				}()
				run(t.Context(), func(ctx context.Context, q db.Querier) error {
					if _, err := q.Query(ctx, "insert into demo_mark (id, made_at) values (1, 1) returning id"); err != nil {
						return err
					}
					panic("with rows open")
				})
			}()
			if _, found := mark(t, d.Main, 1); found {
				t.Errorf("%s kept the row", name)
			}
		}
		addMark(t, d.Main, 1, 1) // and the connections still work
	})
}

func TestAFailedStatementFailsTheTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		addMark(t, d.Main, 1, 1)
		var unique bool
		var later error
		err := d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
			if _, err := q.Exec(ctx, "insert into demo_mark (id, made_at) values (2, 2)"); err != nil {
				return err
			}
			_, err := q.Exec(ctx, "insert into demo_mark (id, made_at) values (1, 2)")
			unique = db.IsUnique(err)
			_, later = q.Exec(ctx, "insert into demo_mark (id, made_at) values (3, 3)")
			return nil
		})
		if !unique || later == nil || !db.IsUnique(err) {
			t.Errorf("unique %t, later %v, in the end %v", unique, later, err)
		}
		for _, id := range []int64{2, 3} {
			if _, found := mark(t, d.Main, id); found {
				t.Errorf("row %d was kept", id)
			}
		}
	})
}

func TestUniqueIndexesAreUniqueErrors(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		add := func(id int64, code string) error {
			return d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
				_, err := q.Exec(ctx, "insert into status_reason (scheme, id, code) values ('health', $1, $2)", id, code)
				return err
			})
		}
		if err := add(1, "a"); err != nil {
			t.Fatal(err)
		}
		for _, again := range []error{add(1, "b"), add(2, "a")} {
			if !db.IsUnique(again) || fault.KindOf(again) != fault.Internal {
				t.Errorf("got %v", again)
			}
		}
		err := d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
			_, err := q.Exec(ctx, "insert into status_reason (scheme, id, code) values ('health', 3, $1)", nil)
			return err
		})
		if err == nil || db.IsUnique(err) {
			t.Errorf("NULL where there can be none: %v", err)
		}
	})
}

func TestSnapshotSeesOneMoment(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		addMark(t, d.Main, 1, 1)
		count := func(ctx context.Context, q db.Querier) (n int64) {
			if err := q.QueryRow(ctx, "select count(*) from demo_mark").Scan(&n); err != nil {
				t.Error(err)
			}
			return n
		}
		err := d.Main.Snapshot(t.Context(), func(ctx context.Context, q db.Querier) error {
			addMark(t, d.Main, 2, 2) // before its first statement
			if n := count(ctx, q); n != 1 {
				t.Errorf("%d rows at first", n)
			}
			addMark(t, d.Main, 3, 3)
			if n := count(ctx, q); n != 1 {
				t.Errorf("%d rows later", n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = d.Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
			if n := count(ctx, q); n != 3 {
				t.Errorf("%d rows at last", n)
			}
			addMark(t, d.Main, 4, 4)
			if n := count(ctx, q); n != 4 {
				t.Errorf("Read is behind: %d rows", n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestReadAndSnapshotCannotWrite(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		for name, run := range map[string]func(context.Context, func(context.Context, db.Querier) error) error{"Read": d.Main.Read, "Snapshot": d.Main.Snapshot} {
			err := run(t.Context(), func(ctx context.Context, q db.Querier) error {
				_, err := q.Exec(ctx, "insert into demo_mark (id, made_at) values (1, 1)")
				return err
			})
			if err == nil {
				t.Errorf("%s wrote", name)
			}
		}
		addMark(t, d.Main, 1, 1)
	})
}

func TestTheQuerierIsForOneStatementAtATimeUntilItsFunctionReturns(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		addMark(t, d.Main, 1, 1)
		addMark(t, d.Main, 2, 2)
		var kept db.Querier
		for _, run := range []func(context.Context, func(context.Context, db.Querier) error) error{d.Main.Read, d.Main.Snapshot, d.Main.Append, d.Main.Tx} {
			err := run(t.Context(), func(ctx context.Context, q db.Querier) error {
				kept = q
				rows, err := q.Query(ctx, "select id from demo_mark order by id")
				if err != nil {
					return err
				}
				if !rows.Next() {
					t.Error("no row")
				}
				if _, err := q.Exec(ctx, "select 1"); err == nil || !strings.Contains(err.Error(), "open") {
					t.Errorf("with rows open: %v", err)
				}
				rows.Close()
				rows.Close()
				var id int64
				if err := q.QueryRow(ctx, "select id from demo_mark order by id").Scan(&id); err != nil || id != 1 {
					t.Errorf("after closing them: %d %v", id, err)
				}
				_, err = q.Query(ctx, "select id from demo_mark") // left open
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := kept.Exec(t.Context(), "select 1"); err == nil {
				t.Error("a statement ran after its function had returned")
			}
		}
	})
}

func TestATransactionInsideATransactionIsRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		nothing := func(context.Context, db.Querier) error { return nil }
		err := d.Main.Tx(t.Context(), func(ctx context.Context, q db.Querier) error {
			if err := d.PersonKeys.Tx(ctx, nothing); err != nil {
				t.Errorf("another database: %v", err)
			}
			if err := d.Main.Read(ctx, nothing); err != nil {
				t.Errorf("reading: %v", err)
			}
			return d.Main.Append(ctx, nothing)
		})
		if err == nil || !strings.Contains(err.Error(), "inside") {
			t.Errorf("got %v", err)
		}
	})
}

func TestACancelledCallerChangesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		ctx, cancel := context.WithCancel(t.Context())
		err := d.Main.Append(ctx, func(ctx context.Context, q db.Querier) error {
			_, err := q.Exec(ctx, "insert into demo_mark (id, made_at) values (1, 1)")
			cancel()
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if _, found := mark(t, d.Main, 1); found {
			t.Error("the row was kept")
		}
		if err := d.Main.Tx(ctx, func(context.Context, db.Querier) error { t.Error("fn ran"); return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		addMark(t, d.Main, 1, 1)
	})
}

func TestAStatementStopsWhenItsCallerGoesAway(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		const endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
		for name, run := range map[string]func(context.Context, func(context.Context, db.Querier) error) error{"Read": d.Main.Read, "Append": d.Main.Append} {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			start := time.Now()
			err := run(ctx, func(ctx context.Context, q db.Querier) error {
				if name == "Append" {
					if _, err := q.Exec(ctx, "insert into demo_mark (id, made_at) values (1, 1)"); err != nil {
						return err
					}
				}
				var n int64
				return q.QueryRow(ctx, endless).Scan(&n)
			})
			cancel()
			if fault.KindOf(err) != fault.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("%s took %s", name, took)
			}
			if _, found := mark(t, d.Main, 1); found {
				t.Errorf("%s kept the row", name)
			}
		}
		if d.Main.Engine() == db.PostgreSQL {
			await(t, "the server stopped too", func() bool {
				return count64(t, d.Main, "select count(*) from pg_stat_activity where state = 'active' and query like 'with recursive n(i)%'") == 0
			})
		}
		addMark(t, d.Main, 1, 1)
	})
}

func TestAWriterWaitsForAnotherAsLongAsItsCaller(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		addMark(t, d.Main, 1, 1)
		other := d.Open().Main
		err := d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
			if _, err := q.Exec(ctx, "update demo_mark set made_at = 2 where id = 1"); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			start := time.Now()
			err := other.Append(ctx, func(ctx context.Context, q db.Querier) error {
				_, err := q.Exec(ctx, "update demo_mark set made_at = 3 where id = 1")
				return err
			})
			if fault.KindOf(err) != fault.Unavailable {
				t.Errorf("got %v", err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("gave up after %s", took)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if made, _ := mark(t, other, 1); made != 2 {
			t.Errorf("made_at %d", made)
		}
	})
}

func TestCloseWaitsForCallsUnderWayAndRefusesOthers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		handle := d.Open().Main
		inside, leave := make(chan struct{}), make(chan struct{})
		wrote := make(chan error, 1)
		go func() {
			wrote <- handle.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
				close(inside)
				<-leave
				_, err := q.Exec(ctx, "insert into demo_mark (id, made_at) values (1, 1)")
				return err
			})
		}()
		<-inside
		var closed atomic.Bool
		done := make(chan error, 1)
		go func() {
			err := handle.Close()
			closed.Store(true)
			done <- err
		}()
		for handle.Ping(t.Context()) == nil { // until Close has begun
		}
		if closed.Load() {
			t.Error("closed under a transaction")
		}
		close(leave)
		if err := <-wrote; err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := handle.Close(); err != nil {
			t.Errorf("closed again: %v", err)
		}
		if err := handle.Append(t.Context(), func(context.Context, db.Querier) error { return nil }); err == nil {
			t.Error("a closed handle took a call")
		}
		if _, found := mark(t, d.Main, 1); !found {
			t.Error("the row is gone")
		}
	})
}
