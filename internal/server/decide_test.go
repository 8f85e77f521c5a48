package server

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/api"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/mint"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/scan"
	"github.com/citycode/citycode/internal/scene"
	"github.com/citycode/citycode/internal/verify"
)

// A node whose change feed stands still doesn't call a status good that it
// can't know to be: the scene says what to do then.
func TestAStatusOlderThanTheSceneAllowsCanNotBeConfirmed(t *testing.T) {
	var at atomic.Int64
	at.Store(time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC).UnixMilli())
	now := func() time.Time { return time.UnixMilli(at.Load()) }
	core, err := Open(t.Context(), CoreConfig{Data: t.TempDir(), Now: now, AllowSample: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = core.Close(t.Context()) })
	ids, err := core.People.Put(t.Context(), []person.Record{{Name: zhang.name, Document: idnum.Document{Kind: idnum.ResidentID, Number: zhang.number}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := core.Status.Load(t.Context()); err != nil { // reads once; nothing follows the feed here
		t.Fatal(err)
	}
	minter := &mint.Minter{Keys: core.Keys, Now: now}
	decider := verify.Decider{Keys: core.Keys, Status: core.Status, Now: now}
	venue, _ := scene.Shipped().Get("venue-entry")
	strict := venue
	strict.WhenUnsure = scene.Refuse
	decide := func(sc scene.Scene) verify.Decision {
		t.Helper()
		m, err := minter.Mint(code.KindLive, ids[0])
		if err != nil {
			t.Fatal(err)
		}
		d, err := decider.Decide(t.Context(), []byte(m.Text), sc)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := decide(venue); d.Outcome != scan.Valid || d.Admission != scene.Admit {
		t.Errorf("fresh: %+v", d)
	}
	at.Add((10*time.Minute + time.Second).Milliseconds())
	if d := decide(venue); d.Outcome != scan.Unconfirmed || d.Admission != scene.Check || d.Status.Color != 0 {
		t.Errorf("old: %+v", d)
	}
	if d := decide(strict); d.Outcome != scan.Unconfirmed || d.Admission != scene.Refuse {
		t.Errorf("old, strict scene: %+v", d)
	}

	m, err := minter.Mint(code.KindLive, ids[0])
	if err != nil {
		t.Fatal(err)
	}
	// A generation that nobody holds: unknown while the code could be fresh,
	// expired once its own time is over.
	raw, err := code.ParseLive(m.Text)
	if err != nil {
		t.Fatal(err)
	}
	raw[1] += 100
	for _, c := range []struct {
		after time.Duration
		want  scan.Outcome
	}{{0, scan.UnknownKey}, {2 * time.Minute, scan.UnknownKey}, {2*time.Minute + time.Second, scan.Expired}} {
		before := at.Load()
		at.Add(c.after.Milliseconds())
		d, err := decider.Decide(t.Context(), []byte(raw.Text()), venue)
		if err != nil || d.Outcome != c.want || d.Subject != 0 {
			t.Errorf("unknown generation after %v: %+v %v, want %s", c.after, d, err, c.want)
		}
		at.Store(before)
	}
}

func TestAPanicIsAnAnswerWithARequestIDAndNoMore(t *testing.T) {
	c := start(t, t.TempDir(), "", nil)
	h := c.srv.outer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(errors.New("张小三 " + zhang.number)) }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/time", nil))
	if w.Code != 500 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if seen := w.Body.String() + c.log.String(); containsAny(seen, zhang.number, zhang.name) {
		t.Error("the panic's words went out or into the log")
	}
}

func TestPagesCarryTheStrictHeadersAndMissingOnesAre404(t *testing.T) {
	c := start(t, t.TempDir(), "", func(_ *CoreConfig, cfg *Config) { cfg.City = api.City{Zone: "Asia/Shanghai"} })
	for _, path := range []string{"/", "/app/", "/nowhere", "/assets/x.js", "/../../etc/passwd", "/.placeholder", "/v1/time"} {
		a := c.get("", path)
		if csp := a.header.Get("Content-Security-Policy"); csp != policy || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, a.header)
		}
		if path != "/v1/time" && a.status != 404 { // built without pages here
			t.Errorf("%s: %d", path, a.status)
		}
	}
}
