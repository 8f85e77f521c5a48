package db

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The pool's times. A connection is asked for a sign of life when it lay idle
// for idleTrust, since the server may have gone (0.05 ms against a call that
// fails); it is given up after lastIdle or, pgxpool's default, an hour. After
// an attempt to connect failed, others fail with it for connectPause instead of
// each waiting for a server that isn't there.
const (
	idleTrust    = 50 * time.Millisecond
	lastIdle     = 5 * time.Minute
	connectPause = 200 * time.Millisecond
)

// errPaused is the class of an attempt to connect that wasn't made.
var errPaused = errors.New("an attempt to connect has just failed")

// postgresPool is pgxpool's, made to fail fast when the server is gone. All its
// connections were checked when made.
type postgresPool struct {
	pool   *pgxpool.Pool
	closed atomic.Bool

	mu      sync.Mutex
	failed  error     // of the last attempt to connect
	retryAt time.Time // until then, failed is the answer
}

func newPostgresPool(ctx context.Context, config *pgxpool.Config, size int) (*postgresPool, error) {
	p := &postgresPool{}
	config.MaxConns = int32(size)
	config.MaxConnIdleTime = lastIdle
	config.BeforeConnect = p.pause
	config.AfterConnect = p.check
	config.ShouldPing = rested
	var err error
	p.pool, err = pgxpool.NewWithConfig(ctx, config)
	return p, err
}

// acquire lends a connection that answered within idleTrust, or a new one. A
// new one that its caller didn't wait for is made nevertheless, for the next.
func (p *postgresPool) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	for {
		c, err := p.pool.Acquire(ctx)
		switch {
		case ctx.Err() != nil && err != nil:
			return nil, fmt.Errorf("waiting for a database connection: %w", ctx.Err())
		case err != nil && p.closed.Load():
			return nil, errClosed
		case err != nil:
			if !errors.Is(err, errPaused) {
				p.note(err)
			}
			return nil, err
		case c.Conn().PgConn().CustomData()[restedKey] == false || answers(ctx, c.Conn()):
			return c, nil
		}
		discard(c.Conn())
		p.release(ctx, c)
		if ctx.Err() == nil {
			p.reset()
		}
	}
}

// release takes a connection back; pgxpool ends it if it is in a transaction.
// ctx is the one that its statements ran under.
func (p *postgresPool) release(ctx context.Context, c *pgxpool.Conn) {
	if ctx.Err() != nil { // a late request to cancel mustn't hit the next statement
		discard(c.Conn())
	}
	if c.Conn().IsClosed() {
		// pgxpool would keep its place until a server that may be gone has
		// heard of it, for up to 15 s.
		c.Hijack()
		return
	}
	c.Release()
}

// rested is pgxpool's ShouldPing and leaves a note instead: pgxpool would ping
// all idle connections of a server that is gone, each for the whole timeout.
func rested(_ context.Context, idle pgxpool.ShouldPingParams) bool {
	idle.Conn.PgConn().CustomData()[restedKey] = idle.IdleDuration >= idleTrust
	return false
}

const restedKey = "citycode rested"

// answers asks for a sign of life.
func answers(ctx context.Context, c *pgx.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return c.Ping(ctx) == nil
}

// pause is pgxpool's BeforeConnect.
func (p *postgresPool) pause(context.Context, *pgx.ConnConfig) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil && time.Now().Before(p.retryAt) {
		return &classed{errPaused, p.failed}
	}
	return nil
}

// note remembers how an attempt to connect ended.
func (p *postgresPool) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed, p.retryAt = err, time.Now().Add(connectPause)
}

// check is pgxpool's AfterConnect: after a failover it may be another server.
func (p *postgresPool) check(ctx context.Context, c *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	err := checkPostgres(ctx, c)
	if err == nil {
		p.note(nil)
	}
	return err
}

// reset forgets the connections made before, also the lent ones when they come
// back: where one is dead, the others are no better.
func (p *postgresPool) reset() { p.pool.Reset() }

// close refuses new loans, waits for those under way and ends all connections.
func (p *postgresPool) close() {
	p.closed.Store(true)
	p.pool.Close()
}

// discard closes with a bound, since closing says goodbye to the server.
func discard(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.Close(ctx)
}
