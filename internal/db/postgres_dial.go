package db

import (
	"context"
	"net"
	"sync"
	"time"
)

// silence is how long an address that didn't answer isn't asked again: a URL
// may name several servers, and each attempt at one that is gone costs 2 s.
const silence = 2 * time.Second

// dialer connects to servers and notices when they are gone: an idle
// connection after 5 s, one that waits for an acknowledgement after 5 s.
type dialer struct {
	net.Dialer
	mu     sync.Mutex
	silent map[string]silentUntil
}

type silentUntil struct {
	err  error
	time time.Time
}

func newDialer() *dialer {
	return &dialer{
		Dialer: net.Dialer{
			KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 2 * time.Second, Interval: time.Second, Count: 3},
			Control:         limitUnacknowledged,
		},
		silent: map[string]silentUntil{},
	}
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	s, ok := d.silent[address]
	d.mu.Unlock()
	if ok && time.Now().Before(s.time) {
		return nil, s.err
	}
	c, err := d.DialContext(ctx, network, address)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.silent, address)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		d.silent[address] = silentUntil{err, time.Now().Add(silence)}
	}
	return c, err
}
