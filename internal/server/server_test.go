package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/keys"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/scene"
	"github.com/citycode/citycode/internal/status"
)

func statusImport(core *Core) status.ImportOptions { return status.ImportOptions{Finder: core.People} }

func TestAShownCodeIsVerifiedWithTheLeastDataThatServes(t *testing.T) {
	each(t, func(t *testing.T, c *city) {
		c.people(zhang, li)
		resident, _ := c.signIn(zhang)
		verifier := c.verifier(li, "venue-entry", "id-check")

		shown := c.post(resident, "/v1/codes", map[string]any{})
		if shown.status != 201 || len(shown.text("code.text")) != 61 || shown.text("code.kind") != "live" || shown.text("status.color") != "green" ||
			shown.text("holder.name") != "张*三" || shown.at("degraded") != false || shown.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("shown: %d %s", shown.status, shown.raw)
		}
		a := c.scan(verifier, shown.text("code.text"))
		if a.status != 200 || a.text("outcome") != "valid" || a.text("admission") != "admit" || a.text("status.color") != "green" ||
			a.text("subject.name") != "张*三" || a.at("subject.document_number") != nil || a.text("durability") != "committed" {
			t.Errorf("scanned: %d %s", a.status, a.raw)
		}
		if want := "李* 5678　2026-11-22 09:02:03　" + a.text("id")[18:]; a.text("watermark.text") != want {
			t.Errorf("watermark %q, want %q", a.text("watermark.text"), want)
		}
		for _, secret := range []string{zhang.name, zhang.number, zhang.phone, zhang.birth} {
			if strings.Contains(a.raw, secret) {
				t.Errorf("the answer holds %q", secret)
			}
		}

		looks := c.get(resident, "/v1/me/looks")
		list, _ := looks.at("items").([]any)
		if len(list) != 1 || !strings.Contains(looks.raw, `"verifier":"李*"`) || !strings.Contains(looks.raw, `"disclosed":["name","status"]`) {
			t.Errorf("looks: %s", looks.raw)
		}
		if mine := c.get(verifier, "/v1/verifications"); strings.Contains(mine.raw, "张") || !strings.Contains(mine.raw, a.text("id")) {
			t.Errorf("the verifier's list: %s", mine.raw)
		}
		if n := c.get(verifier, "/v1/verifications/counts?from=2026-11-21T16:00:00Z"); n.at("total") != 1.0 || n.at("by_admission.admit") != 1.0 {
			t.Errorf("counts: %s", n.raw)
		}

		// The other scene: number and photo, no colour, whatever the colour.
		c.colour(c.core, zhang, "red", "confirmed_case")
		c.until("red", func() bool { return c.get(resident, "/v1/me/status").text("color") == "red" })
		b := c.post(verifier, "/v1/verifications", map[string]any{"text": c.show(resident), "scene": "id-check"})
		if b.text("outcome") != "valid" || b.text("admission") != "admit" || b.at("status") != nil ||
			b.text("subject.document_number") != "3****************"+zhang.number[17:] {
			t.Errorf("id-check: %s", b.raw)
		}
		photo := c.get(verifier, b.text("subject.photo_url"))
		if photo.status != 200 || photo.header.Get("Content-Type") != "image/jpeg" || photo.header.Get("Cache-Control") != "no-store" {
			t.Errorf("photo: %d %v", photo.status, photo.header)
		}
		if other := c.get(resident, b.text("subject.photo_url")); other.status != 403 {
			t.Errorf("the photo for another: %d", other.status)
		}
		c.move(61 * time.Second)
		if late := c.get(verifier, b.text("subject.photo_url")); late.status != 404 {
			t.Errorf("the photo a minute later: %d", late.status)
		}
		if red := c.scan(verifier, c.show(resident)); red.text("admission") != "refuse" || red.text("status.color") != "red" || red.text("status.label") != "红码" {
			t.Errorf("red: %s", red.raw)
		}
	})
}

