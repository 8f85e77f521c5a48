package fault

import (
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
)

// killsOf is how often an engine's server is killed.
func killsOf(t *testing.T) int {
	t.Helper()
	text := os.Getenv("CITYCODE_FAULT_KILLS")
	if text == "" {
		return 2
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("CITYCODE_FAULT_KILLS is %q, not a number", text)
	}
	return n
}

// moments gives the random numbers of a run, whose seed the log tells.
func moments(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("CITYCODE_FAULT_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal("CITYCODE_FAULT_SEED:", err)
		}
	}
	t.Logf("CITYCODE_FAULT_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// request is one scan, told from all others by the time that the scanner says
// it has: the server only records it.
type request struct {
	serial int64  // Unix milliseconds in scanned_at
	text   string // the code
	key    string // Idempotency-Key, or ""
}

func (r request) send(ctx context.Context, c *client) (v verification, a answer) {
	body := scanOf(r.text)
	body["scanned_at"] = time.UnixMilli(r.serial).UTC().Format("2006-01-02T15:04:05.000Z")
	var header []string
	if r.key != "" {
		header = []string{"Idempotency-Key", r.key}
	}
	a = c.call(ctx, http.MethodPost, "/v1/verifications", body, header...)
	if a.status == http.StatusOK {
		a.err = a.into(&v)
	}
	return v, a
}

// load is verifiers at work, over all starts of the server.
type load struct {
	outage  bool // 503 will be answered: the database is what is killed
	mu      sync.Mutex
	serial  int64
	acked   map[int64]ack     // by serial
	fresh   []int64           // acknowledged since the last look
	pending []request         // with a key, of unknown fate
	unclear map[int64]request // without one
	odd     []string          // answers that should not have been
}

type ack struct {
	request
	id, outcome string
}

func newLoad() *load {
	return &load{serial: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(), acked: map[int64]ack{}, unclear: map[int64]request{}}
}

func (l *load) next(text string) request {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	r := request{serial: l.serial, text: text}
	if l.serial%2 == 0 {
		r.key = uuid.NewString()
	}
	return r
}

// settle takes in what became of a request; it returns false when the server is
// gone, or says that its database is, and how many were acknowledged since the
// last look.
func (l *load) settle(r request, v verification, a answer) (bool, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := a.err != nil || l.outage && a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != ""
	switch {
	case a.err == nil && a.status == http.StatusOK && v.ID != "" && v.Durability == "committed":
		l.acked[r.serial] = ack{r, v.ID, v.Outcome}
		l.fresh = append(l.fresh, r.serial)
	case gone && r.key != "":
		l.pending = append(l.pending, r)
	case gone:
		l.unclear[r.serial] = r
	default:
		l.odd = append(l.odd, a.String())
	}
	return !gone, len(l.fresh)
}

// verifiers scan until the server is gone. reached is closed once so many scans
// were acknowledged.
func (l *load) verifiers(c *client, workers int, texts []string, reach int, reached chan<- struct{}) *sync.WaitGroup {
	var wg sync.WaitGroup
	once := sync.OnceFunc(func() { close(reached) })
	for w := range workers {
		wg.Go(func() {
			for i := w; ; i++ {
				r := l.next(texts[i%len(texts)])
				v, a := r.send(c.t.Context(), c)
				alive, n := l.settle(r, v, a)
				if n >= reach || len(l.strange()) > 0 {
					once()
				}
				if !alive {
					return
				}
			}
		})
	}
	return &wg
}

func (l *load) strange() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.odd
}

// look asks for everything that was acknowledged since the last look, and sends
// again what had a key.
func (l *load) look(t *testing.T, c *client) {
	t.Helper()
	for _, serial := range l.fresh {
		a := l.acked[serial]
		var found verification
		c.must(http.StatusOK, http.MethodGet, "/v1/verifications/"+a.id, nil, &found)
		if found.ID != a.id || found.Outcome != a.outcome {
			t.Errorf("scan %s was answered %s, and is now %+v", a.id, a.outcome, found)
		}
	}
	for _, r := range l.pending {
		v, a := r.send(t.Context(), c)
		if l.settle(r, v, a); a.status != http.StatusOK {
			t.Fatalf("sent again after the restart: %s", a)
		}
		l.again(t, c, l.acked[r.serial])
	}
	// Every tenth of those that had been answered: the answer may have been lost
	// on its way to the phone.
	for i, serial := range l.fresh {
		if a := l.acked[serial]; a.key != "" && i%10 == 0 {
			l.again(t, c, a)
		}
	}
	l.fresh, l.pending = nil, nil
}

