package fault

import (
	"context"
	"fmt"
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
	"github.com/citycode/citycode/internal/demo"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/status"
)

// visitors keep showing on one process and checking on the other, until stopped.
// Anything but a valid code is an error.
type visitors struct {
	t      *testing.T
	wg     sync.WaitGroup
	ended  atomic.Bool
	rounds atomic.Int64
}

func visit(t *testing.T, shows, checks *client) *visitors {
	v := &visitors{t: t}
	v.wg.Go(func() {
		for !v.ended.Load() && !t.Failed() {
			a := shows.call(t.Context(), http.MethodPost, "/v1/codes", map[string]any{})
			var shown struct {
				Code struct{ Text string } `json:"code"`
			}
			if err := a.into(&shown); err != nil || a.status != http.StatusCreated {
				t.Errorf("showing: %s", a)
				return
			}
			var found verification
			a = checks.call(t.Context(), http.MethodPost, "/v1/verifications", scanOf(shown.Code.Text))
			if err := a.into(&found); err != nil || found.Outcome != "valid" {
				t.Errorf("checking: %s", a)
				return
			}
			v.rounds.Add(1)
		}
	})
	t.Cleanup(func() { v.end() })
	return v
}

func (v *visitors) end() int64 {
	v.ended.Store(true)
	v.wg.Wait()
	return v.rounds.Load()
}

