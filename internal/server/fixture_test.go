package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/mint"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/scene"
	"github.com/citycode/citycode/internal/session"
)

// patience bounds every wait in these tests: long enough for any machine.
const patience = 30 * time.Second

// city is a running server with a clock that the test moves.
type city struct {
	t    testing.TB
	srv  *Server
	core *Core
	url  string
	dir  string
	at   atomic.Int64
	log  *syncBuffer
	stop func() // drains; safe to call twice
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (c *city) now() time.Time { return time.UnixMilli(c.at.Load()).UTC() }

// start serves a city on the database; change may alter the configuration.
func start(t testing.TB, dir, database string, change func(*CoreConfig, *Config)) *city {
	t.Helper()
	c := &city{t: t, dir: dir, log: &syncBuffer{}}
	c.at.Store(time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC).UnixMilli())
	log := slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cc := CoreConfig{Data: dir, Database: database, Now: c.now, Log: log, AllowSample: true}
	// Limits are tested by themselves; here the machine may be as fast as it is.
	cfg := Config{Version: "test", MetricsHere: true, RateFactor: 1000, Log: log}
	if change != nil {
		change(&cc, &cfg)
	}
	var err error
	if c.core, err = Open(t.Context(), cc); err != nil {
		t.Fatal(err)
	}
	if c.srv, err = New(t.Context(), c.core, cfg); err != nil {
		t.Fatal(err)
	}
	c.url = "http://" + c.srv.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.srv.Run(ctx) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the server ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("the server did not end")
		}
	})
	t.Cleanup(c.stop)
	c.until("ready", func() bool { return c.get("", "/readyz").status == 200 })
	return c
}

// each starts a city on both engines.
func each(t *testing.T, f func(*testing.T, *city)) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			p := dbtest.Fresh(t, engine)
			dir := p.Dir
			if dir == "" {
				dir = t.TempDir()
			}
			f(t, start(t, dir, p.URL, nil))
		})
	}
}

// until waits for something that happens by itself.
func (c *city) until(what string, ok func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			c.t.Fatalf("not %s after %v", what, patience)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// move moves the clock and waits until the node's memory is as fresh again.
func (c *city) move(d time.Duration) {
	c.t.Helper()
	c.at.Add(d.Milliseconds())
	c.until("fresh", func() bool { return !c.core.Feed.AsOf().Before(c.now()) })
}

type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// at finds a member by its path, "status.color"; nil when there is none.
func (a answer) at(path string) any {
	var v any = a.body
	for p := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

func (a answer) text(path string) string { s, _ := a.at(path).(string); return s }

func (c *city) do(method, token, path string, body any, header ...string) answer {
	c.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			c.t.Fatal(err)
		}
		in = bytes.NewReader(j)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, in)
	if err != nil {
		c.t.Fatal(err)
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body) // pages and photos are no JSON
	return a
}

func (c *city) get(token, path string, header ...string) answer {
	c.t.Helper()
	return c.do(http.MethodGet, token, path, nil, header...)
}

func (c *city) post(token, path string, body any, header ...string) answer {
	c.t.Helper()
	return c.do(http.MethodPost, token, path, body, header...)
}

// someone is a person of these tests. Numbers are of the region that is
// assigned to nobody.
type someone struct{ name, number, phone, birth string }

func number(n int) string {
	first := fmt.Sprintf("31000019900101%03d", n)
	return first + string(idnum.CheckDigit(first))
}

var (
	zhang = someone{"张小三", number(101), "19900001234", "1990-01-01"}
	li    = someone{"李四", number(102), "19900005678", "1990-01-01"}
	wang  = someone{"欧阳建国", number(103), "19900009012", "1990-01-01"}
)