func TestNothingButAGoodCodeDisclosesAnything(t *testing.T) {
	each(t, func(t *testing.T, c *city) {
		c.people(zhang, li)
		resident, _ := c.signIn(zhang)
		verifier := c.verifier(li, "venue-entry")
		refused := func(what string, a answer, outcomes ...string) {
			t.Helper()
			ok := false
			for _, o := range outcomes {
				ok = ok || a.text("outcome") == o
			}
			if a.status != 200 || !ok || a.text("admission") != "refuse" || a.at("subject") != nil || a.at("status") != nil || len(a.text("id")) != 26 {
				t.Errorf("%s: %d %s", what, a.status, a.raw)
			}
		}
		good := c.show(resident)
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
		for i := range good {
			other := alphabet[(strings.IndexByte(alphabet, good[i])+1+i)%32]
			if other == good[i] {
				continue
			}
			refused(fmt.Sprintf("character %d changed", i), c.scan(verifier, good[:i]+string(other)+good[i+1:]), "malformed", "unknown_key", "forged", "expired", "not_yet_valid")
		}
		for what, text := range map[string]string{
			"nothing": "", "cut": good[:60], "twice": good + good, "inside": good[:30] + " " + good[30:], "long": strings.Repeat("A", 60_000),
			"a web address": "https://example.org/p/1", "a payment code": "wxp://f2f0abc", "another city's": "HTTPS://HOST/P/" + good[:42],
			"binary": "\x00\x01\u202e", "emoji": strings.Repeat("😀", 61), "long s": strings.ReplaceAll(strings.ToLower(good), "s", "ſ") + "ſ",
			"a document number": zhang.number, "JSON": `{"text":"x"}`, "quotes": `"'<script>`,
		} {
			refused(what, c.scan(verifier, text), "malformed")
		}
		for what, text := range map[string]string{"lower case": strings.ToLower(good), "white space": " \t" + good + "\r\n"} {
			if a := c.scan(verifier, text); a.text("outcome") != "valid" {
				t.Errorf("%s: %s", what, a.raw)
			}
		}
		if a := c.scan(verifier, good); a.text("outcome") != "valid" {
			t.Errorf("again within the minute: %s", a.raw)
		}
		c.move(59 * time.Second)
		if a := c.scan(verifier, good); a.text("outcome") != "valid" {
			t.Errorf("after 59 s: %s", a.raw)
		}
		c.move(time.Second)
		refused("after 60 s", c.scan(verifier, good), "expired")
		c.move(-66 * time.Second)
		refused("6 s before it was made", c.scan(verifier, good), "not_yet_valid")
		c.move(66 * time.Second)

		if err := c.core.People.SetState(t.Context(), c.id(zhang), person.Suspended); err != nil {
			t.Fatal(err)
		}
		c.until("suspended", func() bool { return c.post(resident, "/v1/codes", map[string]any{}).status == 403 })
		refused("a suspended holder", c.scan(verifier, c.mint(code.KindLive, c.id(zhang))), "not_valid")
		refused("a relation that isn't", c.scan(verifier, c.mint(code.KindRelative, 77)), "not_valid")
		refused("a person that isn't", c.scan(verifier, c.mint(code.KindLive, 77)), "not_valid")
	})
}

func TestARepeatedScanIsTheSameScan(t *testing.T) {
	each(t, func(t *testing.T, c *city) {
		c.people(zhang, li)
		resident, _ := c.signIn(zhang)
		verifier := c.verifier(li, "venue-entry")
		key, text := uuid.NewString(), c.show(resident)
		first := c.scan(verifier, text, "Idempotency-Key", key)
		again := c.scan(verifier, text, "Idempotency-Key", key)
		if first.text("outcome") != "valid" || again.text("id") != first.text("id") || again.at("repeated") != true || first.at("repeated") != nil ||
			again.text("subject.name") != "张*三" || again.text("watermark.text") != first.text("watermark.text") {
			t.Errorf("first %s\nagain %s", first.raw, again.raw)
		}
		if other := c.scan(verifier, text+"A", "Idempotency-Key", key); other.status != 409 || other.text("code") != "idempotency_key_reused" {
			t.Errorf("another body: %d %s", other.status, other.raw)
		}
		c.move(61 * time.Second)
		late := c.scan(verifier, text, "Idempotency-Key", key)
		if late.text("outcome") != "valid" || late.at("repeated") != true || late.at("subject") != nil {
			t.Errorf("a minute later: %s", late.raw)
		}
		for _, bad := range []string{"x", strings.Repeat("a", 36), strings.ReplaceAll(key, "-", "")} {
			if a := c.scan(verifier, text, "Idempotency-Key", bad); a.status != 422 {
				t.Errorf("key %q: %d %s", bad, a.status, a.raw)
			}
		}
		if n := c.get(verifier, "/v1/verifications/counts"); n.at("total") != 1.0 {
			t.Errorf("counts: %s", n.raw)
		}
	})
}

