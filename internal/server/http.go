package server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/citycode/citycode/internal/api"
)

// policy is the Content-Security-Policy of every page: nothing from outside, no
// inline script; wasm for the QR decoder, blobs for camera pictures.
const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob: mediastream:; worker-src 'self' blob:; " +
	"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	interfaces := s.api.Handler()
	mux.Handle("/v1/", interfaces)
	mux.Handle("GET /openapi.json", interfaces)
	health := s.api.Health()
	mux.Handle("GET /livez", health)
	mux.Handle("GET /readyz", health)
	if s.cfg.MetricsHere {
		mux.Handle("GET /metrics", s.metricsHandler())
	}
	mux.Handle("/", s.pages())
	return s.outer(mux)
}

// outer gives each request its id, language and address, each answer its
// security headers, and turns a panic into a 500 with a request id.
func (s *Server) outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		c := &api.Call{RequestID: requestID(), Lang: api.LanguageOf(r.Header.Get("Accept-Language")), Address: s.address(r)}
		r = r.WithContext(api.WithCall(r.Context(), c))
		h := w.Header()
		h.Set("X-Request-Id", c.RequestID)
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(self), screen-wake-lock=(self), geolocation=(), microphone=()")
		if r.TLS != nil || (s.cfg.PublicURL != nil && s.cfg.PublicURL.Scheme == "https") {
			h.Set("Strict-Transport-Security", "max-age=31536000")
			h.Set("Cross-Origin-Opener-Policy", "same-origin") // browsers complain of it over plain HTTP
		}
		rec := &recorder{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				// The value of a panic may quote what it worked on: its type and
				// place go to the log, the value doesn't.
				s.cfg.Log.Error("panic", "request_id", c.RequestID, "operation", c.Operation, "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
				if rec.status == 0 {
					s.api.Refuse(r.Context(), rec, errors.New("panic"))
				}
			}
			s.metrics.answered(c.Operation, rec.status, time.Since(start))
		}()
		next.ServeHTTP(rec, r)
	})
}

func requestID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// recorder remembers the status for metrics.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush and set deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// address is who asks: the peer, or, when the peer is a trusted proxy, the last
// address in X-Forwarded-For that is none. Anything else in the header is
// ignored: whoever connects directly could write any address there.
func (s *Server) address(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	if !s.trusted(addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && i >= len(hops)-20; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return addr
		}
		addr = hop.Unmap()
		if !s.trusted(addr) {
			return addr
		}
	}
	return addr
}

func (s *Server) trusted(a netip.Addr) bool {
	for _, p := range s.cfg.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// pages serves the built pages. A missing file is 404, never another page.
func (s *Server) pages() http.Handler {
	if s.cfg.Pages == nil {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `<!doctype html><meta charset="utf-8"><title>citycode</title>
<p lang="zh-CN">本程序编译时没有包含网页。请在项目目录运行 <code>make build</code>，再启动 <code>bin/citycode</code>。接口照常可用：<a href="/readyz">/readyz</a>。</p>
<p lang="en">This binary was built without its pages. Run <code>make build</code> in the project's folder and start <code>bin/citycode</code>. The API works: <a href="/readyz">/readyz</a>.</p>
`)
		})
	}
	files := http.FileServerFS(s.cfg.Pages)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if name == "" {
			name = "."
		}
		info, err := fs.Stat(s.cfg.Pages, name)
		switch {
		case err != nil || strings.HasPrefix(path.Base(name), ".") && name != ".":
			s.noPage(w)
			return
		case info.IsDir():
			if _, err := fs.Stat(s.cfg.Pages, path.Join(name, "index.html")); err != nil {
				s.noPage(w)
				return
			}
			w.Header().Set("Cache-Control", "no-cache")
		case strings.HasPrefix(name, "assets/"):
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		default:
			w.Header().Set("Cache-Control", "no-cache")
		}
		files.ServeHTTP(w, r)
	})
}

func (s *Server) noPage(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusNotFound)
	const body = `<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>404</title>
<p>没有这个页面。<a href="/">返回首页</a></p><p lang="en">There is no such page. <a href="/">Go to the start page</a></p></html>
`
	_, _ = w.Write([]byte(body))
}
