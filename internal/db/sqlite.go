package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/citycode/citycode/internal/fault"
)

// Versions before this can lose a commit when a writer resets the write-ahead
// log while another connection checkpoints it.
const oldestSQLite = "3.51.3"

// writerPatience bounds the wait for the one write lock, which a command run
// beside the server may hold. SQLite's own busy handler doesn't notice a
// cancelled context, so it is asked for writerSlice at a time.
const (
	writerPatience = 10 * time.Second
	writerSlice    = 100 * time.Millisecond
)

var sqliteFiles = map[Store]string{Main: "citycode.db", PersonKeys: "person-keys.db"}

// sqliteEngine is one file: a writer, and readers that see what is committed.
type sqliteEngine struct {
	path    string
	pool    *sql.DB
	writer  chan *sqliteConn // holds the one writer while nobody uses it
	readers chan *sqliteConn // nil entries are connections not yet made
}

func openSQLite(ctx context.Context, c Config) (*sqliteEngine, error) {
	name, ok := sqliteFiles[c.Store]
	if !ok {
		return nil, fmt.Errorf("no store %q", c.Store)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	path, err := filepath.Abs(filepath.Join(c.Dir, name))
	if err != nil {
		return nil, err
	}
	// Made here because SQLite would make it readable for everybody.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the database file: %w", err)
	}
	file.Close()

	pool, err := sql.Open("sqlite", sqliteDSN(path))
	if err != nil {
		return nil, err
	}
	readers := c.MaxConns
	if readers <= 0 {
		readers = 4
	}
	e := &sqliteEngine{path: path, pool: pool, writer: make(chan *sqliteConn, 1), readers: make(chan *sqliteConn, readers)}
	w, err := e.connect(ctx, false)
	if err != nil {
		pool.Close()
		return nil, e.classify(err)
	}
	e.writer <- w
	for range readers {
		e.readers <- nil
	}
	return e, nil
}

func sqliteDSN(path string) string {
	q := url.Values{"_pragma": {
		"busy_timeout(" + strconv.Itoa(int(writerPatience.Milliseconds())) + ")",
		"journal_mode(wal)",
		"synchronous(full)",
		"secure_delete(on)",
		"foreign_keys(on)",
		"journal_size_limit(67108864)", // after a burst the log shrinks to 64 MiB
		"cache_size(-16384)",           // KiB for each connection
	}}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}

// connect makes a connection and checks what it really has, because SQLite
// ignores a pragma that it doesn't know or can't follow.
func (e *sqliteEngine) connect(ctx context.Context, reader bool) (*sqliteConn, error) {
	c, err := e.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkSQLite(ctx, c); err != nil {
		c.Close()
		return nil, err
	}
	last := "pragma busy_timeout = " + strconv.Itoa(int(writerSlice.Milliseconds()))
	if reader {
		last = "pragma query_only = on"
	}
	if _, err := c.ExecContext(ctx, last); err != nil {
		c.Close()
		return nil, err
	}
	return &sqliteConn{conn: c, cached: map[string]*sql.Stmt{}}, nil
}

func checkSQLite(ctx context.Context, c *sql.Conn) error {
	for _, check := range []struct{ what, query, want string }{
		{"journal_mode", "pragma journal_mode", "wal"},
		{"synchronous", "pragma synchronous", "2"},
		{"secure_delete", "pragma secure_delete", "1"},
		{"foreign_keys", "pragma foreign_keys", "1"},
		{"encoding", "pragma encoding", "UTF-8"},
	} {
		var have string
		if err := c.QueryRowContext(ctx, check.query).Scan(&have); err != nil {
			return fmt.Errorf("asking for %s: %w", check.what, err)
		}
		if have != check.want {
			return fault.New(fault.Invalid, "database_unsafe", "SQLite has %s %s, not %s", check.what, have, check.want)
		}
	}
	var version string
	if err := c.QueryRowContext(ctx, "select sqlite_version()").Scan(&version); err != nil {
		return err
	}
	if !versionAtLeast(version, oldestSQLite) {
		return fault.New(fault.Invalid, "database_unsafe", "SQLite %s is older than %s", version, oldestSQLite)
	}
	return nil
}