func TestWhoMayCallIsDecidedBeforeTheBodyIsRead(t *testing.T) {
	each(t, func(t *testing.T, c *city) {
		c.people(zhang, li)
		resident, _ := c.signIn(zhang)
		verifier := c.verifier(li, "venue-entry")
		check := func(what string, a answer, status int, code string) {
			t.Helper()
			if a.status != status || a.text("code") != code || a.header.Get("Content-Type") != "application/problem+json" ||
				a.text("request_id") != a.header.Get("X-Request-Id") || a.text("title") == "" || a.at("status") != float64(status) {
				t.Errorf("%s: %d %s %v", what, a.status, a.raw, a.header)
			}
		}
		check("nobody, broken body", c.post("", "/v1/verifications", "{"), 401, "not_signed_in")
		check("a bad token", c.post("x", "/v1/verifications", "{"), 401, "token_invalid")
		check("a resident, broken body", c.post(resident, "/v1/verifications", "{"), 403, "not_allowed")
		check("a scene that isn't granted", c.post(verifier, "/v1/verifications", map[string]any{"text": "x", "scene": "id-check"}), 403, "not_allowed")
		check("no such scene", c.post(verifier, "/v1/verifications", map[string]any{"text": "x", "scene": "moon"}), 422, "unknown_scene")
		check("broken body", c.post(verifier, "/v1/verifications", "{"), 422, "invalid_request")
		check("missing field", c.post(verifier, "/v1/verifications", map[string]any{"scene": "venue-entry"}), 422, "invalid_request")
		check("unknown field", c.post(verifier, "/v1/verifications", map[string]any{"text": "x", "scene": "venue-entry", "colour": 1}), 422, "invalid_request")
		check("too large", c.post(verifier, "/v1/verifications", map[string]any{"text": strings.Repeat("A", 70_000), "scene": "venue-entry"}), 413, "body_too_large")
		check("another type", c.post(verifier, "/v1/verifications", "text", "Content-Type", "text/csv"), 415, "unsupported_media_type")
		check("no such path", c.get(verifier, "/v1/nowhere"), 404, "not_found")
		wrong := c.do(http.MethodPut, verifier, "/v1/codes", nil)
		check("another method", wrong, 405, "method_not_allowed")
		if wrong.header.Get("Allow") != "POST" {
			t.Errorf("Allow: %q", wrong.header.Get("Allow"))
		}
		check("no demo here", c.get("", "/v1/demo/personas"), 404, "not_found")
		check("a limit too high", c.get(verifier, "/v1/verifications?limit=201"), 422, "invalid_request")
		check("no limit", c.get(verifier, "/v1/verifications?limit=0"), 422, "invalid_request")
		check("a bad cursor", c.get(verifier, "/v1/verifications?cursor=!"), 422, "invalid_cursor")
		check("a bad time", c.get(verifier, "/v1/verifications?from=yesterday"), 422, "invalid_request")
		check("another's scan", c.get(verifier, "/v1/verifications/00000000000000000000000000"), 404, "no_such_scan")
		check("no relatives yet", c.post(resident, "/v1/codes", map[string]any{"relative_id": "x"}), 404, "unknown_relative")
		if a := c.get("", "/v1/me", "Accept-Language", "en-GB,en;q=0.8"); a.text("title") != "Please sign in first" {
			t.Errorf("in English: %s", a.raw)
		}
		if a := c.get("", "/v1/me"); a.text("title") != "请先登录" {
			t.Errorf("in Chinese: %s", a.raw)
		}
		if big := c.get("", "/v1/time", "X-Big", strings.Repeat("a", 40_000)); big.status != 431 {
			t.Errorf("large headers: %d", big.status)
		}
	})
}

