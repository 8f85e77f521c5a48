package db_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
)

// files makes migrations of name, text pairs.
func files(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

const (
	first = `
		create table a (id bigint primary key);
		-- engine: sqlite
		insert into a (id) values (1);
-- engine: sqlite
		insert into a (id) values (10);
-- engine: postgresql
		insert into a (id) values (20); -- a ; in a comment
-- engine: all
		insert into a (id) values (30);`
	second = "alter table a add column note text not null default ''; create index a_note on a (note);"
)

func forEachFresh(t *testing.T, f func(t *testing.T, d *dbtest.Pair)) {
	for _, e := range []db.Engine{db.SQLite, db.PostgreSQL} {
		t.Run(string(e), func(t *testing.T) { f(t, dbtest.Fresh(t, e)) })
	}
}

func count64(t testing.TB, d *db.DB, query string) (n int64) {
	t.Helper()
	err := d.Read(t.Context(), func(ctx context.Context, q db.Querier) error { return q.QueryRow(ctx, query).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func migrate(t testing.TB, d *db.DB, want int) {
	t.Helper()
	if applied, err := d.Migrate(t.Context()); err != nil || applied != want {
		t.Fatalf("%d applied, want %d; %v", applied, want, err)
	}
}

func version(t testing.TB, d *db.DB, have, want int) {
	t.Helper()
	if h, w, err := d.Version(t.Context()); err != nil || h != have || w != want {
		t.Fatalf("version %d of %d, want %d of %d; %v", h, w, have, want, err)
	}
}

func TestMigrateAppliesWhatIsMissing(t *testing.T) {
	forEachFresh(t, func(t *testing.T, d *dbtest.Pair) {
		d.Main.UseMigrations(files("0001_a.sql", first))
		version(t, d.Main, 0, 1)
		migrate(t, d.Main, 1)
		migrate(t, d.Main, 0)
		version(t, d.Main, 1, 1)
		want := int64(1 + 10 + 30)
		if d.Main.Engine() == db.PostgreSQL {
			want = 1 + 20 + 30
		}
		// The indented marker is an ordinary comment.
		if sum := count64(t, d.Main, "select cast(sum(id) as bigint) from a"); sum != want {
			t.Errorf("sum %d, want %d", sum, want)
		}
		d.Main.UseMigrations(files("0001_a.sql", first, "0002_b.sql", second))
		version(t, d.Main, 1, 2)
		migrate(t, d.Main, 1)
		version(t, d.Main, 2, 2)
		if n := count64(t, d.Main, "select count(*) from a where note = ''"); n != 3 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestTheRealMigrationsApplyOnce(t *testing.T) {
	forEachFresh(t, func(t *testing.T, d *dbtest.Pair) {
		for _, one := range []*db.DB{d.Main, d.PersonKeys} {
			_, want, err := one.Version(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			migrate(t, one, want)
			migrate(t, one, 0)
		}
		if n := count64(t, d.PersonKeys, "select count(*) from person_key"); n != 0 {
			t.Error(n)
		}
		// Each store has its own tables only.
		for one, table := range map[*db.DB]string{d.Main: "person_key", d.PersonKeys: "person"} {
			err := one.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
				var n int64
				return q.QueryRow(ctx, "select count(*) from "+table).Scan(&n)
			})
			if err == nil {
				t.Errorf("%s is in the other store too", table)
			}
		}
	})
}

func TestManyMigrateAtOnce(t *testing.T) {
	forEachFresh(t, func(t *testing.T, d *dbtest.Pair) {
		type result struct {
			applied int
			err     error
		}
		const processes = 5
		results := make(chan result)
		for range processes {
			other := d.Open().Main
			other.UseMigrations(files("0001_a.sql", first, "0002_b.sql", second))
			go func() {
				n, err := other.Migrate(t.Context())
				results <- result{n, err}
			}()
		}
		sum := 0
		for range processes {
			r := <-results
			if r.err != nil {
				t.Error(r.err)
			}
			sum += r.applied
		}
		if sum != 2 {
			t.Errorf("%d applied in all, want 2", sum)
		}
		if n := count64(t, d.Main, "select count(*) from database_identity"); n != 1 {
			t.Errorf("%d identities", n)
		}
	})
}

func TestAChangedMigrationIsRefused(t *testing.T) {
	forEachFresh(t, func(t *testing.T, d *dbtest.Pair) {
		d.Main.UseMigrations(files("0001_a.sql", first))
		migrate(t, d.Main, 1)
		d.Main.UseMigrations(files("0001_a.sql", first+" ", "0002_b.sql", second))
		_, err := d.Main.Migrate(t.Context())
		if fault.KindOf(err) != fault.Conflict || fault.CodeOf(err) != "database_migrations" || !strings.Contains(err.Error(), "0001_a.sql") {
			t.Errorf("got %v", err)
		}
		d.Main.UseMigrations(files("0001_a.sql", first))
		version(t, d.Main, 1, 1)
	})
}

func TestANewerDatabaseIsLeftAlone(t *testing.T) {
	forEachFresh(t, func(t *testing.T, d *dbtest.Pair) {
		d.Main.UseMigrations(files("0001_a.sql", first, "0002_b.sql", second))
		migrate(t, d.Main, 2)
		d.Main.UseMigrations(files("0001_a.sql", first))
		migrate(t, d.Main, 0)
		version(t, d.Main, 2, 1)
	})
}

func TestAFailedMigrationLeavesNothing(t *testing.T) {
	forEachFresh(t, func(t *testing.T, d *dbtest.Pair) {
		d.Main.UseMigrations(files("0001_a.sql", first, "0002_b.sql", "create table b (id bigint); insert into b (id) values (1); insert into nowhere (id) values (1);"))
		applied, err := d.Main.Migrate(t.Context())
		if err == nil || applied != 1 || !strings.Contains(err.Error(), "0002_b.sql") {
			t.Fatalf("%d applied, %v", applied, err)
		}
		version(t, d.Main, 1, 2)
		d.Main.UseMigrations(files("0001_a.sql", first, "0002_b.sql", "create table b (id bigint)"))
		migrate(t, d.Main, 1)
		if n := count64(t, d.Main, "select count(*) from b"); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestMigrationsAreNumberedWithoutGaps(t *testing.T) {
	d := dbtest.Fresh(t, db.SQLite)
	for _, f := range []fstest.MapFS{
		files("0002_a.sql", first),
		files("0001_a.sql", first, "0003_b.sql", second),
		files("0001_a.sql", first, "0001_b.sql", second),
		files("first.sql", first),
		files("0001_a.sql", "-- engine: oracle\n"),
	} {
		d.Main.UseMigrations(f)
		if _, err := d.Main.Migrate(t.Context()); err == nil {
			t.Errorf("%v was taken", f)
		}
	}
}

func TestTheIdentityStaysUntilItIsRenewed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		id := func(d *db.DB) string {
			s, err := d.Identity(t.Context())
			if err != nil || len(s) != 32 {
				t.Fatalf("%q, %v", s, err)
			}
			return s
		}
		before := id(d.Main)
		migrate(t, d.Main, 0)
		if id(d.Open().Main) != before {
			t.Error("it changed")
		}
		if id(d.PersonKeys) == before {
			t.Error("both stores have the same")
		}
		if err := d.Main.RenewIdentity(t.Context()); err != nil {
			t.Fatal(err)
		}
		if id(d.Main) == before {
			t.Error("it stayed")
		}
	})
}
