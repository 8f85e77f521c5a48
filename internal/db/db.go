package db

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"
)

// Engine names the database program behind a DB.
type Engine string

// The engines.
const (
	SQLite     Engine = "sqlite"
	PostgreSQL Engine = "postgresql"
)

// Store names one of the databases a city keeps, each with tables and a
// migration sequence of its own.
type Store string

// The stores. PersonKeys is apart from Main so that backups of the data don't
// hold the keys that open it, and a deleted key is gone from every backup soon.
const (
	Main       Store = "main"        // citycode.db, or the schema that the URL selects
	PersonKeys Store = "person_keys" // person-keys.db, or that schema's name + "_person_keys"
)

// Config says which database to open. The zero Now, MaxConns and Log work.
type Config struct {
	Dir      string // folder of the SQLite files; made if missing, 0700
	URL      string // postgres://…; its search_path selects the schema; "" means SQLite in Dir
	Store    Store  // "" means Main
	Now      func() time.Time
	MaxConns int          // PostgreSQL: connections; SQLite: readers besides the one writer. 0: 16 and 4
	Log      *slog.Logger // nil: discarded
}

// Querier runs statements: in a transaction, or each by itself in Read. It is
// good for the goroutine that was given it and until the function returns.
//
// Placeholders are $1, $2, …. Arguments are strings, integers that fit 64
// signed bits, booleans, []byte and nil (a nil pointer or nil []byte is NULL),
// and types and pointers built on those; on PostgreSQL slices of them too, for
// unnest($1::bigint[]). A string with a NUL or bad UTF-8 gives fault Invalid
// "bad_text". Rows must be closed before the next statement.
//
// After a statement failed in a transaction everything that follows fails, and
// so does the transaction. No error quotes an argument or a stored value.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (rowsAffected int64, err error)
	Query(ctx context.Context, sql string, args ...any) (Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) Row
}

// Rows is the answer to a query. Close may be called more than once, and Next
// closes at the end; Err is meaningful after either. Scan stores into pointers
// to the types that arguments have; NULL only into a pointer to a pointer, or
// as a nil []byte.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// Row is an answer of at most one row: Scan gives ErrNoRows if there is none.
type Row interface {
	Scan(dest ...any) error
}

// ErrNoRows is what Row.Scan gives when the query had no answer.
var ErrNoRows = errors.New("no rows")

// engine is what the two database programs do differently. Its errors have
// their class.
type engine interface {
	// run gives fn a Querier in the mode; commit and roll-back are its own.
	run(ctx context.Context, m mode, fn func(ctx context.Context, q Querier) error) error
	// lockMigration keeps other migrators out until the transaction q ends, and
	// makes the schema if it is missing.
	lockMigration(ctx context.Context, q Querier) error
	hasTable(ctx context.Context, q Querier, name string) (bool, error)
	// script runs many statements without arguments.
	script(ctx context.Context, q Querier, sql string) error
	backup(ctx context.Context, path string) error
	close() error
}

// mode says what kind of transaction a function runs in.
type mode uint8

const (
	modeRead mode = iota // no transaction
	modeSnapshot
	modeAppend
	modeTx
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	kind       Engine
	store      Store
	engine     engine
	now        func() time.Time
	log        *slog.Logger
	migrations fs.FS // NNNN_name.sql files at its root
}

// connectTimeout bounds the wait for a connection to a server that doesn't
// answer; one that refuses fails at once.
const connectTimeout = 2 * time.Second

// Open connects and checks that the database keeps what it acknowledges; see
// the package comment for what is checked. It doesn't migrate. A database that
// is there but unfit gives fault Invalid "database_unsafe", a URL that can't be
// understood "database_url", a schema that doesn't exist "database_schema".
func Open(ctx context.Context, c Config) (*DB, error) {
	if c.Store == "" {
		c.Store = Main
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	files, err := migrationFiles(c.Store)
	if err != nil {
		return nil, err
	}
	d := &DB{store: c.Store, now: c.Now, log: c.Log, migrations: files}
	if c.URL == "" {
		d.kind = SQLite
		d.engine, err = openSQLite(ctx, c)
	} else {
		d.kind = PostgreSQL
		d.engine, err = openPostgres(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Engine says which database program this is.
func (d *DB) Engine() Engine { return d.kind }

// Close refuses new calls, waits for those under way and ends every connection.
func (d *DB) Close() error { return d.engine.close() }

// Ping asks the database for a sign of life, for at most 2 s.
func (d *DB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return d.Read(ctx, func(ctx context.Context, q Querier) error {
		var one int64
		return q.QueryRow(ctx, "select 1").Scan(&one)
	})
}

// Backup writes a consistent copy of a SQLite database to path, which must not
// exist, while readers and writers go on. The copy has the identity of the
// original: call RenewIdentity when it is put to use. PostgreSQL has pg_dump
// and physical backups for this; the error (fault Invalid "backup_postgresql")
// says so.
func (d *DB) Backup(ctx context.Context, path string) error {
	return d.engine.backup(ctx, path)
}