func TestAnAppOpenForAnHourKeepsWorking(t *testing.T) {
	each(t, func(t *testing.T, c *city) {
		c.people(zhang)
		access, refresh := c.signIn(zhang)
		for range 6 {
			c.move(10 * time.Minute)
			a := c.post("", "/v1/sessions/refresh", map[string]any{"refresh_token": refresh})
			if a.status != 200 {
				t.Fatalf("refresh: %d %s", a.status, a.raw)
			}
			access, refresh = a.text("access_token"), a.text("refresh_token")
			c.show(access)
		}
		c.move(16 * time.Minute)
		if a := c.post(access, "/v1/codes", map[string]any{}); a.status != 401 || a.text("code") != "token_expired" {
			t.Errorf("an old access token: %d %s", a.status, a.raw)
		}
		if a := c.get(access, "/v1/me"); a.status != 401 {
			t.Errorf("an old access token: %d %s", a.status, a.raw)
		}
	})
}

func TestAnHonestRetryOfARefreshWorksAndAStolenTokenEndsTheSession(t *testing.T) {
	each(t, func(t *testing.T, c *city) {
		c.people(zhang)
		_, first := c.signIn(zhang)
		refresh := func(token string) answer {
			return c.post("", "/v1/sessions/refresh", map[string]any{"refresh_token": token})
		}
		second := refresh(first)
		retried := refresh(first) // the answer was lost on the way
		if second.status != 200 || retried.text("refresh_token") != second.text("refresh_token") {
			t.Fatalf("second %s\nretried %s", second.raw, retried.raw)
		}
		third := refresh(second.text("refresh_token"))
		if third.status != 200 {
			t.Fatalf("third: %s", third.raw)
		}
		if a := refresh(first); a.status != 401 || a.text("code") != "session_ended" {
			t.Errorf("a token used long ago: %d %s", a.status, a.raw)
		}
		if a := refresh(third.text("refresh_token")); a.status != 401 {
			t.Errorf("after a reuse the session goes on: %d", a.status)
		}
		c.until("ended", func() bool { return c.get(third.text("access_token"), "/v1/me").text("code") == "session_ended" })
		for _, bad := range []string{"", "x", first[:len(first)-1] + "A", strings.Repeat("A", 200), strings.Repeat("A", 201)} {
			if a := refresh(bad); a.status != 401 && a.status != 422 {
				t.Errorf("refresh %q: %d", bad, a.status)
			}
		}

		_, slow := c.signIn(zhang)
		if refresh(slow).status != 200 {
			t.Fatal("refresh")
		}
		c.move(61 * time.Second)
		if a := refresh(slow); a.status != 401 {
			t.Errorf("a retry after 60 s: %d", a.status)
		}

		access, _ := c.signIn(zhang)
		if a := c.do(http.MethodDelete, access, "/v1/sessions/current", nil); a.status != 204 {
			t.Errorf("sign out: %d %s", a.status, a.raw)
		}
		if a := c.post(access, "/v1/codes", map[string]any{}); a.status != 401 || a.text("code") != "session_ended" {
			t.Errorf("after signing out: %d %s", a.status, a.raw)
		}
	})
}

