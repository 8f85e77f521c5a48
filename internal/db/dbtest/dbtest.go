package dbtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/citycode/citycode/internal/db"
)

// Pair is the two stores of one fresh city.
type Pair struct {
	Main, PersonKeys *db.DB
	Dir              string       // SQLite: the folder of both files; else ""
	URL              string       // PostgreSQL: with the schema; else ""
	Open             func() *Pair // further handles on the same databases, as another process has
}

// Each runs f as the subtests "sqlite" and "postgresql", each on a database of
// its own that is gone afterwards.
func Each(t *testing.T, f func(t *testing.T, d *Pair)) {
	t.Helper()
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) { f(t, Open(t, engine)) })
	}
}

// Open gives a fresh, migrated pair on one engine, closed and deleted when the
// test ends.
func Open(t testing.TB, engine db.Engine) *Pair {
	t.Helper()
	p := Fresh(t, engine)
	for _, d := range []*db.DB{p.Main, p.PersonKeys} {
		if _, err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// Fresh is Open without the migrations.
func Fresh(t testing.TB, engine db.Engine) *Pair {
	t.Helper()
	if engine == db.SQLite {
		return OpenAt(t, t.TempDir(), "")
	}
	return OpenAt(t, "", Schema(t, sharedURL(t)))
}

// OpenAt opens both stores of a city, without migrating, and closes them when
// the test ends.
func OpenAt(t testing.TB, dir, databaseURL string) *Pair {
	t.Helper()
	p := &Pair{Dir: dir, URL: databaseURL}
	p.Open = func() *Pair { return OpenAt(t, dir, databaseURL) }
	for store, to := range map[db.Store]**db.DB{db.Main: &p.Main, db.PersonKeys: &p.PersonKeys} {
		d, err := db.Open(t.Context(), db.Config{Dir: dir, URL: databaseURL, Store: store, MaxConns: 8})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		*to = d
	}
	return p
}

// Schema makes an empty schema on the server of the URL and gives a URL that
// selects it; it and its person keys are dropped when the test ends.
func Schema(t testing.TB, server string) string {
	t.Helper()
	b := make([]byte, 8)
	rand.Read(b)
	name := "test_" + hex.EncodeToString(b)
	admin(t, server, "create schema "+name)
	t.Cleanup(func() {
		admin(t, server, "drop schema if exists "+name+" cascade; drop schema if exists "+name+"_person_keys cascade")
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("CITYCODE_TEST_POSTGRES isn't a URL")
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

func admin(t testing.TB, server, text string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	c, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, text); err != nil {
		t.Fatal(err)
	}
}

// shared is the cluster that the tests of this process use together. It can't
// be handed down from anywhere: go test gives packages no place for it. The
// Postgres itself is kept, not only its URL: once it were garbage its pipe
// would close, and the watchdog would take that for the end of this process.
var shared = sync.OnceValues(func() (*Postgres, error) {
	if server := os.Getenv("CITYCODE_TEST_POSTGRES"); server != "" {
		return &Postgres{URL: server}, nil
	}
	return NewPostgres() // ends with the process, by its watchdog
})

func sharedURL(t testing.TB) string {
	t.Helper()
	p, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return p.URL
}
