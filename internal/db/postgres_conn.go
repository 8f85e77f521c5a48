package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/citycode/citycode/internal/fault"
)

// commitPatience bounds a commit, which doesn't stop when its caller goes away:
// an answer in time is worth more than an outcome that isn't known.
const commitPatience = 10 * time.Second

// cancelPatience is what a cancelled statement has to end by itself.
const cancelPatience = 500 * time.Millisecond

// postgresConn is a connection lent to one function.
type postgresConn struct {
	loan
	conn *pgx.Conn
}

// Exec implements Querier.
func (c *postgresConn) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	args, err := c.admit(args)
	if err != nil {
		return 0, err
	}
	tag, err := c.conn.Exec(ctx, text, args...)
	return tag.RowsAffected(), c.failed(ctx, err)
}

// Query implements Querier.
func (c *postgresConn) Query(ctx context.Context, text string, args ...any) (Rows, error) {
	args, err := c.admit(args)
	if err != nil {
		return nil, err
	}
	r, err := c.conn.Query(ctx, text, args...)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	rows := &postgresRows{ctx: ctx, rows: r, conn: c}
	c.open = rows
	return rows, nil
}

// QueryRow implements Querier.
func (c *postgresConn) QueryRow(ctx context.Context, text string, args ...any) Row {
	r, err := c.Query(ctx, text, args...)
	return oneRow{r, err}
}

// failed is fail for an error that may be the server's word that it was told to
// stop, which says nothing about who went away and why.
func (c *postgresConn) failed(ctx context.Context, err error) error {
	if gone := ctx.Err(); err != nil && gone != nil && !errors.Is(err, gone) {
		err = fmt.Errorf("%w: %w", gone, err)
	}
	return c.fail(err)
}

type postgresRows struct {
	ctx     context.Context // of the query, which the rows are part of
	rows    pgx.Rows
	conn    *postgresConn
	scanned error // pgx gives it again as the error of the rows
	err     error
	closed  bool
}

func (r *postgresRows) Next() bool {
	if r.rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *postgresRows) Scan(dest ...any) error {
	err := r.rows.Scan(dest...)
	if err == nil {
		return nil
	}
	r.scanned = err
	place := ""
	if s, ok := errors.AsType[pgx.ScanArgError](err); ok {
		place = fmt.Sprintf(": column %d", s.ColumnIndex)
	}
	return &quiet{"a column doesn't fit where it is to be stored" + place, err}
}

func (r *postgresRows) Err() error { return r.err }

func (r *postgresRows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	r.rows.Close()
	if r.scanned == nil {
		r.err = r.conn.failed(r.ctx, r.rows.Err())
	}
	r.conn.open = nil
}

// begin's text in each mode. Outside a transaction the connections only read.
var beginText = map[mode]string{
	modeSnapshot: "begin isolation level repeatable read read only",
	modeAppend:   "begin isolation level read committed read write",
	modeTx:       "begin isolation level serializable read write",
}

func (c *postgresConn) transact(ctx context.Context, m mode, fn func(ctx context.Context, q Querier) error) error {
	ended := false
	defer func() {
		c.finish(nil) // again when fn panicked
		if !ended {
			c.rollback()
		}
	}()
	if m == modeSnapshot {
		// PostgreSQL takes the snapshot at the first statement.
		if _, err := c.conn.Exec(ctx, "select 1"); err != nil {
			return err
		}
	}
	c.start(true)
	if err := c.finish(fn(ctx, c)); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil || m == modeSnapshot { // nothing to commit
		return err
	}
	ended = true
	return c.commit(ctx)
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

// warned is where noteWarning leaves what the server said while it committed.
type warned struct{ text atomic.Pointer[string] }

const warnedKey = "citycode warning"

// noteWarning keeps a warning for the commit under way. A server that gave up
// waiting for its standby says so in a warning, in the language it is set to;
// no other warning comes from a commit.
func noteWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if w, ok := c.CustomData()[warnedKey].(*warned); ok && n.SeverityUnlocalized == "WARNING" {
		w.text.Store(&n.Message)
	}
}

func (c *postgresConn) commit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitPatience)
	defer cancel()
	w := &warned{}
	c.conn.PgConn().CustomData()[warnedKey] = w
	closed := c.conn.IsClosed()
	tag, err := c.conn.Exec(ctx, "commit")
	delete(c.conn.PgConn().CustomData(), warnedKey)
	if text := w.text.Load(); text != nil {
		return unclear(fmt.Errorf("the server warned while committing: %s", *text))
	}
	if s, ok := errors.AsType[*pgconn.PgError](err); ok && settles(s.Code) {
		return err
	}
	if err == nil && tag.String() != "COMMIT" {
		return fmt.Errorf("the server answered %s to the commit: a statement had failed", tag)
	}
	// Done, or nothing was sent. A connection that is lost while the commit is on
	// its way is reported as closed too, and as safe to retry (pgx 5.12): only one
	// that was closed before surely sent nothing.
	if err == nil || closed && pgconn.SafeToRetry(err) {
		return err
	}
	return unclear(err)
}

// settles says whether an error of this SQLSTATE, answered to a commit, means
// that nothing was committed. A server that shuts down, broke or lost its
// connection (57, 58, XX, 08, 40003) says nothing about that.
func settles(code string) bool {
	switch code[:2] {
	case "57", "08", "58", "XX":
		return false
	}
	return code != "40003"
}

// classifyPostgres gives an error its class and a text that quotes no value.
func classifyPostgres(err error) error {
	if err, over := settledOrOver(err); over {
		return err
	}
	if s, ok := errors.AsType[*pgconn.PgError](err); ok {
		return classifyState(s, err)
	}
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &connect), errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), errors.Is(err, pgconn.ErrConnClosed):
		return unavailable(err, "PostgreSQL can't be reached")
	case strings.Contains(err.Error(), "encode"): // pgx quotes the argument that it can't encode
		return &quiet{"PostgreSQL's column has another type than the argument", err}
	}
	return err
}

func classifyState(s *pgconn.PgError, err error) error {
	switch s.Code {
	case "23505":
		return &classed{errUnique, err}
	case "40001", "40P01":
		return &classed{errRetry, err}
	case "0A000":
		if strings.Contains(s.Routine, "RevalidateCachedQuery") { // prepared before a migration
			return &classed{errRetry, err}
		}
		return err
	case "57P01", "57P02", "57P03", "57P05", // shutting down, crashed, starting, idle for too long
		"25006",          // became a standby
		"28000", "28P01", // the password or who may connect was changed
		"3D000": // no such database: maybe being restored
		return unavailable(err, "PostgreSQL can't serve now")
	}
	switch s.Code[:2] {
	case "08", "53", "58", "XX": // connection, resources, system, internal
		return unavailable(err, "PostgreSQL can't serve now")
	case "22": // the message quotes the value
		return &quiet{"PostgreSQL refused a value (SQLSTATE " + s.Code + ")", err}
	}
	return err
}

// unsafeServer is what Open says about a server that is there but unfit.
func unsafeServer(format string, args ...any) error {
	return fault.New(fault.Invalid, "database_unsafe", format, args...)
}