func TestTwoNodesShareCodesTokensStatusesAndKeys(t *testing.T) {
	p := dbtest.Fresh(t, db.PostgreSQL)
	a := start(t, t.TempDir(), p.URL, nil)
	a.people(zhang, li)
	b := start(t, t.TempDir(), p.URL, func(cc *CoreConfig, _ *Config) { cc.KeyFile = a.core.Config.KeyPath() })
	resident, _ := a.signIn(zhang)
	verifier := b.verifier(li, "venue-entry")

	if got := b.scan(verifier, a.show(resident)); got.text("outcome") != "valid" {
		t.Fatalf("a code of one on the other: %s", got.raw)
	}
	if got := a.scan(verifier, b.show(resident)); got.text("outcome") != "valid" {
		t.Fatalf("code and token the other way: %s", got.raw)
	}
	before := a.show(resident)
	if _, err := a.core.RotateKeys(t.Context(), keys.Live, false); err != nil {
		t.Fatal(err)
	}
	a.move(11 * time.Second)
	b.move(11 * time.Second)
	a.until("rotated", func() bool {
		g, err := b.core.Keys.Sealing(keys.Live)
		return err == nil && g.Low() != before[2] && g.Number > 0
	})
	for what, text := range map[string]string{"from before the rotation": before, "after it": a.show(resident), "on the other": b.show(resident)} {
		if got := b.scan(verifier, text); got.text("outcome") != "valid" {
			t.Errorf("a code %s: %s", what, got.raw)
		}
	}
	a.colour(a.core, zhang, "yellow", "close_contact")
	for _, c := range []*city{a, b} {
		c.until("yellow", func() bool { return c.get(resident, "/v1/me/status").text("color") == "yellow" })
	}
	if got := a.do(http.MethodDelete, resident, "/v1/sessions/current", nil); got.status != 204 {
		t.Fatal(got.raw)
	}
	b.until("signed out there too", func() bool { return b.get(resident, "/v1/me").status == 401 })

	stolen := a.show(verifier)
	if _, err := a.core.RotateKeys(t.Context(), keys.Live, true); err != nil {
		t.Fatal(err)
	}
	b.until("refused", func() bool { return b.scan(verifier, stolen).text("outcome") == "unknown_key" })
	b.until("minting anew", func() bool { return a.scan(verifier, b.show(verifier)).text("outcome") == "valid" })
}

func TestShowingGoesOnWithoutTheDatabaseAndVerifyingSaysToWait(t *testing.T) {
	pg := dbtest.StartPostgres(t)
	c := start(t, t.TempDir(), pg.URL, nil)
	c.people(zhang, li)
	resident, _ := c.signIn(zhang)
	verifier := c.verifier(li, "venue-entry")
	c.until("in memory", func() bool { return c.core.Status.Len() == 2 })
	pg.Stop()
	c.at.Add((5 * time.Second).Milliseconds())
	c.until("degraded", func() bool { return strings.Contains(c.get("", "/readyz").raw, `"degraded":["database"]`) })
	if a := c.get("", "/readyz"); a.status != 200 || !strings.Contains(a.raw, "the database hasn't answered since 2026-11-22T01:0") {
		t.Errorf("readyz: %d %s", a.status, a.raw)
	}
	shown := c.post(resident, "/v1/codes", map[string]any{})
	if shown.status != 201 || shown.at("degraded") != true {
		t.Fatalf("showing: %d %s", shown.status, shown.raw)
	}
	a := c.scan(verifier, shown.text("code.text"))
	if a.status != 503 || a.header.Get("Retry-After") == "" || a.at("outcome") != nil {
		t.Errorf("verifying: %d %s %v", a.status, a.raw, a.header)
	}
	// An hour into the outage the token has expired, and still shows.
	c.at.Add(time.Hour.Milliseconds())
	if late := c.post(resident, "/v1/codes", map[string]any{}); late.status != 201 {
		t.Errorf("showing an hour later: %d %s", late.status, late.raw)
	}
	if me := c.get(resident, "/v1/me"); me.status != 401 {
		t.Errorf("anything else an hour later: %d", me.status)
	}
	c.at.Add((80 * time.Minute).Milliseconds())
	if late := c.post(resident, "/v1/codes", map[string]any{}); late.status != 401 {
		t.Errorf("showing two hours and more past its time: %d", late.status)
	}
	c.at.Add(-(140 * time.Minute).Milliseconds())
	pg.Start()
	c.until("well again", func() bool { return !strings.Contains(c.get("", "/readyz").raw, "degraded") })
	c.until("verifying again", func() bool { return c.scan(verifier, c.show(resident)).text("outcome") == "valid" })
}

