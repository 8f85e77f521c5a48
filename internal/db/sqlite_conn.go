package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// maxCached bounds the prepared statements of a connection. The program has
// fewer texts than that, but multi-row inserts have one for each batch size.
const maxCached = 256

// sqliteConn is one connection with its prepared statements. As a Querier it
// is used by one goroutine at a time.
type sqliteConn struct {
	conn   *sql.Conn
	cached map[string]*sql.Stmt
	usable bool        // a function that was given this Querier is still running
	open   *sqliteRows // not yet closed
}

var (
	errClosed   = errors.New("the database handle is closed")
	errAfterUse = errors.New("a statement after its function returned")
	errOpenRows = errors.New("a statement while the rows of another are open")
)

func (c *sqliteConn) inUse() { c.usable = true }

func (c *sqliteConn) endUse() {
	c.usable = false
	if c.open != nil {
		c.open.Close()
	}
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

// begin waits for the write lock as long as the context and writerPatience allow.
func (c *sqliteConn) begin(ctx context.Context, text string) error {
	for start := time.Now(); ; {
		_, err := c.conn.ExecContext(ctx, text)
		if err == nil {
			break
		}
		if sqliteCode(err)&0xff != sqlite3.SQLITE_BUSY || ctx.Err() != nil || time.Since(start) > writerPatience {
			return err
		}
	}
	if text == "begin" {
		// The snapshot is taken by the first read, so read something.
		var n int64
		if err := c.conn.QueryRowContext(ctx, "select count(*) from sqlite_schema").Scan(&n); err != nil {
			c.control("rollback")
			return err
		}
	}
	return nil
}

func (c *sqliteConn) prepare(ctx context.Context, text string, args []any) (*sql.Stmt, []any, error) {
	if !c.usable {
		return nil, nil, errAfterUse
	}
	if c.open != nil {
		return nil, nil, errOpenRows
	}
	args, err := arguments(args, false)
	if err != nil {
		return nil, nil, err
	}
	s := c.cached[text]
	if s == nil {
		if s, err = c.conn.PrepareContext(ctx, text); err != nil {
			return nil, nil, err
		}
		if len(c.cached) >= maxCached {
			for old, stmt := range c.cached { // any one: the hot ones come back at once
				stmt.Close()
				delete(c.cached, old)
				break
			}
		}
		c.cached[text] = s
	}
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
		return 0, err
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
		return nil, err
	}
	c.open = &sqliteRows{rows: r, conn: c}
	return c.open, nil
}

// QueryRow implements Querier.
func (c *sqliteConn) QueryRow(ctx context.Context, text string, args ...any) Row {
	r, err := c.Query(ctx, text, args...)
	return oneRow{r, err}
}

type sqliteRows struct {
	rows *sql.Rows
	conn *sqliteConn
}

func (r *sqliteRows) Next() bool {
	if r.rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *sqliteRows) Scan(dest ...any) error { return r.rows.Scan(dest...) }
func (r *sqliteRows) Err() error             { return r.rows.Err() }

func (r *sqliteRows) Close() {
	r.rows.Close()
	if r.conn.open == r {
		r.conn.open = nil
	}
}

// oneRow takes the first row of an answer.
type oneRow struct {
	rows Rows
	err  error
}

func (o oneRow) Scan(dest ...any) error {
	if o.err != nil {
		return o.err
	}
	defer o.rows.Close()
	if !o.rows.Next() {
		if err := o.rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	if err := o.rows.Scan(dest...); err != nil {
		return fmt.Errorf("reading a row: %w", err)
	}
	o.rows.Close()
	return o.rows.Err()
}
