package db

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgresConn is a connection lent to one function.
type postgresConn struct {
	conn   *pgx.Conn
	usable bool
	open   *postgresRows
}

func (c *postgresConn) endUse() {
	c.usable = false
	if c.open != nil {
		c.open.Close()
	}
}

func (c *postgresConn) check(args []any) ([]any, error) {
	if !c.usable {
		return nil, errAfterUse
	}
	if c.open != nil {
		return nil, errOpenRows
	}
	return arguments(args, true)
}

// Exec implements Querier.
func (c *postgresConn) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	args, err := c.check(args)
	if err != nil {
		return 0, err
	}
	tag, err := c.conn.Exec(ctx, text, args...)
	return tag.RowsAffected(), err
}

// Query implements Querier.
func (c *postgresConn) Query(ctx context.Context, text string, args ...any) (Rows, error) {
	args, err := c.check(args)
	if err != nil {
		return nil, err
	}
	r, err := c.conn.Query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	c.open = &postgresRows{r, c}
	return c.open, nil
}

// QueryRow implements Querier.
func (c *postgresConn) QueryRow(ctx context.Context, text string, args ...any) Row {
	r, err := c.Query(ctx, text, args...)
	return oneRow{r, err}
}

type postgresRows struct {
	pgx.Rows
	conn *postgresConn
}

func (r *postgresRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *postgresRows) Close() {
	r.Rows.Close()
	if r.conn.open == r {
		r.conn.open = nil
	}
}

func (c *postgresConn) rollback() {
	if c.conn.IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	if _, err := c.conn.Exec(ctx, "rollback"); err != nil {
		c.conn.Close(ctx)
	}
}

// warned is where noteWarning leaves what the server said; it hangs on the
// connection, whose commit looks at it.
type warned struct{ text atomic.Pointer[string] }

const warnedKey = "citycode warning"

// noteWarning keeps a warning for the commit under way. A server that gave up
// waiting for its standby says so in a warning, in the language it is set to;
// no other warning comes from a commit.
func noteWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized != "WARNING" {
		return
	}
	if w, ok := c.CustomData()[warnedKey].(*warned); ok {
		w.text.Store(&n.Message)
	}
}

func (c *postgresConn) commit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitPatience)
	defer cancel()
	w := &warned{}
	c.conn.PgConn().CustomData()[warnedKey] = w
	tag, err := c.conn.Exec(ctx, "commit")
	delete(c.conn.PgConn().CustomData(), warnedKey)
	if text := w.text.Load(); text != nil {
		return unclear(fmt.Errorf("the server warned while committing: %s", *text))
	}
	if err == nil {
		if tag.String() == "ROLLBACK" { // an earlier statement failed and fn ignored it
			return errors.New("commit: the transaction had failed before")
		}
		return nil
	}
	if s, ok := errors.AsType[*pgconn.PgError](err); ok && settled(s.Code) {
		return err
	}
	if pgconn.SafeToRetry(err) {
		return err
	}
	return unclear(err)
}

// settled says whether an error of this SQLSTATE, answered to a commit, means
// that nothing was committed. A server that shuts down or lost its connection
// (57P…, 08…, 40003) says nothing about that.
func settled(code string) bool {
	switch code[:2] {
	case "57", "08", "58", "XX":
		return false
	}
	return code != "40003"
}
