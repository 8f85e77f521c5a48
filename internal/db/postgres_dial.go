package db

import (
	"context"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// silence is how long a server that didn't answer isn't asked again: a URL may
// name several, and each attempt at one that is gone or frozen costs 2 s.
const silence = 2 * time.Second

// dialer connects to servers and notices when they are gone: an idle
// connection after 5 s, one that waits for an acknowledgement after 5 s.
type dialer struct {
	net.Dialer
	mu     sync.Mutex
	silent map[string]time.Time // by address: until when
}

func newDialer() *dialer {
	return &dialer{
		Dialer: net.Dialer{
			KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 2 * time.Second, Interval: time.Second, Count: 3},
			Control:         limitUnacknowledged,
		},
		silent: map[string]time.Time{},
	}
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	until := d.silent[address]
	d.mu.Unlock()
	if time.Now().Before(until) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrDeadlineExceeded}
	}
	start := time.Now()
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		d.note(address, start, err)
		return nil, err
	}
	return &firstWords{Conn: c, dialer: d, address: address, start: start}, nil
}

// note remembers an address that ran into the timeout. A caller in more of a
// hurry than that proves nothing.
func (d *dialer) note(address string, start time.Time, err error) {
	if e, ok := err.(net.Error); ok && e.Timeout() && time.Since(start) > connectTimeout*3/4 {
		d.mu.Lock()
		d.silent[address] = time.Now().Add(silence)
		d.mu.Unlock()
	}
}

// firstWords notes the address when the server takes the connection and then
// says nothing.
type firstWords struct {
	net.Conn
	dialer  *dialer
	address string
	start   time.Time
	heard   atomic.Bool
}

func (f *firstWords) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	if n > 0 {
		f.heard.Store(true)
	} else if !f.heard.Load() {
		f.dialer.note(f.address, f.start, err)
	}
	return n, err
}
