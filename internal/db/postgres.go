package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/citycode/citycode/internal/fault"
)

// commitPatience bounds a commit, which doesn't stop when its caller goes away:
// an answer in time is worth more than the outcome not being known.
const commitPatience = 10 * time.Second

// postgresEngine is one schema of a PostgreSQL database.
type postgresEngine struct {
	pool   *postgresPool
	schema string
}

func openPostgres(ctx context.Context, c Config) (*postgresEngine, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		// Not the error itself: it quotes the URL with its password.
		return nil, fault.New(fault.Invalid, "database_url", "the database URL must look like postgres://user@host/database")
	}
	cc, err := pgx.ParseConfig(c.URL)
	if err != nil {
		return nil, fault.New(fault.Invalid, "database_url", "the database URL has a part that can't be understood")
	}
	cc.ConnectTimeout = connectTimeout
	cc.DialFunc = (&net.Dialer{
		Timeout:         connectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 2 * time.Second, Interval: time.Second, Count: 3},
	}).DialContext
	cc.OnNotice = noteWarning
	if cc.RuntimeParams["application_name"] == "" {
		cc.RuntimeParams["application_name"] = "citycode"
	}
	e := &postgresEngine{}
	first, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return nil, e.classify(err)
	}
	defer first.Close(context.WithoutCancel(ctx))
	if err := checkPostgres(ctx, first); err != nil {
		return nil, e.classify(err)
	}
	var schema *string
	if err := first.QueryRow(ctx, "select current_schema()").Scan(&schema); err != nil {
		return nil, e.classify(err)
	}
	if schema == nil {
		return nil, fault.New(fault.Invalid, "database_schema", "the schema in search_path doesn't exist, or this user may not use it")
	}
	e.schema = *schema
	if c.Store == PersonKeys {
		e.schema += "_person_keys"
	}
	cc.RuntimeParams["search_path"] = pgx.Identifier{e.schema}.Sanitize()
	size := c.MaxConns
	if size <= 0 {
		size = 16
	}
	e.pool = newPostgresPool(cc, size)
	return e, nil
}

// checkPostgres refuses a server that acknowledges what it may lose, or that
// orders text otherwise than SQLite does.
func checkPostgres(ctx context.Context, c *pgx.Conn) error {
	var version int64
	var fsync, fullPageWrites, synchronousCommit, encoding, collate, provider, locale string
	err := c.QueryRow(ctx, `
		select current_setting('server_version_num')::bigint, current_setting('fsync'), current_setting('full_page_writes'),
			current_setting('synchronous_commit'), current_setting('server_encoding'), d.datcollate, d.datlocprovider::text,
			coalesce(to_jsonb(d)->>'datlocale', '')
		from pg_database d where d.datname = current_database()`).
		Scan(&version, &fsync, &fullPageWrites, &synchronousCommit, &encoding, &collate, &provider, &locale)
	if err != nil {
		return fmt.Errorf("asking the server for its settings: %w", err)
	}
	unsafe := func(format string, args ...any) error {
		return fault.New(fault.Invalid, "database_unsafe", format, args...)
	}
	switch {
	case version < 150000:
		return unsafe("PostgreSQL %d is older than 15", version/10000)
	case fsync != "on":
		return unsafe("PostgreSQL has fsync %s: a crash would lose what was acknowledged", fsync)
	case fullPageWrites != "on":
		return unsafe("PostgreSQL has full_page_writes %s: a crash would tear pages", fullPageWrites)
	case synchronousCommit != "on" && synchronousCommit != "remote_apply":
		return unsafe("PostgreSQL has synchronous_commit %s: a crash would lose what was acknowledged; set it to on", synchronousCommit)
	case encoding != "UTF8":
		return unsafe("the database has encoding %s, not UTF8", encoding)
	case provider == "c" && collate != "C" && collate != "POSIX",
		provider == "b" && locale != "C" && locale != "C.UTF-8",
		provider != "c" && provider != "b":
		return unsafe("the database has collation %s (provider %s), not C: make it with create database … template template0 lc_collate 'C' lc_ctype 'C'", collate, provider)
	}
	return nil
}

