package commit_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// proxy stands before a PostgreSQL server and can break a connection at the
// very commit.
type proxy struct {
	url  string
	mode atomic.Int32
}

const (
	pass      = iota
	cutBefore // the server never sees the commit
	cutAfter  // the commit is done, and the client isn't told
)

// cut breaks the next commit: its answer is lost, or it never arrives.
func (p *proxy) cut(answer bool) {
	if answer {
		p.mode.Store(cutAfter)
	} else {
		p.mode.Store(cutBefore)
	}
}

func startProxy(t *testing.T, server string) *proxy {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	network, address := "unix", filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432")
	if u.Host != "" {
		network, address = "tcp", u.Host
	} else if port := u.Query().Get("port"); port != "" {
		address = filepath.Join(u.Query().Get("host"), ".s.PGSQL."+port)
	}
	dir, err := os.MkdirTemp("/tmp", "citycode-proxy-") // a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	q := u.Query()
	q.Set("host", dir)
	q.Del("port")
	p := &proxy{url: (&url.URL{Scheme: u.Scheme, User: u.User, Path: u.Path, RawQuery: q.Encode()}).String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial(network, address)
			if err != nil {
				client.Close()
				continue
			}
			go p.serve(client, upstream)
		}
	}()
	return p
}

func (p *proxy) serve(client, server net.Conn) {
	var silent atomic.Bool // answers no longer reach the client
	answered := make(chan struct{}, 1)
	go func() {
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			if silent.Load() {
				answered <- struct{}{}
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("commit\x00")) {
			switch {
			case p.mode.CompareAndSwap(cutBefore, pass):
				client.Close()
				return
			case p.mode.CompareAndSwap(cutAfter, pass):
				silent.Store(true)
				server.Write(buf[:n])
				<-answered
				return
			}
		}
		if _, err := io.Copy(server, bytes.NewReader(buf[:n])); err != nil {
			return
		}
	}
}
