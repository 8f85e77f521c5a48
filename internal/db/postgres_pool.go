package db

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// The pool's times. A connection is asked for a sign of life when it lay idle
// for idleTrust, since the server may have gone (0.05 ms against a call that
// fails); it is given up after lastIdle or maxAge. After an attempt to
// connect failed, others fail with it for connectPause instead of each waiting
// for a server that isn't there.
const (
	idleTrust    = 50 * time.Millisecond
	lastIdle     = 5 * time.Minute
	maxAge       = time.Hour
	connectPause = 200 * time.Millisecond
)

// postgresPool keeps up to a number of connections, all checked when made.
type postgresPool struct {
	config *pgx.ConnConfig
	places chan struct{} // one element for each connection lent

	mu      sync.Mutex
	idle    []*pooled // the last used at the end, and lent first
	failed  error     // of the last attempt to connect
	retryAt time.Time // until then, failed is the answer
	closed  bool
	closing chan struct{}
	close1  func()
}

type pooled struct {
	*pgx.Conn
	made, used time.Time
	fresh      bool // made for this loan
}

func newPostgresPool(config *pgx.ConnConfig, size int) *postgresPool {
	p := &postgresPool{config: config, places: make(chan struct{}, size), closing: make(chan struct{})}
	p.close1 = sync.OnceFunc(p.shut)
	return p
}

// acquire lends a connection that answered within idleTrust, or a new one.
func (p *postgresPool) acquire(ctx context.Context) (*pooled, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case p.places <- struct{}{}:
	case <-p.closing:
		return nil, errClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a database connection: %w", ctx.Err())
	}
	c, err := p.get(ctx)
	if err != nil {
		<-p.places
		return nil, err
	}
	return c, nil
}

func (p *postgresPool) get(ctx context.Context) (*pooled, error) {
	for {
		c, err := p.pop()
		if err != nil {
			return nil, err
		}
		if c == nil {
			return p.connect(ctx)
		}
		if time.Since(c.used) < idleTrust {
			return c, nil
		}
		if err := p.ping(ctx, c.Conn); err == nil {
			return c, nil
		}
		discard(c)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p.reset() // the others are no better
	}
}

// pop gives the connection used last, or nil.
func (p *postgresPool) pop() (*pooled, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if time.Since(c.made) < maxAge {
			c.fresh = false
			return c, nil
		}
		go discard(c)
	}
	return nil, nil
}

func (p *postgresPool) ping(ctx context.Context, c *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return c.Ping(ctx)
}

func (p *postgresPool) connect(ctx context.Context) (*pooled, error) {
	p.mu.Lock()
	failed, pause := p.failed, time.Until(p.retryAt)
	p.mu.Unlock()
	if failed != nil && pause > 0 {
		return nil, failed
	}
	c, err := pgx.ConnectConfig(ctx, p.config) // which bounds each server's time
	if err == nil {
		// Every connection is checked: after a failover it may be another server.
		bounded, cancel := context.WithTimeout(ctx, connectTimeout)
		if err = checkPostgres(bounded, c); err != nil {
			discard(&pooled{Conn: c})
		}
		cancel()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil { // the server's fault, not the caller's
			p.failed, p.retryAt = err, time.Now().Add(connectPause)
		}
		return nil, err
	}
	p.failed = nil
	now := time.Now()
	return &pooled{Conn: c, made: now, used: now, fresh: true}, nil
}

// release takes a connection back, unless it is dead or in a transaction.
func (p *postgresPool) release(c *pooled) {
	defer func() { <-p.places }()
	if c.IsClosed() || c.PgConn().TxStatus() != 'I' {
		discard(c)
		return
	}
	c.used = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
	if old := p.idle[0]; c.used.Sub(old.used) > lastIdle {
		p.idle = p.idle[1:]
		go discard(old)
	}
}

// reset forgets the idle connections.
func (p *postgresPool) reset() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		go discard(c)
	}
}

// close refuses new loans, waits for those under way and ends all connections.
func (p *postgresPool) close() { p.close1() }

func (p *postgresPool) shut() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	close(p.closing)
	for range cap(p.places) {
		p.places <- struct{}{}
	}
	for _, c := range p.idle {
		discard(c)
	}
}

// discard closes with a bound, since closing says goodbye to the server.
func discard(c *pooled) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.Close(ctx)
}