// versionAtLeast compares dotted numbers.
func versionAtLeast(have, want string) bool {
	h, w := strings.Split(have, "."), strings.Split(want, ".")
	for i := range w {
		var a, b int
		if i < len(h) {
			a, _ = strconv.Atoi(h[i])
		}
		b, _ = strconv.Atoi(w[i])
		if a != b {
			return a > b
		}
	}
	return true
}

func (e *sqliteEngine) run(ctx context.Context, m mode, fn func(ctx context.Context, q Querier) error) (err error) {
	if m == modeTx || m == modeAppend {
		c, err := take(ctx, e.writer)
		if err != nil {
			return err
		}
		defer func() { e.writer <- c }()
		return e.transact(ctx, c, "begin immediate", fn)
	}
	c, err := take(ctx, e.readers)
	if err != nil {
		return err
	}
	defer func() { e.readers <- c }()
	if c == nil {
		if c, err = e.connect(ctx, true); err != nil {
			return err
		}
	}
	if m == modeSnapshot {
		return e.transact(ctx, c, "begin", fn)
	}
	c.inUse()
	defer c.endUse()
	return fn(ctx, c)
}

// take waits for a connection to be free.
func take(ctx context.Context, from chan *sqliteConn) (*sqliteConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case c := <-from:
		return c, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a database connection: %w", ctx.Err())
	}
}

func (e *sqliteEngine) transact(ctx context.Context, c *sqliteConn, begin string, fn func(ctx context.Context, q Querier) error) error {
	if err := c.begin(ctx, begin); err != nil {
		return err
	}
	done := false
	// Also when fn panics: the connection goes back to the pool.
	defer func() {
		if !done {
			c.control("rollback")
		}
	}()
	c.inUse()
	err := fn(ctx, c)
	c.endUse()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	if err := c.control("commit"); err != nil {
		// The log may hold the commit though it couldn't be synced: a restart
		// may bring it back.
		if code := sqliteCode(err); code&0xff == sqlite3.SQLITE_IOERR {
			return unclear(err)
		}
		return err
	}
	done = true
	return nil
}

func (e *sqliteEngine) ping(ctx context.Context) error {
	return e.run(ctx, modeRead, func(ctx context.Context, q Querier) error {
		var one int64
		return q.QueryRow(ctx, "select 1").Scan(&one)
	})
}

func (e *sqliteEngine) close() error {
	var errs []error
	for range cap(e.readers) {
		if c := <-e.readers; c != nil {
			errs = append(errs, c.close())
		}
	}
	c := <-e.writer
	errs = append(errs, c.close())
	return errors.Join(append(errs, e.pool.Close())...)
}

// sqliteCode is the extended result code in err's chain, or 0.
func sqliteCode(err error) int {
	if s, ok := errors.AsType[*sqlite.Error](err); ok {
		return s.Code()
	}
	return 0
}

func (e *sqliteEngine) classify(err error) error {
	if err == nil {
		return nil
	}
	switch code := sqliteCode(err); {
	case code == 0 || fault.KindOf(err) != fault.Internal:
		return err
	case code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || code == sqlite3.SQLITE_CONSTRAINT_ROWID:
		return &classed{errUnique, err}
	case code&0xff == sqlite3.SQLITE_BUSY || code&0xff == sqlite3.SQLITE_LOCKED:
		return &classed{errRetry, err}
	case code&0xff == sqlite3.SQLITE_FULL || code&0xff == sqlite3.SQLITE_IOERR || code&0xff == sqlite3.SQLITE_CANTOPEN || code&0xff == sqlite3.SQLITE_READONLY && code != sqlite3.SQLITE_READONLY:
		return unavailable(err, "SQLite can't use its file")
	}
	return err
}

func (e *sqliteEngine) lockMigration(context.Context, Querier) error { return nil } // its transaction is the lock

func (e *sqliteEngine) hasTable(ctx context.Context, q Querier, name string) (bool, error) {
	var n int64
	err := q.QueryRow(ctx, "select count(*) from sqlite_schema where type = 'table' and name = $1", name).Scan(&n)
	return n > 0, err
}

func (e *sqliteEngine) script(ctx context.Context, q Querier, text string) error {
	_, err := q.(*sqliteConn).conn.ExecContext(ctx, text)
	return err
}
