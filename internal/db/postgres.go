package db

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/citycode/citycode/internal/fault"
)

// postgresEngine is one schema of a PostgreSQL database.
type postgresEngine struct {
	pool   *postgresPool
	schema string
}

func openPostgres(ctx context.Context, c Config) (*postgresEngine, error) {
	config, err := postgresConfig(c.URL)
	if err != nil {
		return nil, err
	}
	first, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, classifyPostgres(err)
	}
	defer first.Close(context.WithoutCancel(ctx))
	if err := checkPostgres(ctx, first); err != nil {
		return nil, classifyPostgres(err)
	}
	var schema *string
	if err := first.QueryRow(ctx, "select current_schema()").Scan(&schema); err != nil {
		return nil, classifyPostgres(err)
	}
	if schema == nil {
		return nil, fault.New(fault.Invalid, "database_schema", "the schema in search_path doesn't exist, or this user may not use it")
	}
	e := &postgresEngine{schema: *schema}
	if c.Store == PersonKeys {
		e.schema += "_person_keys"
	}
	config.ConnConfig.RuntimeParams["search_path"] = pgx.Identifier{e.schema}.Sanitize()
	size := c.MaxConns
	if size <= 0 {
		size = 16
	}
	if e.pool, err = newPostgresPool(ctx, config, size); err != nil {
		return nil, err
	}
	return e, nil
}

func postgresConfig(text string) (*pgxpool.Config, error) {
	// Never the parsers' own errors: they quote the URL with its password.
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, fault.New(fault.Invalid, "database_url", "the database URL must look like postgres://user@host/database")
	}
	pool, err := pgxpool.ParseConfig(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "database_url", "the database URL has a part that can't be understood")
	}
	config := pool.ConnConfig
	config.ConnectTimeout = connectTimeout
	config.DialFunc = newDialer().dial
	config.OnNotice = noteWarning
	// A caller who goes away takes the statement along: without the request the
	// server would go on with it, and with a commit that waits for a standby.
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: cancelPatience}
	}
	for name, value := range map[string]string{
		"application_name": "citycode",
		// The server, too, finds out that this machine is gone, and frees its locks.
		"tcp_keepalives_idle":     "5",
		"tcp_keepalives_interval": "2",
		"tcp_keepalives_count":    "3",
	} {
		if config.RuntimeParams[name] == "" {
			config.RuntimeParams[name] = value
		}
	}
	return pool, nil
}

// checkPostgres refuses a server that acknowledges what it may lose, or that
// orders text otherwise than SQLite does. It also makes the connection read
// only outside transactions that say otherwise.
func checkPostgres(ctx context.Context, c *pgx.Conn) error {
	var version int64
	var fsync, fullPageWrites, synchronousCommit, encoding, collate, provider, locale, readOnly string
	var standby bool
	err := c.QueryRow(ctx, `
		select current_setting('server_version_num')::bigint, pg_is_in_recovery(), current_setting('fsync'), current_setting('full_page_writes'),
			current_setting('synchronous_commit'), current_setting('server_encoding'), d.datcollate::text, d.datlocprovider::text,
			coalesce(to_jsonb(d)->>'datlocale', ''), set_config('default_transaction_read_only', 'on', false)
		from pg_database d where d.datname = current_database()`).
		Scan(&version, &standby, &fsync, &fullPageWrites, &synchronousCommit, &encoding, &collate, &provider, &locale, &readOnly)
	if err != nil {
		return fmt.Errorf("asking the server for its settings: %w", err)
	}
	switch {
	case version < 150000:
		return unsafeServer("PostgreSQL %d is older than 15", version/10000)
	case standby:
		return unavailable(nil, "this PostgreSQL is a standby: it can't write")
	case fsync != "on":
		return unsafeServer("PostgreSQL has fsync %s: a crash would lose what was acknowledged", fsync)
	case fullPageWrites != "on":
		return unsafeServer("PostgreSQL has full_page_writes %s: a crash would tear pages", fullPageWrites)
	case synchronousCommit != "on" && synchronousCommit != "remote_apply":
		return unsafeServer("PostgreSQL has synchronous_commit %s: a crash would lose what was acknowledged; set it to on", synchronousCommit)
	case encoding != "UTF8":
		return unsafeServer("the database has encoding %s, not UTF8", encoding)
	case !ordersByBytes(provider, collate, locale):
		return unsafeServer("the database has collation %s (provider %s), not C: make it with create database … template template0 lc_collate 'C' lc_ctype 'C'",
			collate+locale, provider)
	}
	return nil
}

// ordersByBytes looks at pg_database: provider "c" is the C library's locales,
// "b" (from 17 on) the server's own, "i" ICU's.
func ordersByBytes(provider, collate, locale string) bool {
	switch provider {
	case "c":
		return collate == "C" || collate == "POSIX"
	case "b":
		return locale == "C" || strings.HasPrefix(locale, "C.")
	}
	return false
}

func (e *postgresEngine) run(ctx context.Context, m mode, fn func(ctx context.Context, q Querier) error) error {
	c, err := e.begin(ctx, m)
	if err != nil {
		return classifyPostgres(err)
	}
	defer e.pool.release(ctx, c)
	q := &postgresConn{loan: loan{classify: classifyPostgres, slices: true}, conn: c.Conn()}
	if m == modeRead {
		q.start(false)
		defer q.finish(nil)
		return fn(ctx, q)
	}
	return classifyPostgres(q.transact(ctx, m, fn))
}

// begin takes a connection and starts what the mode asks for. A connection
// that died in the pool is found here and replaced: nothing was done on it. The
// second is made after that, so its death is an answer.
func (e *postgresEngine) begin(ctx context.Context, m mode) (*pgxpool.Conn, error) {
	for second := false; ; second = true {
		c, err := e.pool.acquire(ctx)
		if err != nil {
			return nil, err
		}
		text, ok := beginText[m]
		if !ok {
			return c, nil
		}
		if _, err = c.Exec(ctx, text); err == nil {
			return c, nil
		}
		died := c.Conn().IsClosed()
		e.pool.release(ctx, c)
		if !died || second || ctx.Err() != nil {
			return nil, err
		}
		e.pool.reset()
	}
}

func (e *postgresEngine) close() error {
	e.pool.close()
	return nil
}

func (e *postgresEngine) lockMigration(ctx context.Context, q Querier) error {
	if _, err := q.Exec(ctx, "select pg_advisory_xact_lock(hashtext('citycode migration'), hashtext($1))", e.schema); err != nil {
		return err
	}
	// Asked first: making it needs a right that its owner may lack.
	var n int64
	if err := q.QueryRow(ctx, "select count(*) from pg_namespace where nspname = $1", e.schema).Scan(&n); err != nil || n > 0 {
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
	_, err := q.Exec(ctx, text) // without arguments: the simple protocol, which takes many statements
	return err
}

func (e *postgresEngine) backup(context.Context, string) error {
	return fault.New(fault.Invalid, "backup_postgresql",
		"back up PostgreSQL with its own tools: pg_dump --format=custom --schema=%s for this store, or pg_basebackup with an archive of the write-ahead log", e.schema)
}
