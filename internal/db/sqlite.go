package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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
	closing chan struct{}
	close1  func() error
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
	e := &sqliteEngine{
		path: path, pool: pool, closing: make(chan struct{}),
		writer: make(chan *sqliteConn, 1), readers: make(chan *sqliteConn, readers),
	}
	e.close1 = sync.OnceValue(e.shut)
	w, err := e.connectWriter(ctx)
	if err != nil {
		pool.Close()
		return nil, classifySQLite(err)
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

func (e *sqliteEngine) connectWriter(ctx context.Context) (*sqliteConn, error) {
	return e.connect(ctx, "pragma busy_timeout = "+strconv.Itoa(int(writerSlice.Milliseconds())))
}

func (e *sqliteEngine) connectReader(ctx context.Context) (*sqliteConn, error) {
	return e.connect(ctx, "pragma query_only = on")
}

// connect makes a connection, again while others are busy making the file:
// turning on the log needs it alone, and of two that try at once SQLite tells
// one that it is busy without waiting.
func (e *sqliteEngine) connect(ctx context.Context, last string) (*sqliteConn, error) {
	for start := time.Now(); ; {
		c, err := e.connectOnce(ctx, last)
		if err == nil || sqliteCode(err)&0xff != sqlite3.SQLITE_BUSY {
			return c, err
		}
		if time.Since(start) > writerPatience {
			return nil, busy(err, "other processes kept SQLite's file busy for %s", writerPatience)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(rand.N(20 * time.Millisecond)):
		}
	}
}

// connectOnce makes a connection and checks what it really has, because SQLite
// ignores a pragma that it doesn't know or can't follow.
func (e *sqliteEngine) connectOnce(ctx context.Context, last string) (*sqliteConn, error) {
	c, err := e.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err = checkSQLite(ctx, c); err == nil {
		_, err = c.ExecContext(ctx, last)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return newSQLiteConn(c), nil
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

func (e *sqliteEngine) run(ctx context.Context, m mode, fn func(ctx context.Context, q Querier) error) error {
	from, connect := e.readers, e.connectReader
	if m == modeTx || m == modeAppend {
		from, connect = e.writer, e.connectWriter
	}
	c, err := e.take(ctx, from)
	if err != nil {
		return classifySQLite(err)
	}
	defer func() { from <- c }()
	if c == nil {
		if c, err = connect(ctx); err != nil {
			return classifySQLite(err)
		}
	}
	if m == modeRead {
		c.start(false)
		// Also when fn panics: the connection goes back without open rows.
		defer c.finish(nil)
		return fn(ctx, c)
	}
	return classifySQLite(c.transact(ctx, m == modeSnapshot, fn))
}

// take waits for a connection to be free.
func (e *sqliteEngine) take(ctx context.Context, from chan *sqliteConn) (*sqliteConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-e.closing:
		return nil, errClosed
	default:
	}
	select {
	case c := <-from:
		return c, nil
	case <-e.closing:
		return nil, errClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a database connection: %w", ctx.Err())
	}
}

func (c *sqliteConn) transact(ctx context.Context, snapshot bool, fn func(ctx context.Context, q Querier) error) error {
	if err := c.begin(ctx, snapshot); err != nil {
		return err
	}
	committed := false
	defer func() {
		c.finish(nil) // again when fn panicked
		if !committed {
			c.control("rollback")
		}
	}()
	c.start(true)
	if err := c.finish(fn(ctx, c)); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.control("commit"); err != nil {
		if sqliteCode(err)&0xff == sqlite3.SQLITE_IOERR {
			// The log may hold the commit though it couldn't be synced, and
			// a restart may bring it back.
			return unclear(err)
		}
		return err
	}
	committed = true
	return nil
}

func (e *sqliteEngine) close() error { return e.close1() }

func (e *sqliteEngine) shut() error {
	close(e.closing)
	var errs []error
	for range cap(e.readers) {
		if c := <-e.readers; c != nil {
			errs = append(errs, c.close())
		}
	}
	// The writer last: it writes the log back into the file.
	if c := <-e.writer; c != nil {
		errs = append(errs, c.close())
	}
	return errors.Join(append(errs, e.pool.Close())...)
}

func (e *sqliteEngine) lockMigration(context.Context, Querier) error { return nil } // its transaction is the lock

func (e *sqliteEngine) hasTable(ctx context.Context, q Querier, name string) (bool, error) {
	var n int64
	err := q.QueryRow(ctx, "select count(*) from sqlite_schema where type = 'table' and name = $1", name).Scan(&n)
	return n > 0, err
}

func (e *sqliteEngine) script(ctx context.Context, q Querier, text string) error {
	c := q.(*sqliteConn)
	if _, err := c.admit(nil); err != nil {
		return err
	}
	_, err := c.conn.ExecContext(ctx, text)
	return c.fail(err)
}

// sqliteCode is the extended result code in err's chain, or 0.
func sqliteCode(err error) int {
	if s, ok := errors.AsType[*sqlite.Error](err); ok {
		return s.Code()
	}
	return 0
}

// classifySQLite gives an error its class. SQLite's texts name tables and
// columns, never values.
func classifySQLite(err error) error {
	if err, over := settledOrOver(err); over {
		return err
	}
	code := sqliteCode(err)
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return &classed{errUnique, err}
	case sqlite3.SQLITE_READONLY: // a write where only reading is allowed: a mistake in the program
		return err
	}
	switch code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return &classed{errRetry, err}
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM:
		return unavailable(err, "SQLite can't use its file")
	}
	return err
}

// scanPlace finds in database/sql's text which column didn't fit; the rest of
// that text quotes the value.
func scanPlace(err error) string {
	var column int
	if _, scanned := fmt.Sscanf(err.Error(), "sql: Scan error on column index %d", &column); scanned == nil {
		return fmt.Sprintf(": column %d", column)
	}
	return ""
}