// again sends an acknowledged request once more: it is the same scan.
func (l *load) again(t *testing.T, c *client, a ack) {
	t.Helper()
	v, got := a.send(t.Context(), c)
	if got.status != http.StatusOK || v.ID != a.id || v.Outcome != a.outcome || !v.Repeated {
		t.Errorf("scan %s (%s) sent again with its key: %s", a.id, a.outcome, got)
	}
}

// compare looks into the database: every acknowledged scan once under its id,
// every request with a key once, and nothing twice.
func (l *load) compare(t *testing.T, d *db.DB) {
	t.Helper()
	rows := map[int64]int{}
	err := d.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
		clear(rows)
		r, err := q.Query(ctx, `select scanned_at, count(*) from scan where scanned_at is not null group by scanned_at`)
		if err != nil {
			return err
		}
		defer r.Close()
		for r.Next() {
			var serial int64
			var n int
			if err := r.Scan(&serial, &n); err != nil {
				return err
			}
			rows[serial] = n
		}
		return r.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	for serial, n := range rows {
		_, answered := l.acked[serial]
		_, unclear := l.unclear[serial]
		if n != 1 || !answered && !unclear {
			t.Errorf("request %d stands %d times in the log, answered: %v", serial, n, answered)
		}
	}
	for serial, a := range l.acked {
		if rows[serial] == 0 {
			t.Errorf("scan %s was acknowledged and is gone", a.id)
		}
	}
}

func TestAcknowledgedScansOutliveKilledServers(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		kills, random, l, lost := killsOf(t), moments(t), newLoad(), 0
		s := serving(t, p.demo("--people", "30")...)
		for kill := range kills {
			resident, verifier := s.signIn("resident-green"), s.signIn("verifier")
			texts := []string{resident.show(), s.signIn("resident-red").show(), resident.show()[1:], "https://example.org/pay?id=1"}
			reached := make(chan struct{})
			working := l.verifiers(verifier, 8, texts, 20+random.IntN(250), reached)
			select {
			case <-reached:
			case <-time.After(patience):
				t.Fatalf("%d scans acknowledged in %v", len(l.fresh), patience)
			}
			time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond) // anywhere in a batch
			s.kill()
			working.Wait()
			if odd := l.strange(); len(odd) > 0 {
				t.Fatalf("%d odd answers, the first: %s", len(odd), odd[0])
			}
			lost += len(l.pending)
			if kill%2 == 0 {
				p.auditHolds(t) // by the first to open what the killed one left
			}
			s = serving(t, p.demo("--people", "30")...)
			l.look(t, s.signIn("verifier"))
			p.auditHolds(t)
			if t.Failed() {
				t.Fatalf("after kill %d", kill+1)
			}
		}
		s.stop()
		l.compare(t, p.open(t).Main)
		p.auditHolds(t)
		t.Logf("%d kills, %d scans acknowledged and found, %d with a key sent again after their answer was lost", kills, len(l.acked), lost)
	})
}

// The database's own server killed while scans are written: what was
// acknowledged is there when it is back, and the server goes on by itself.
func TestAcknowledgedScansOutliveAKilledPostgreSQL(t *testing.T) {
	t.Parallel()
	random, l := moments(t), newLoad()
	l.outage = true
	pg := dbtest.StartPostgres(t)
	p := place{engine: db.PostgreSQL, dir: filepath.Join(t.TempDir(), "data"), url: pg.URL}
	s := serving(t, p.demo("--people", "30")...)
	resident, verifier := s.signIn("resident-green"), s.signIn("verifier")
	for range max(1, killsOf(t)/4) {
		reached := make(chan struct{})
		working := l.verifiers(verifier, 8, []string{resident.show()}, 20+random.IntN(250), reached)
		select {
		case <-reached:
		case <-time.After(patience):
			t.Fatalf("%d scans acknowledged in %v", len(l.fresh), patience)
		}
		time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond)
		if err := pg.Kill(); err != nil {
			t.Fatal(err)
		}
		working.Wait()
		if odd := l.strange(); len(odd) > 0 {
			t.Fatalf("%d odd answers, the first: %s", len(odd), odd[0])
		}
		resident.show() // goes on without the database
		if err := pg.Start(); err != nil {
			t.Fatal(err)
		}
		until(t, "verifying again", func() bool {
			return verifier.call(t.Context(), http.MethodPost, "/v1/verifications", scanOf("no code")).status == http.StatusOK
		})
		l.look(t, verifier)
		p.auditHolds(t)
	}
	s.stop()
	l.compare(t, p.open(t).Main)
	p.auditHolds(t)
	t.Logf("%d scans acknowledged and found", len(l.acked))
}