func generation(t *testing.T, text string) uint8 {
	t.Helper()
	s, err := code.ParseLive(code.Text(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Generation()
}

func TestTwoProcessesServeOneCity(t *testing.T) {
	t.Parallel()
	here := empty(t, db.PostgreSQL)
	a := serving(t, here.demo("--people", "50")...)
	there := here.beside(t)
	b := serving(t, there.demo("--people", "50")...)
	resident, verifier := a.signIn("resident-green"), b.signIn("verifier")

	// Codes and tokens of either are good on the other.
	for _, c := range []struct {
		what          string
		shows, checks *client
	}{
		{"a code of one on the other", resident, verifier},
		{"the tokens carried to the other process", resident.on(b), verifier.on(a)},
		{"both on one", resident, verifier.on(a)},
	} {
		if v := c.checks.scan(c.shows.show()); v.Outcome != "valid" || v.Admission != "admit" || v.Subject.Name == "" {
			t.Errorf("%s: %+v", c.what, v)
		}
	}

	// A rotation in between disturbs nobody who goes on showing and checking.
	visits := []*visitors{visit(t, resident, verifier), visit(t, resident.on(b), verifier.on(a))}
	before := generation(t, resident.show())
	succeed(t, there.at("key", "rotate")...)
	succeed(t, here.at("key", "rotate", "--ring", "session")...)
	succeed(t, here.at("key", "rotate", "--ring", "audit")...)
	until(t, "minting under the new key on both", func() bool {
		return generation(t, resident.show()) != before && generation(t, resident.on(b).show()) != before
	})
	for i, c := range []*client{a.signIn("elder"), b.signIn("elder")} {
		if v := verifier.scan(c.show()); v.Outcome != "valid" {
			t.Errorf("signed in on process %d after the rotation: %+v", i, v)
		}
	}

	// A colour imported beside them is seen by both.
	green := []person.Record{demo.Personas()[0].Record}
	for _, color := range []string{"yellow", "red", "green"} {
		file := statusFile(t, green, color, "test_"+color)
		imported := make(chan time.Time, 1)
		go func() {
			r := command(t, append(here.at("import", "status"), file)...)
			imported <- time.Now()
			if r.exit != 0 {
				t.Errorf("import: %s", r)
			}
		}()
		var seen [2]time.Time
		until(t, color+" on both", func() bool {
			for i, c := range []*client{resident, resident.on(b)} {
				if seen[i].IsZero() && c.color() == color {
					seen[i] = time.Now()
				}
			}
			return !seen[0].IsZero() && !seen[1].IsZero()
		})
		// The rows are written before the command says so and ends.
		end := <-imported
		t.Logf("%s: seen %v and %v after the import's end", color, seen[0].Sub(end).Round(time.Millisecond), seen[1].Sub(end).Round(time.Millisecond))
		if v := verifier.scan(resident.show()); v.Status.Color != color {
			t.Errorf("verified as %q", v.Status.Color)
		}
	}
	for i, v := range visits {
		t.Logf("visitors %d: %d codes shown and checked meanwhile", i, v.end())
	}
	a.stop()
	b.stop()
	here.auditHolds(t)
}

// census compares a demo's database with what the generator of its people says:
// everyone is there once, with their colour; and the scans of the morning, beside
// those that the test made without a key.
func census(t *testing.T, p place, size, own int) {
	t.Helper()
	people := demo.Personas()
	records, colors := []person.Record{}, []demo.Status{}
	for _, x := range people {
		records, colors = append(records, x.Record), append(colors, x.Status)
	}
	more, moreColors := demo.People(size, time.Time{})
	records, colors = append(records, more...), append(colors, moreColors...)

	pair := p.open(t)
	for table, want := range map[string]int64{"person": int64(len(records)), "person_index": int64(len(records)), "status": int64(len(records))} {
		if n := count(t, pair.Main, table); n != want {
			t.Errorf("%d rows in %s, want %d", n, table, want)
		}
	}
	// Importing the colours that everyone is to have changes nothing: whoever was
	// missing would be rejected, whoever had another colour changed.
	var text strings.Builder
	text.WriteString("document_kind,document_number,color,reason_code\n")
	for i, r := range records {
		reason := colors[i].Reason
		if colors[i].Color == status.Green {
			reason = "no_adverse_record"
		}
		fmt.Fprintf(&text, "%s,%s,%s,%s\n", r.Document.Kind, r.Document.Number, colors[i].Color, reason)
	}
	file := filepath.Join(t.TempDir(), "census.csv")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r := succeed(t, append(p.at("import", "status"), file)...)
	if want := fmt.Sprintf("%d rows: 0 changed, %d as before, 0 rejected", len(records), len(records)); !strings.Contains(r.out, want) {
		t.Errorf("%swant %s", r.out, want)
	}
	var scans, keys, subjects int64
	ask(t, pair.Main, "select count(*), count(distinct subject) from scan", &scans, &subjects)
	ask(t, pair.Main, "select count(*) from scan_key", &keys)
	// 24 of the first people passed, all but the verifier herself.
	if want := int64(min(24, len(records)) - 1); scans != want+int64(own) || keys != want || subjects != want {
		t.Errorf("%d scans of %d people under %d keys, want %d and %d without a key", scans, subjects, keys, want, own)
	}
	p.auditHolds(t)
}

func TestTwoDemosStartedAtOnceMakeOneCity(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		const size = 1500
		args := p.demo("--people", fmt.Sprint(size))
		var starting [2]*process
		for i := range starting {
			starting[i] = launch(t, args...)
		}
		for _, s := range starting {
			s.listening()
			s.ready()
		}
		if v := starting[0].signIn("verifier").scan(starting[1].signIn("elder").show()); v.Outcome != "valid" {
			t.Errorf("%+v", v)
		}
		for _, s := range starting {
			s.stop()
		}
		census(t, p, size, 1)
	})
}

func TestADemoKilledWhileSeedingIsTakenUp(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		const size = 2500
		args := p.demo("--people", fmt.Sprint(size))
		open := sync.OnceValue(func() *db.DB { return p.open(t).Main })
		kills := 0
		for _, goal := range []int64{1, 1500} { // people
			s := launch(t, args...)
			s.listening() // the schema is there
			until(t, "some people there", func() bool {
				var n int64
				err := open().Read(t.Context(), func(ctx context.Context, q db.Querier) error {
					return q.QueryRow(ctx, "select count(*) from person").Scan(&n)
				})
				if err != nil {
					t.Fatal(err)
				}
				return n >= goal
			})
			var seeded *int64
			ask(t, open(), "select seeded_at from demo_mark", &seeded)
			if seeded == nil {
				kills++
			}
			s.kill()
		}
		if kills == 0 {
			t.Log("seeding was over before each kill: this machine was too slow to show anything")
		}
		s := serving(t, args...)
		s.stop()
		census(t, p, size, 0)
	})
}
