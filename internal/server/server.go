package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/citycode/citycode/internal/api"
	"github.com/citycode/citycode/internal/mint"
	"github.com/citycode/citycode/internal/scan"
	"github.com/citycode/citycode/internal/scene"
	"github.com/citycode/citycode/internal/session"
	"github.com/citycode/citycode/internal/verify"
)

// Config is how a server faces the outside. Its zero values work: plain HTTP on
// a free port of the loopback, the shipped scenes, no metrics listener.
type Config struct {
	Version        string
	Listen         string // host:port; "" is 127.0.0.1:0
	TLSCert        string // files, read again when they change
	TLSKey         string
	Certificate    *tls.Certificate // instead of files: the demo's own
	PublicURL      *url.URL         // how people reach it; nil: as they asked
	TrustedProxies []netip.Prefix   // only these may say for whom they ask
	MetricsListen  string           // own listener for /metrics; "" with MetricsHere
	MetricsHere    bool             // serve /metrics beside the pages (demo)
	DrainDelay     time.Duration    // how long to go on after ceasing to be ready
	City           api.City
	Scenes         *scene.Book // nil: the shipped ones
	RateFactor     int
	Pages          fs.FS // the built pages; nil: the server says how to build them
	// Demo returns the demo's part of the interface; nil in production.
	Demo func(*session.Store, *scan.Log) *api.Demo
	// Prepare runs once the server listens, before it is ready (demo: seeding).
	Prepare func(context.Context, *session.Store, *scan.Log) error
	// Listening is told the address once it is known.
	Listening func(net.Addr)
	Log       *slog.Logger
}

// Server serves one city from one process.
type Server struct {
	cfg      Config
	core     *Core
	sessions *session.Store
	scans    *scan.Log
	api      *api.API
	metrics  *metrics
	handler  http.Handler
	listener net.Listener
	started  time.Time
	loaded   atomic.Bool // memory holds the statuses
	prepared atomic.Bool // and, in the demo, the personas can sign in
	draining atomic.Bool
}

// New puts a server around the core and binds its address; Run serves.
func New(ctx context.Context, core *Core, cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	scenes := scene.Shipped()
	if cfg.Scenes != nil {
		scenes = *cfg.Scenes
	}
	s := &Server{cfg: cfg, core: core, started: core.Config.Now()}
	k := core.Config
	s.metrics = newMetrics(s)
	s.scans = scan.New(scan.Config{DB: core.DB, Node: core.Node, Now: k.Now, Log: cfg.Log, Committed: s.metrics.committed})
	s.sessions = session.New(session.Config{DB: core.DB, Keys: core.Keys, Node: core.Node, Feed: core.Feed, People: core.People, Now: k.Now})
	desk := &verify.Desk{
		Decider: verify.Decider{Keys: core.Keys, Status: core.Status, Now: k.Now},
		Scenes:  scenes, People: core.People, Log: s.scans, Zone: k.Zone,
	}
	ac := api.Config{
		Version: cfg.Version, City: cfg.City, Scenes: scenes, Sessions: s.sessions, People: core.People, Status: core.Status,
		Minter: &mint.Minter{Keys: core.Keys, Now: k.Now}, Desk: desk, Scans: s.scans, Now: k.Now, Zone: k.Zone, Log: cfg.Log,
		Outage: s.outage, Ready: s.readiness, RateFactor: cfg.RateFactor, Count: s.metrics,
	}
	if cfg.Demo != nil {
		ac.Demo = cfg.Demo(s.sessions, s.scans)
	}
	s.api = api.New(ac)
	s.handler = s.routes()

	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		s.scans.Close()
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.listener = l
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Handler is the whole of it, for tests.
func (s *Server) Handler() http.Handler { return s.handler }

// API is the HTTP interface, for its document.
func (s *Server) API() *api.API { return s.api }

// Limits of every connection. Headers are bounded at 16 KiB; bodies by the
// operations (64 KiB).
const (
	headerLimit     = 16 << 10
	headerTimeout   = 5 * time.Second
	readTimeout     = 15 * time.Second
	writeTimeout    = 30 * time.Second
	idleTimeout     = 75 * time.Second
	drainTimeout    = 10 * time.Second
	shutdownTimeout = 20 * time.Second
)

func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, MaxHeaderBytes: headerLimit, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
}