// people imports persons as an operator does, each with a photo.
func (c *city) people(list ...someone) {
	c.t.Helper()
	dir := c.t.TempDir()
	picture := image.NewGray(image.Rect(0, 0, 60, 80))
	picture.Set(30, 40, color.White)
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, picture, nil); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "p.jpg"), photo.Bytes(), 0o600); err != nil {
		c.t.Fatal(err)
	}
	csv := "name,document_kind,document_number,phone,birth_date,photo\n"
	for _, p := range list {
		csv += fmt.Sprintf("%s,resident_id,%s,%s,%s,p.jpg\n", p.name, p.number, p.phone, p.birth)
	}
	file := filepath.Join(dir, "people.csv")
	if err := os.WriteFile(file, []byte(csv), 0o600); err != nil {
		c.t.Fatal(err)
	}
	r, err := c.core.People.Import(c.t.Context(), file, person.ImportOptions{})
	if err != nil || r.Rejected != 0 {
		c.t.Fatalf("import: %+v %v", r, err)
	}
}

func (c *city) id(p someone) code.Handle {
	c.t.Helper()
	id, err := c.core.People.Find(c.t.Context(), idnum.Document{Kind: idnum.ResidentID, Number: p.number})
	if err != nil {
		c.t.Fatal(err)
	}
	return id
}

// signIn starts a session and returns its tokens.
func (c *city) signIn(p someone) (access, refresh string) {
	c.t.Helper()
	tokens, _, err := c.srv.sessions.Start(c.t.Context(), session.Start{Person: c.id(p), Channel: "test", Level: 2, SteppedUpFor: time.Hour})
	if err != nil {
		c.t.Fatal(err)
	}
	return tokens.Access, tokens.Refresh
}

// signInPlain is signIn without a fresh proof of presence.
func (c *city) signInPlain(p someone) (access, refresh string) {
	c.t.Helper()
	tokens, _, err := c.srv.sessions.Start(c.t.Context(), session.Start{Person: c.id(p), Channel: "test", Level: 2})
	if err != nil {
		c.t.Fatal(err)
	}
	return tokens.Access, tokens.Refresh
}

// mint mints as the server does, for subjects that can't sign in.
func (c *city) mint(kind code.Kind, subject code.Handle) string {
	c.t.Helper()
	m, err := (&mint.Minter{Keys: c.core.Keys, Now: c.now}).Mint(kind, subject)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(m.Text)
}

// verifier grants the scenes and signs the person in.
func (c *city) verifier(p someone, scenes ...scene.Name) string {
	c.t.Helper()
	for _, s := range scenes {
		if err := c.srv.sessions.Grant(c.t.Context(), c.id(p), s, "", time.Time{}); err != nil {
			c.t.Fatal(err)
		}
	}
	access, _ := c.signIn(p)
	return access
}

// show mints a code for the token's person.
func (c *city) show(token string) string {
	c.t.Helper()
	a := c.post(token, "/v1/codes", map[string]any{})
	if a.status != 201 {
		c.t.Fatalf("POST /v1/codes: %d %s", a.status, a.raw)
	}
	return a.text("code.text")
}

func (c *city) scan(token, text string, header ...string) answer {
	c.t.Helper()
	return c.post(token, "/v1/verifications", map[string]any{"text": text, "scene": "venue-entry", "method": "camera"}, header...)
}

// colour imports a status as an operator does.
func (c *city) colour(core *Core, p someone, color, reason string) {
	c.t.Helper()
	if err := importColour(c.t.Context(), c.t.TempDir(), core, p, color, reason); err != nil {
		c.t.Fatal(err)
	}
}

func importColour(ctx context.Context, dir string, core *Core, p someone, color, reason string) error {
	file := filepath.Join(dir, "status.csv")
	csv := fmt.Sprintf("document_kind,document_number,scheme,color,reason_code\nresident_id,%s,health,%s,%s\n", p.number, color, reason)
	if err := os.WriteFile(file, []byte(csv), 0o600); err != nil {
		return err
	}
	r, err := core.Status.Import(ctx, file, statusImport(core))
	if err == nil && r.Rejected != 0 {
		return errors.New("the status was rejected")
	}
	return err
}

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
