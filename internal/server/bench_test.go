package server

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
)

// BenchmarkServer measures whole requests over loopback, client included, 64 at
// once: show and verify against an operation that does nothing (clock), so that
// the ratio within one run says something on any machine.
func BenchmarkServer(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		b.Run(string(engine), func(b *testing.B) {
			p := dbtest.Fresh(b, engine)
			dir := p.Dir
			if dir == "" {
				dir = b.TempDir()
			}
			c := start(b, dir, p.URL, func(cc *CoreConfig, cfg *Config) {
				cc.Now, cfg.RateFactor = time.Now, 1_000_000
			})
			c.people(zhang, li)
			resident, _ := c.signIn(zhang)
			verifier := c.verifier(li, "venue-entry")
			c.until("in memory", func() bool { return c.core.Status.Len() == 2 })
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
			var text atomic.Pointer[string]
			fresh := func() { t := c.show(resident); text.Store(&t) }
			fresh()
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(20 * time.Second):
						fresh()
					}
				}
			}()
			run := func(name, method, path, token string, body func() string, want int) {
				b.Run(name, func(b *testing.B) {
					b.SetParallelism(32)
					b.ReportAllocs()
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							r, _ := http.NewRequest(method, c.url+path, bytes.NewReader([]byte(body())))
							r.Header.Set("Content-Type", "application/json")
							r.Header.Set("Authorization", "Bearer "+token)
							resp, err := client.Do(r)
							if err != nil {
								b.Error(err)
								return
							}
							_, _ = io.Copy(io.Discard, resp.Body)
							resp.Body.Close()
							if resp.StatusCode != want {
								b.Errorf("%s: %d", name, resp.StatusCode)
								return
							}
						}
					})
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
				})
			}
			run("clock", http.MethodGet, "/v1/time", resident, func() string { return "" }, 200)
			run("show", http.MethodPost, "/v1/codes", resident, func() string { return "{}" }, 201)
			run("verify", http.MethodPost, "/v1/verifications", verifier,
				func() string { return fmt.Sprintf(`{"text":%q,"scene":"venue-entry","method":"camera"}`, *text.Load()) }, 200)
		})
	}
}