// Run serves until ctx ends, then drains and closes the core. It returns nil
// after an orderly end.
func (s *Server) Run(ctx context.Context) error {
	// Before the first request: a session that ended must not come back to life
	// while the rest of memory is filled.
	err := s.sessions.Load(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("load ended sessions: %w", err), s.end())
	}
	front := s.httpServer(s.handler)
	listener := s.listener
	switch {
	case s.cfg.Certificate != nil:
		listener = tls.NewListener(listener, tlsConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.cfg.Certificate, nil }))
	case s.cfg.TLSCert != "":
		var pair *certificate
		if pair, err = loadCertificate(s.cfg.TLSCert, s.cfg.TLSKey, s.cfg.Log); err != nil {
			return errors.Join(err, s.end())
		}
		listener = tls.NewListener(listener, tlsConfig(pair.get))
	}
	var side *http.Server
	var sideListener net.Listener
	if s.cfg.MetricsListen != "" {
		var lc net.ListenConfig
		if sideListener, err = lc.Listen(ctx, "tcp", s.cfg.MetricsListen); err != nil {
			return errors.Join(fmt.Errorf("listen for metrics: %w", err), s.end())
		}
		side = s.httpServer(s.metricsHandler())
	}

	// work ends with the context; the committer and the heartbeat must outlive
	// the last request, so that they have a context of their own.
	tail, stopTail := context.WithCancel(context.WithoutCancel(ctx))
	defer stopTail()
	var tailGroup errgroup.Group
	forgotten := make(chan error, 1)
	tailGroup.Go(func() error {
		if err := s.core.Node.Run(tail); err != nil {
			forgotten <- err
		}
		return nil
	})

	g, work := errgroup.WithContext(ctx)
	g.Go(func() error {
		// A node that the database forgot can commit nothing any more: whoever
		// started the process starts it again.
		select {
		case err := <-forgotten:
			return err
		case <-work.Done():
			return nil
		}
	})
	g.Go(func() error { return ignoreClosed(front.Serve(listener)) })
	if side != nil {
		g.Go(func() error { return ignoreClosed(side.Serve(sideListener)) })
	}
	if s.cfg.Listening != nil {
		s.cfg.Listening(s.Addr())
	}
	g.Go(func() error {
		return s.prepare(work, func() { tailGroup.Go(func() error { return s.core.Feed.Run(tail) }) })
	})
	g.Go(func() error { return s.core.Status.Run(work) })
	g.Go(func() error { s.housekeeping(work); return nil })
	g.Go(func() error {
		<-work.Done()
		s.draining.Store(true)
		s.api.Drain()
		s.cfg.Log.Info("draining")
		if s.cfg.DrainDelay > 0 { // so that balancers see /readyz say 503 first
			time.Sleep(s.cfg.DrainDelay)
		}
		deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		for _, h := range []*http.Server{front, side} {
			if h == nil {
				continue
			}
			// Whoever sends a body byte by byte doesn't keep the process from ending;
			// no answer that was promised is cut, because handlers end before this.
			if err := h.Shutdown(deadline); err != nil {
				s.cfg.Log.Warn("connections cut after the time to drain", "error", err)
				_ = h.Close()
			}
		}
		return nil
	})
	err = g.Wait()
	s.scans.Close()
	stopTail()
	err = errors.Join(err, tailGroup.Wait())
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, s.closeCore())
}

// prepare fills memory, lets the change feed keep it fresh, and only then calls
// the node ready.
func (s *Server) prepare(ctx context.Context, follow func()) error {
	if err := s.core.Status.Load(ctx); err != nil {
		return fmt.Errorf("load statuses: %w", err)
	}
	follow()
	s.loaded.Store(true)
	if s.cfg.Prepare != nil {
		if err := s.cfg.Prepare(ctx, s.sessions, s.scans); err != nil {
			return err
		}
	}
	s.prepared.Store(true)
	s.cfg.Log.Info("ready", "address", s.Addr().String(), "people", s.core.Status.Len())
	return nil
}

// end gives back what New took, when Run could not start.
func (s *Server) end() error {
	s.scans.Close()
	return errors.Join(s.listener.Close(), s.closeCore())
}

func (s *Server) closeCore() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	return s.core.Close(ctx)
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// housekeeping does what is due by the minute: keys ahead, partitions ahead,
// claims that no longer count.
func (s *Server) housekeeping(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if err := s.core.makeKeysAhead(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("keys could not be made ahead; showing goes on with those in memory", "error", err)
		}
		if err := s.scans.Housekeeping(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("housekeeping of the scan log failed; tried again in a minute", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// outageAfter is when a feed without a successful poll (every 200 ms) means
// that the database is away.
const outageAfter = 3 * time.Second

func (s *Server) outage() bool {
	asOf := s.core.Feed.AsOf()
	return !asOf.IsZero() && s.core.Config.Now().Sub(asOf) > outageAfter
}

// maxSkew is how far two nodes' clocks may differ.
const maxSkew = 2 * time.Second

func (s *Server) readiness() api.Readiness {
	r := api.Readiness{Ready: true, Since: s.started.UTC().Format(time.RFC3339)}
	not := func(why string) { r.Ready, r.Why = false, append(r.Why, why) }
	if !s.loaded.Load() {
		not("statuses are being loaded")
	} else if !s.prepared.Load() {
		not("the demo's people are being made")
	}
	if s.draining.Load() {
		not("draining")
	}
	if s.core.Node.ClockSkew() > maxSkew {
		not("clock differs from another node's by over 2 s")
	}
	if s.outage() {
		r.Degraded = append(r.Degraded, "database")
		r.Why = append(r.Why, "the database hasn't answered since "+s.core.Feed.AsOf().UTC().Format(time.RFC3339))
	}
	return r
}
