package db

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// maxCached bounds the prepared statements of a connection. The program has
// fewer texts than that, but multi-row inserts have one for each batch size.
const maxCached = 256

// sqliteConn is one connection with its prepared statements.
type sqliteConn struct {
	loan
	conn   *sql.Conn
	cached map[string]*sql.Stmt
}

func newSQLiteConn(c *sql.Conn) *sqliteConn {
	return &sqliteConn{loan: loan{classify: classifySQLite}, conn: c, cached: map[string]*sql.Stmt{}}
}

func (c *sqliteConn) close() error {
	for _, s := range c.cached {
		s.Close()
	}
	return c.conn.Close()
}

// control runs commit or rollback, which a cancelled context must not stop.
func (c *sqliteConn) control(text string) error {
	_, err := c.conn.ExecContext(context.Background(), text)
	return err
}

// begin starts a snapshot, or waits for the write lock as long as the context
// and writerPatience allow.
func (c *sqliteConn) begin(ctx context.Context, snapshot bool) (err error) {
	defer func() {
		if err != nil {
			// When the context ends just after the statement did its work, the
			// driver reports that as an error: the transaction is open, and would
			// stay so for everyone who gets this connection after us.
			c.control("rollback")
		}
	}()
	if snapshot {
		if _, err := c.conn.ExecContext(ctx, "begin"); err != nil {
			return err
		}
		// SQLite takes the snapshot at the first read, so read something.
		var n int64
		return c.conn.QueryRowContext(ctx, "select count(*) from sqlite_schema").Scan(&n)
	}
	for start := time.Now(); ; {
		_, err := c.conn.ExecContext(ctx, "begin immediate")
		if err == nil || sqliteCode(err)&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(start) > writerPatience {
			return busy(err, "another process held SQLite's write lock for %s", writerPatience)
		}
	}
}

func (c *sqliteConn) prepare(ctx context.Context, text string, args []any) (*sql.Stmt, []any, error) {
	args, err := c.admit(args)
	if err != nil {
		return nil, nil, err
	}
	if s := c.cached[text]; s != nil {
		return s, args, nil
	}
	s, err := c.conn.PrepareContext(ctx, unnumbered(text))
	if err != nil {
		return nil, nil, c.fail(err)
	}
	if len(c.cached) >= maxCached {
		for old, stmt := range c.cached { // any one: a hot one is back at once
			stmt.Close()
			delete(c.cached, old)
			break
		}
	}
	c.cached[text] = s
	return s, args, nil
}

// Exec implements Querier.
func (c *sqliteConn) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	s, args, err := c.prepare(ctx, text, args)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, c.fail(err)
	}
	return r.RowsAffected()
}

// Query implements Querier.
func (c *sqliteConn) Query(ctx context.Context, text string, args ...any) (Rows, error) {
	s, args, err := c.prepare(ctx, text, args)
	if err != nil {
		return nil, err
	}
	r, err := s.QueryContext(ctx, args...)
	if err != nil {
		return nil, c.fail(err)
	}
	rows := &sqliteRows{rows: r, conn: c}
	c.open = rows
	return rows, nil
}

// QueryRow implements Querier.
func (c *sqliteConn) QueryRow(ctx context.Context, text string, args ...any) Row {
	r, err := c.Query(ctx, text, args...)
	return oneRow{r, err}
}

type sqliteRows struct {
	rows   *sql.Rows
	conn   *sqliteConn
	err    error
	closed bool
}

func (r *sqliteRows) Next() bool {
	if r.rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *sqliteRows) Scan(dest ...any) error {
	copied := false
	for i, d := range dest {
		if b, ok := d.(*[]byte); ok {
			if !copied { // the slice is the caller's
				dest, copied = slices.Clone(dest), true
			}
			dest[i] = (*bytesInto)(b)
		}
	}
	if err := r.rows.Scan(dest...); err != nil {
		return &quiet{"a column doesn't fit where it is to be stored" + scanPlace(err), err}
	}
	return nil
}

func (r *sqliteRows) Err() error { return r.err }

func (r *sqliteRows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	r.rows.Close()
	r.err = r.conn.fail(r.rows.Err())
	r.conn.open = nil
}

// bytesInto keeps bytes of length 0 apart from NULL, which is nil.
type bytesInto []byte

// Scan implements sql.Scanner.
func (b *bytesInto) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*b = nil
	case []byte:
		*b = append(make([]byte, 0, len(v)), v...)
	case string:
		*b = []byte(v)
	default:
		return fmt.Errorf("a %T isn't bytes", v)
	}
	return nil
}
