package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/citycode/citycode/internal/keys"
	"github.com/citycode/citycode/internal/status"
)

// metrics answers an operator's questions: is it up, how fast, how much, what
// is refused, how fresh is memory, what waits. Labels are names of operations
// and outcomes, never of people.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	mints     prometheus.Counter
	verifies  *prometheus.CounterVec
	limited   *prometheus.CounterVec
	sheds     *prometheus.CounterVec
	batchRows prometheus.Histogram
	batchTime prometheus.Histogram
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "citycode_requests_total", Help: "Answers by operation and status."}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "citycode_request_seconds", Help: "Time to answer by operation.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}}, []string{"operation"}),
		mints:    prometheus.NewCounter(prometheus.CounterOpts{Name: "citycode_codes_minted_total", Help: "Codes shown."}),
		verifies: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "citycode_verifications_total", Help: "Scans by outcome and admission."}, []string{"outcome", "admission"}),
		limited:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "citycode_rate_limited_total", Help: "Requests over a caller's rate."}, []string{"class"}),
		sheds:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "citycode_shed_total", Help: "Requests turned away because the node was full."}, []string{"class"}),
		batchRows: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "citycode_commit_batch_rows", Help: "Scans in one transaction.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512}}),
		batchTime: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "citycode_commit_seconds", Help: "Time to make one batch of scans durable.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}}),
	}
	gauge := func(name, help string, f func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	flag := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	gauge("citycode_ready", "1 while the node can show codes.", func() float64 { return flag(s.readiness().Ready) })
	gauge("citycode_database_up", "0 while the change feed can't be read.", func() float64 { return flag(!s.outage()) })
	gauge("citycode_status_staleness_seconds", "Age of the statuses in memory.", func() float64 {
		if asOf := s.core.Feed.AsOf(); !asOf.IsZero() {
			return s.core.Config.Now().Sub(asOf).Seconds()
		}
		return 0
	})
	gauge("citycode_people", "People in the status table in memory.", func() float64 { return float64(s.core.Status.Len()) })
	for color, count := range map[string]func(status.Counts) int{
		"green":  func(c status.Counts) int { return c.Green },
		"yellow": func(c status.Counts) int { return c.Yellow },
		"red":    func(c status.Counts) int { return c.Red },
	} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "citycode_people_by_color", Help: "People by the colour in memory.",
			ConstLabels: prometheus.Labels{"color": color}}, func() float64 { return float64(count(s.core.Status.Counts())) }))
	}
	gauge("citycode_status_bytes", "Memory of the status table.", func() float64 { return float64(s.core.Status.Bytes()) })
	gauge("citycode_commit_queue", "Scans that wait for the disk.", func() float64 { return float64(s.scans.Depth()) })
	gauge("citycode_sessions_ended", "Ended sessions that this node remembers.", func() float64 { return float64(s.sessions.Ended()) })
	gauge("citycode_live_keys_ahead_seconds", "How long codes can be minted with the keys in memory before one is used beyond its day.", func() float64 {
		return max(0, s.core.Keys.Horizon(keys.Live).Sub(s.core.Config.Now()).Seconds())
	})
	gauge("citycode_status_watchers", "Open pages that wait for a change of status.", func() float64 { return float64(s.core.Status.Watching()) })
	gauge("citycode_clock_skew_seconds", "Largest difference of this node's clock from another's.", func() float64 { return s.core.Node.ClockSkew().Seconds() })
	m.registry.MustRegister(m.requests, m.seconds, m.mints, m.verifies, m.limited, m.sheds, m.batchRows, m.batchTime,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (s *Server) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	return mux
}

func (m *metrics) answered(operation string, status int, took time.Duration) {
	if operation == "" {
		operation = "page"
	}
	if status == 0 {
		status = http.StatusOK
	}
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	if operation != "watch-my-status" { // open for minutes: not a time to answer
		m.seconds.WithLabelValues(operation).Observe(took.Seconds())
	}
}

func (m *metrics) committed(rows int, took time.Duration) {
	m.batchRows.Observe(float64(rows))
	m.batchTime.Observe(took.Seconds())
}

func (m *metrics) Minted() { m.mints.Inc() }
func (m *metrics) Verified(outcome, admission string) {
	m.verifies.WithLabelValues(outcome, admission).Inc()
}
func (m *metrics) RateLimited(class string) { m.limited.WithLabelValues(class).Inc() }
func (m *metrics) Shed(class string)        { m.sheds.WithLabelValues(class).Inc() }
