package db_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
)

// gateway passes connections on to a server until they are frozen, which those
// made later aren't.
type gateway struct {
	address string
	mu      sync.Mutex
	frozen  []*atomic.Bool // by connection
	asked   atomic.Int64   // queries that came over frozen connections
}

func (g *gateway) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range g.frozen {
		f.Store(true)
	}
}

func newGateway(t *testing.T, socket string) *gateway {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	g := &gateway{address: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go g.pass(c, socket)
		}
	}()
	return g
}

func (g *gateway) pass(c net.Conn, socket string) {
	defer c.Close()
	s, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer s.Close()
	frozen := &atomic.Bool{}
	g.mu.Lock()
	g.frozen = append(g.frozen, frozen)
	g.mu.Unlock()
	go func() {
		io.Copy(c, s)
		c.Close()
	}()
	b := make([]byte, 64<<10)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		if !frozen.Load() {
			s.Write(b[:n])
		} else if b[0] == 'Q' { // not the X that says goodbye
			g.asked.Add(1)
		}
	}
}

// through is the URL of the server behind a gateway to it.
func through(t *testing.T, server string) (*gateway, string) {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	g := newGateway(t, filepath.Join(q.Get("host"), ".s.PGSQL.5432"))
	host, port, _ := net.SplitHostPort(g.address)
	q.Set("host", host)
	q.Set("port", port)
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	return g, u.String()
}

// hold lends n connections at the same time, so that n are idle afterwards.
func hold(t *testing.T, d *db.DB, n int) {
	t.Helper()
	if n == 0 {
		return
	}
	err := d.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
		var one int64
		err := q.QueryRow(ctx, "select 1").Scan(&one)
		hold(t, d, n-1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFrozenConnectionsAreReplacedAfterOnePing: a server that moved, or a
// network that forgot its connections, leaves all of them dead in the pool.
func TestFrozenConnectionsAreReplacedAfterOnePing(t *testing.T) {
	for _, size := range []int{1, 4} {
		p := dbtest.StartPostgres(t)
		g, server := through(t, p.URL)
		d, err := db.Open(t.Context(), db.Config{URL: server, MaxConns: size})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if _, err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		hold(t, d, size)
		g.freeze()
		time.Sleep(db.IdleTrust) // idle for so long that they are asked
		start := time.Now()
		write(t, d, "insert into demo_mark (id, made_at) values (1, 1)")
		if took := time.Since(start); took > 14*time.Second { // the library's patience is 15 s
			t.Errorf("%d connections: took %s", size, took)
		}
		if n := g.asked.Load(); n != 1 {
			t.Errorf("%d connections: %d were asked", size, n)
		}
	}
}

func TestNoMoreConnectionsAreLentThanAllowed(t *testing.T) {
	d, err := db.Open(t.Context(), db.Config{URL: dbtest.Open(t, db.PostgreSQL).URL, MaxConns: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var lent atomic.Int64
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			err := d.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
				if n := lent.Add(1); n > 3 {
					t.Errorf("%d at once", n)
				}
				defer lent.Add(-1)
				var slept bool
				return q.QueryRow(ctx, "select pg_sleep(0.01) is not null").Scan(&slept)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}
