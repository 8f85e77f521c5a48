package fault

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
)

// place is where a city's data lies: a folder, and on PostgreSQL a schema.
type place struct {
	engine   db.Engine
	dir, url string
}

// each runs f on both engines, each time in an empty place.
func each(t *testing.T, f func(*testing.T, place)) {
	t.Helper()
	t.Parallel()
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			f(t, empty(t, engine))
		})
	}
}

func empty(t *testing.T, engine db.Engine) place {
	t.Helper()
	p := place{engine: engine, dir: filepath.Join(t.TempDir(), "data")}
	if engine == db.PostgreSQL {
		p.url = dbtest.Fresh(t, engine).URL
	}
	return p
}

// beside is another folder on the same database, with a copy of the key file if
// there is one; on SQLite it is the same folder.
func (p place) beside(t *testing.T) place {
	t.Helper()
	if p.engine == db.SQLite {
		return p
	}
	other := place{engine: p.engine, dir: filepath.Join(t.TempDir(), "data"), url: p.url}
	if _, err := os.Stat(p.keyFile()); err == nil {
		copyKey(t, p, other)
	}
	return other
}

func copyKey(t *testing.T, from, to place) {
	t.Helper()
	text, err := os.ReadFile(from.keyFile())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(to.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to.keyFile(), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p place) keyFile() string { return filepath.Join(p.dir, "citycode.key") }

// at puts the flags that say where the data lies after the words.
func (p place) at(words ...string) []string {
	words = append(words, "--data", p.dir)
	if p.url != "" {
		words = append(words, "--database", p.url)
	}
	return words
}

func (p place) demo(more ...string) []string {
	return append(p.at("demo", "--listen", "127.0.0.1:0"), more...)
}

func (p place) serve(more ...string) []string {
	return append(p.at("serve", "--listen", "127.0.0.1:0"), more...)
}

// auditHolds runs audit verify, which must find nothing.
func (p place) auditHolds(t *testing.T) {
	t.Helper()
	succeed(t, p.at("audit", "verify")...)
}

// open opens the database beside whoever has it open.
func (p place) open(t *testing.T) *dbtest.Pair {
	t.Helper()
	if p.url != "" {
		return dbtest.OpenAt(t, "", p.url)
	}
	return dbtest.OpenAt(t, p.dir, "")
}

// ask runs a query whose answer is one row of numbers.
func ask(t *testing.T, d *db.DB, sql string, to ...any) {
	t.Helper()
	err := d.Read(t.Context(), func(ctx context.Context, q db.Querier) error { return q.QueryRow(ctx, sql).Scan(to...) })
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func count(t *testing.T, d *db.DB, table string) (n int64) {
	t.Helper()
	ask(t, d, "select count(*) from "+table, &n)
	return n
}

// change runs statements in one transaction, as an intruder would.
func change(t *testing.T, d *db.DB, statements ...string) {
	t.Helper()
	err := d.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
		for _, s := range statements {
			if _, err := q.Exec(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// set changes a setting of a private PostgreSQL for all connections to come.
func set(t *testing.T, url, name, value string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for _, sql := range []string{"alter system set " + name + " = " + value, "select pg_reload_conf()"} {
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	until(t, name+" "+value, func() bool {
		fresh, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer fresh.Close(t.Context())
		var have string
		if err := fresh.QueryRow(t.Context(), "select current_setting('"+name+"')").Scan(&have); err != nil {
			t.Fatal(err)
		}
		return have == value
	})
}