func (e *postgresEngine) run(ctx context.Context, m mode, fn func(ctx context.Context, q Querier) error) error {
	c, begun, err := e.begin(ctx, m)
	if err != nil {
		return err
	}
	q := &postgresConn{conn: c.Conn, usable: true}
	finished := false
	defer func() {
		if begun && !finished {
			q.rollback()
		}
		e.pool.release(c)
	}()
	err = fn(ctx, q)
	q.endUse()
	if err != nil || !begun {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	finished = true
	if m == modeSnapshot {
		q.rollback()
		return nil
	}
	return q.commit(ctx)
}

var beginText = map[mode]string{
	modeSnapshot: "begin isolation level repeatable read read only",
	modeAppend:   "begin isolation level read committed read write",
	modeTx:       "begin isolation level serializable read write",
}

// begin takes a connection and starts what the mode asks for. A connection
// that died in the pool is found here and replaced: nothing was done on it.
func (e *postgresEngine) begin(ctx context.Context, m mode) (c *pooled, begun bool, err error) {
	for {
		if c, err = e.pool.acquire(ctx); err != nil {
			return nil, false, err
		}
		text, ok := beginText[m]
		if !ok {
			return c, false, nil
		}
		if _, err = c.Exec(ctx, text); err == nil {
			return c, true, nil
		}
		dead := c.IsClosed() && !c.fresh
		e.pool.release(c)
		if !dead || ctx.Err() != nil {
			return nil, false, err
		}
		e.pool.reset()
	}
}

func (e *postgresEngine) ping(ctx context.Context) error {
	return e.run(ctx, modeRead, func(ctx context.Context, q Querier) error {
		_, err := q.Exec(ctx, "select 1")
		return err
	})
}

func (e *postgresEngine) close() error {
	e.pool.close()
	return nil
}

func (e *postgresEngine) lockMigration(ctx context.Context, q Querier) error {
	if _, err := q.Exec(ctx, "select pg_advisory_xact_lock(hashtext('citycode migration'), hashtext($1))", e.schema); err != nil {
		return err
	}
	_, err := q.Exec(ctx, "create schema if not exists "+pgx.Identifier{e.schema}.Sanitize())
	return err
}

func (e *postgresEngine) hasTable(ctx context.Context, q Querier, name string) (bool, error) {
	var n int64
	err := q.QueryRow(ctx, "select count(*) from pg_tables where schemaname = $1 and tablename = $2", e.schema, name).Scan(&n)
	return n > 0, err
}

func (e *postgresEngine) script(ctx context.Context, q Querier, text string) error {
	_, err := q.(*postgresConn).conn.Exec(ctx, text) // without arguments: the simple protocol, which takes many statements
	return err
}

func (e *postgresEngine) backup(context.Context, string) error {
	return fault.New(fault.Invalid, "backup_postgresql",
		"back up PostgreSQL with its own tools: pg_dump --format=custom --schema=%s for this store, or pg_basebackup with an archive of the write-ahead log", e.schema)
}

// secretText finds a password in a driver's text, which shouldn't hold one.
var secretText = regexp.MustCompile(`(?i)(postgres(?:ql)?://[^\s/@]*:)[^\s@]*@|(password=)\S+`)

func (e *postgresEngine) classify(err error) error {
	if err == nil || fault.KindOf(err) != fault.Internal || errors.Is(err, context.Canceled) {
		return err
	}
	if s, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch code := s.Code; {
		case code == "23505":
			return &classed{errUnique, err}
		case code == "40001" || code == "40P01" || code == "0A000" && strings.Contains(s.Routine, "RevalidateCachedQuery"):
			return &classed{errRetry, err}
		case strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "58") ||
			code == "57P01" || code == "57P02" || code == "57P03" || code == "57P05" || code == "25006" || code == "28000" || code == "28P01" || code == "3D000":
			return unavailable(err, "PostgreSQL can't serve now")
		}
		return err
	}
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &connect), errors.As(err, &network), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, pgconn.ErrConnClosed), pgconn.SafeToRetry(err):
		return unavailable(err, "PostgreSQL can't be reached")
	}
	return err
}