func TestAChangeOfStatusReachesAnOpenPage(t *testing.T) {
	each(t, func(t *testing.T, c *city) {
		c.people(zhang)
		resident, _ := c.signIn(zhang)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/v1/me/status/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+resident)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if ct := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || ct != "text/event-stream" {
			t.Fatalf("%d %s", resp.StatusCode, ct)
		}
		events := make(chan string, 10)
		go func() {
			defer close(events)
			for s := bufio.NewScanner(resp.Body); s.Scan(); {
				if data, ok := strings.CutPrefix(s.Text(), "data: "); ok {
					var st struct{ Color string }
					_ = json.Unmarshal([]byte(data), &st)
					events <- st.Color
				}
			}
		}()
		if got := <-events; got != "green" {
			t.Errorf("at once: %q", got)
		}
		c.colour(c.core, zhang, "red", "positive_test")
		if got := <-events; got != "red" {
			t.Errorf("after the change: %q", got)
		}
		c.stop() // an open page does not keep the server from ending
		for range events {
		}
	})
}

func TestAScenesRulesAreTheServersRules(t *testing.T) {
	book, err := scene.Parse(strings.NewReader(`scenes:
  ticket:
    title: {zh-CN: 检票, en: Ticket}
    admission: {any: admit}
    single_use: true
  counter:
    title: {zh-CN: 柜台, en: Counter}
    discloses: {name: clear, phone: masked}
    admission: {any: admit}
  paper-only:
    title: {zh-CN: 离线, en: Paper}
    kinds: [paper]
    admission: {any: admit}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			p := dbtest.Fresh(t, engine)
			dir := p.Dir
			if dir == "" {
				dir = t.TempDir()
			}
			c := start(t, dir, p.URL, func(_ *CoreConfig, cfg *Config) { cfg.Scenes = &book })
			c.people(zhang, li)
			resident, _ := c.signIn(zhang)
			verifier := c.verifier(li, "ticket", "counter", "paper-only")
			scan := func(scene, text string) answer {
				return c.post(verifier, "/v1/verifications", map[string]any{"text": text, "scene": scene})
			}
			text := c.show(resident)
			var wg sync.WaitGroup
			outcomes := make([]string, 8)
			for i := range outcomes {
				wg.Go(func() { outcomes[i] = scan("ticket", text).text("outcome") })
			}
			wg.Wait()
			n := map[string]int{}
			for _, o := range outcomes {
				n[o]++
			}
			if n["valid"] != 1 || n["already_used"] != 7 {
				t.Errorf("eight gates, one code: %v", n)
			}
			if a := scan("paper-only", text); a.text("outcome") != "not_for_scene" || a.at("subject") != nil {
				t.Errorf("paper-only: %s", a.raw)
			}
			if a := scan("counter", text); a.text("subject.name") != zhang.name || a.text("subject.phone") != "199****1234" {
				t.Errorf("counter: %s", a.raw)
			}
			c.move(61 * time.Minute) // past the step-up
			verifierLater, _ := c.signInPlain(li)
			if a := c.post(verifierLater, "/v1/verifications", map[string]any{"text": text, "scene": "counter"}); a.status != 403 || a.text("code") != "step_up_needed" {
				t.Errorf("clear fields without a fresh proof: %d %s", a.status, a.raw)
			}
		})
	}
}

func TestCallersAreHeldToTheirRate(t *testing.T) {
	dir := t.TempDir()
	c := start(t, dir, "", func(_ *CoreConfig, cfg *Config) {
		cfg.RateFactor = 1
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	})
	c.people(zhang, li)
	resident, _ := c.signIn(zhang)
	for range 30 {
		c.show(resident)
	}
	a := c.post(resident, "/v1/codes", map[string]any{})
	if a.status != 429 || a.text("code") != "too_many_requests" || a.header.Get("Retry-After") == "" {
		t.Errorf("31 in a minute: %d %s", a.status, a.raw)
	}
	other, _ := c.signIn(li)
	c.show(other) // the same address, another person
	// A flood of bad tokens from one address: refused there, no one else is.
	refused := 0
	for range 700 {
		if c.get("bad", "/v1/me", "X-Forwarded-For", "203.0.113.7").status == 429 {
			refused++
		}
	}
	if refused < 50 {
		t.Errorf("%d of 700 bad tokens were held back", refused)
	}
	if a := c.get("bad", "/v1/me", "X-Forwarded-For", "203.0.113.8"); a.status != 401 {
		t.Errorf("another address: %d", a.status)
	}
	if a := c.get(other, "/v1/me", "X-Forwarded-For", "203.0.113.7"); a.status != 200 {
		t.Errorf("a good token from the flooding address: %d", a.status)
	}
	_, refresh := c.signIn(li)
	if a := c.post("", "/v1/sessions/refresh", map[string]any{"refresh_token": refresh}, "X-Forwarded-For", "203.0.113.7"); a.status != 200 {
		t.Errorf("a good refresh token from the flooding address: %d %s", a.status, a.raw)
	}
	refused = 0
	for range 700 {
		if c.post("", "/v1/sessions/refresh", map[string]any{"refresh_token": "x"}, "X-Forwarded-For", "203.0.113.9").status == 429 {
			refused++
		}
	}
	if refused < 50 {
		t.Errorf("%d of 700 bad refresh tokens were held back", refused)
	}
}

func TestXForwardedForIsBelievedFromTrustedProxiesOnly(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct{ peer, header, want string }{
		{"192.0.2.1:1", "203.0.113.7", "192.0.2.1"},
		{"10.1.1.1:1", "203.0.113.7", "203.0.113.7"},
		{"10.1.1.1:1", "203.0.113.9, 203.0.113.7, 10.2.2.2", "203.0.113.7"},
		{"10.1.1.1:1", "", "10.1.1.1"},
		{"10.1.1.1:1", "junk", "10.1.1.1"},
		{"10.1.1.1:1", "203.0.113.7, junk", "10.1.1.1"},
	} {
		s := &Server{cfg: Config{TrustedProxies: proxies}}
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		if c.header != "" {
			r.Header.Set("X-Forwarded-For", c.header)
		}
		if got := s.address(r).String(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestNoPersonalDataInLogsAndMetrics(t *testing.T) {
	each(t, func(t *testing.T, c *city) {
		c.people(zhang, li, wang)
		resident, refresh := c.signIn(zhang)
		verifier := c.verifier(li, "venue-entry", "id-check")
		text := c.show(resident)
		c.scan(verifier, text)
		c.scan(verifier, zhang.number)
		c.scan(verifier, zhang.name)
		c.get(resident, "/v1/me")
		c.get(resident, "/v1/me?name="+zhang.number)
		c.post("", "/v1/sessions/refresh", map[string]any{"refresh_token": refresh, "name": zhang.number})
		metrics := c.get("", "/metrics")
		if metrics.status != 200 || !strings.Contains(metrics.raw, `citycode_verifications_total{admission="admit",outcome="valid"} 1`) {
			t.Errorf("metrics: %d", metrics.status)
		}
		c.stop()
		seen := c.log.String() + metrics.raw
		for _, secret := range []string{zhang.name, zhang.number, zhang.phone, zhang.birth, li.name, li.number, li.phone, text, resident, refresh, verifier} {
			if strings.Contains(seen, secret) {
				t.Errorf("log or metrics hold %q", secret)
			}
		}
	})
}

func TestADatabaseIsNotOpenedWithAnotherKeyFile(t *testing.T) {
	each(t, func(t *testing.T, c *city) {
		c.stop()
		_, err := Open(t.Context(), CoreConfig{Data: c.core.Config.Data, Database: c.core.Config.Database, KeyFile: t.TempDir() + "/other.key"})
		if err == nil || !strings.Contains(err.Error(), "key_file_missing") {
			t.Errorf("without its key file: %v", err)
		}
	})
}

func TestAChangedTokenOpensNothing(t *testing.T) {
	c := start(t, t.TempDir(), "", nil)
	c.people(zhang)
	access, _ := c.signIn(zhang)
	if _, err := c.srv.sessions.Open(access, false); err != nil {
		t.Fatal(err)
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range access {
		for _, by := range []int{1, 2, 33} { // the last character has spare bits
			other := alphabet[(strings.IndexByte(alphabet, access[i])+by)%64]
			if p, err := c.srv.sessions.Open(access[:i]+string(other)+access[i+1:], true); err == nil {
				t.Fatalf("character %d changed, and it opened: %+v", i, p)
			}
		}
	}
	for _, bad := range []string{"", "=", access + "=", access + "A", access[:len(access)-1], strings.Repeat("A", 5000)} {
		if _, err := c.srv.sessions.Open(bad, true); err == nil {
			t.Errorf("opened %q", bad)
		}
	}
}
