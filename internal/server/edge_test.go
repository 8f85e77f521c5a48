package server

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/mint"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/scan"
	"github.com/citycode/citycode/internal/scene"
	"github.com/citycode/citycode/internal/session"
	"github.com/citycode/citycode/internal/verify"
)

// Strangers may refresh; those who send their body byte by byte take nobody's
// place.
func TestSlowBodiesOfStrangersKeepNobodyOut(t *testing.T) {
	c := start(t, t.TempDir(), "", nil)
	for range 600 { // more than the class has places and seats to wait
		conn, err := net.Dial("tcp", c.srv.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := fmt.Fprint(conn, "POST /v1/sessions/refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		if a := c.get("", "/v1/city"); a.status != 200 {
			t.Fatalf("beside slow bodies: %d %s", a.status, a.raw)
		}
	}
}

func TestWhatIsWrittenBesideAScanIsAnID(t *testing.T) {
	c := start(t, t.TempDir(), "", nil)
	c.people(li)
	verifier := c.verifier(li, "venue-entry")
	for place, want := range map[string]int{"gate-3_B": 200, "张三 " + zhang.number: 422, "\x00": 422} {
		a := c.post(verifier, "/v1/verifications", map[string]any{"text": "x", "scene": "venue-entry", "place_id": place})
		if a.status != want {
			t.Errorf("place %q: %d %s", place, a.status, a.raw)
		}
	}
}

func TestAnothersPhotoAndNoneLookTheSame(t *testing.T) {
	c := start(t, t.TempDir(), "", nil)
	c.people(zhang, li, wang)
	resident, _ := c.signIn(zhang)
	verifier, other := c.verifier(li, "id-check"), c.verifier(wang, "id-check")
	a := c.post(verifier, "/v1/verifications", map[string]any{"text": c.show(resident), "scene": "id-check"})
	if a.at("subject.photo_url") == nil {
		t.Fatalf("no photo: %s", a.raw)
	}
	none, err := scan.NewID(c.now())
	if err != nil {
		t.Fatal(err)
	}
	there, not := c.get(other, a.text("subject.photo_url")), c.get(other, "/v1/verifications/"+none.String()+"/photo")
	if there.status != 404 || not.status != 404 || there.text("code") != not.text("code") {
		t.Errorf("another's: %s\nnone: %s", there.raw, not.raw)
	}
}

func TestATokenHoldsAllTheGrantsThatItMay(t *testing.T) {
	c := start(t, t.TempDir(), "", nil)
	c.people(li)
	for i := range 64 {
		name := scene.Name(fmt.Sprintf("scene-%034d", i))
		if err := c.srv.sessions.Grant(t.Context(), c.id(li), name, strings.Repeat("p", 40), c.now().Add(24*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	token, _ := c.signIn(li)
	if a := c.get("", "/v1/me", "Authorization", "bearer "+token); a.status != 200 {
		t.Errorf("a token of %d characters: %d %s", len(token), a.status, a.raw)
	}
}

// The outcomes have an order: a code that passed once is used, also where the
// status can't be confirmed.
func TestACodeThatCouldNotBeConfirmedPassesOnce(t *testing.T) {
	var at atomic.Int64
	at.Store(time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC).UnixMilli())
	now := func() time.Time { return time.UnixMilli(at.Load()) }
	core, err := Open(t.Context(), CoreConfig{Data: t.TempDir(), Now: now, AllowSample: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = core.Close(context.Background()) })
	ids, err := core.People.Put(t.Context(), []person.Record{{Name: zhang.name, Document: idnum.Document{Kind: idnum.ResidentID, Number: zhang.number}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := core.Status.Load(t.Context()); err != nil { // reads once; nothing follows the feed here
		t.Fatal(err)
	}
	book, err := scene.Parse(strings.NewReader("scenes:\n  ticket:\n    title: {zh-CN: 检票, en: Ticket}\n    admission: {any: admit}\n    single_use: true\n"))
	if err != nil {
		t.Fatal(err)
	}
	log := scan.New(scan.Config{DB: core.DB, Node: core.Node, Now: now})
	t.Cleanup(log.Close)
	desk := verify.Desk{Decider: verify.Decider{Keys: core.Keys, Status: core.Status, Now: now}, Scenes: book, People: core.People, Log: log, Zone: time.UTC}
	at.Add((11 * time.Minute).Milliseconds())
	m, err := (&mint.Minter{Keys: core.Keys, Now: now}).Mint(code.KindLive, ids[0])
	if err != nil {
		t.Fatal(err)
	}
	by := &session.Principal{Person: ids[0], Grants: []session.Grant{{Scene: "ticket"}}}
	for i, want := range []scan.Outcome{scan.Unconfirmed, scan.AlreadyUsed} {
		a, err := desk.Check(t.Context(), verify.Request{By: by, Text: string(m.Text), Scene: "ticket", Method: "manual"})
		if err != nil || a.Outcome != want {
			t.Errorf("scan %d: %s %v, want %s", i+1, a.Outcome, err, want)
		}
	}
	// A code of a clock that is ahead names its holder for the record alone.
	at.Add(-(10 * time.Second).Milliseconds())
	d, err := desk.Decide(t.Context(), []byte(m.Text), scene.Scene{})
	if err != nil || d.Outcome != scan.NotYetValid || d.Subject != ids[0] {
		t.Errorf("ahead: %+v %v", d, err)
	}
}
