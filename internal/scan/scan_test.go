package scan

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/audit"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/keys"
	"github.com/citycode/citycode/internal/scene"
	"github.com/citycode/citycode/internal/status"
)

type bench struct {
	*Log
	keys *keys.Keeper
	node *commit.Node
	now  time.Time
}

func open(t testing.TB, p *dbtest.Pair) *bench {
	t.Helper()
	b := &bench{now: time.Date(2026, 11, 22, 1, 2, 3, 456_000_000, time.UTC)}
	now := func() time.Time { return b.now }
	file, err := keys.CreateFile(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	if b.keys, err = keys.Open(t.Context(), keys.Config{DB: p.Main, File: file, Now: now}); err != nil {
		t.Fatal(err)
	}
	if b.node, err = commit.Open(t.Context(), commit.Config{DB: p.Main, Keys: b.keys, Name: "test", Now: now}); err != nil {
		t.Fatal(err)
	}
	b.Log = New(Config{DB: p.Main, Node: b.node, Now: now})
	t.Cleanup(func() {
		b.Log.Close()
		if err := b.node.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) scan(t testing.TB, verifier, subject code.Handle) Scan {
	t.Helper()
	id, err := NewID(b.now)
	if err != nil {
		t.Fatal(err)
	}
	return Scan{ID: id, At: id.Time(), Verifier: verifier, Scene: "venue-entry", Method: "camera", Outcome: Valid,
		Admission: scene.Admit, Kind: code.KindLive, Subject: subject, Color: status.Green,
		Disclosed: []scene.Field{scene.PersonName, StatusField}, Channel: "test"}
}

func TestAnAppendedScanIsFoundAsItWas(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, p *dbtest.Pair) {
		b := open(t, p)
		// Handles use all 64 bits; a scan may know no person, and a client's clock.
		known := b.scan(t, 1<<63|7, 1<<63|9)
		known.ScannedAt = b.now.Add(-time.Second)
		known.Holder, known.Place = 5, "gate-1"
		unknown := b.scan(t, 1<<63|7, 0)
		unknown.Outcome, unknown.Admission, unknown.Kind, unknown.Color, unknown.Disclosed = Malformed, scene.Refuse, 0, status.None, nil
		for _, s := range []Scan{known, unknown} {
			if err := b.Append(t.Context(), &Entry{Scan: s}); err != nil {
				t.Fatal(err)
			}
			got, err := b.Get(t.Context(), s.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s, got, cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(0)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			parsed, err := ParseID(s.ID.String())
			if err != nil || parsed != s.ID {
				t.Errorf("ParseID(String()) = %v, %v", parsed, err)
			}
		}
		stranger, _ := NewID(b.now)
		if _, err := b.Get(t.Context(), stranger); fault.KindOf(err) != fault.NotFound {
			t.Errorf("an id that isn't there: %v", err)
		}
		for _, bad := range []string{"", "x", known.ID.String() + "0", "ZZZZZZZZZZZZZZZZZZZZZZZZZZ", known.ID.String()[:25] + "v"} {
			if _, err := ParseID(bad); fault.KindOf(err) != fault.NotFound {
				t.Errorf("ParseID(%q): %v", bad, err)
			}
		}
	})
}

func TestPagesCoverEveryScanOnceWhileOthersAreAdded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, p *dbtest.Pair) {
		b := open(t, p)
		want := map[ID]bool{}
		for i := range 25 {
			if i%3 == 0 { // several in one millisecond, several days
				b.now = b.now.Add(11 * time.Hour)
			}
			s := b.scan(t, 7, code.Handle(i%2+1))
			want[s.ID] = true
			if err := b.Append(t.Context(), &Entry{Scan: s}); err != nil {
				t.Fatal(err)
			}
		}
		got := map[ID]bool{}
		var last ID
		page := Page{Limit: 4}
		for first := true; first || page.Cursor != ""; first = false {
			list, next, err := b.ByVerifier(t.Context(), 7, Filter{}, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range list {
				if got[s.ID] {
					t.Errorf("%s came twice", s.ID)
				}
				if last != (ID{}) && s.ID.String() >= last.String() {
					t.Errorf("%s after %s isn't newest first", s.ID, last)
				}
				got[s.ID], last = true, s.ID
			}
			page.Cursor = next
			b.now = b.now.Add(time.Minute) // a scan comes in between pages
			if err := b.Append(t.Context(), &Entry{Scan: b.scan(t, 7, 1)}); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		mine, _, err := b.BySubject(t.Context(), 2, Filter{}, Page{Limit: 200})
		if err != nil || len(mine) != 12 {
			t.Errorf("person 2 was looked at %d times (%v), want 12", len(mine), err)
		}
		if none, _, err := b.ByVerifier(t.Context(), 8, Filter{}, Page{}); err != nil || len(none) != 0 {
			t.Errorf("another verifier sees %d (%v)", len(none), err)
		}
		for _, bad := range []Page{{Limit: 201}, {Limit: -1}, {Cursor: "!"}, {Cursor: "AAAA"}} {
			if _, _, err := b.ByVerifier(t.Context(), 7, Filter{}, bad); fault.KindOf(err) != fault.Invalid {
				t.Errorf("page %+v: %v", bad, err)
			}
		}
		n, err := b.Count(t.Context(), 7, b.now.Add(-300*24*time.Hour), b.now.Add(time.Second))
		if err != nil || n.Total != 25+7 || n.ByOutcome["valid"] != 32 || n.ByColor["green"] != 32 {
			t.Errorf("counts %+v, %v", n, err)
		}
	})
}

func TestTheSameKeyIsTheSameScan(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, p *dbtest.Pair) {
		b := open(t, p)
		key := &Key{Caller: "me", Key: "k1", Digest: []byte("request")}
		first := &Entry{Scan: b.scan(t, 7, 1), Key: key}
		if err := b.Append(t.Context(), first); err != nil || first.First != nil {
			t.Fatalf("first: %v %v", err, first.First)
		}
		again := &Entry{Scan: b.scan(t, 7, 1), Key: key}
		if err := b.Append(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		if again.First == nil || *again.First != first.Scan.ID || again.Clash {
			t.Errorf("again: %+v", again)
		}
		other := &Entry{Scan: b.scan(t, 7, 1), Key: &Key{Caller: "me", Key: "k1", Digest: []byte("another")}}
		if err := b.Append(t.Context(), other); err != nil || !other.Clash {
			t.Errorf("another request: clash %v, %v", other.Clash, err)
		}
		stranger := &Entry{Scan: b.scan(t, 8, 1), Key: &Key{Caller: "you", Key: "k1", Digest: []byte("another")}}
		if err := b.Append(t.Context(), stranger); err != nil || stranger.First != nil {
			t.Errorf("another caller's key: %+v, %v", stranger, err)
		}
		b.now = b.now.Add(KeyLifetime + time.Minute)
		late := &Entry{Scan: b.scan(t, 7, 1), Key: key}
		if err := b.Append(t.Context(), late); err != nil || late.First != nil {
			t.Errorf("after 24 h: %+v, %v", late, err)
		}
		list, _, err := b.ByVerifier(t.Context(), 7, Filter{}, Page{})
		if err != nil || len(list) != 2 {
			t.Errorf("%d scans of one key in a day and one after, %v; want 2", len(list), err)
		}
		b.now = b.now.Add(2 * KeyLifetime)
		if err := b.Housekeeping(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left int64
		err = p.Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
			return q.QueryRow(ctx, `select count(*) from scan_key`).Scan(&left)
		})
		if err != nil || left != 0 {
			t.Errorf("%d claims left after housekeeping, %v", left, err)
		}
	})
}

// A caller who gives up lets go of the key while the entry is on its way: the
// next try may be in the same batch.
func TestTriesOfOneKeyInOneBatchAreOneScan(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, p *dbtest.Pair) {
		b := open(t, p)
		entry := func(digest string) *Entry {
			return &Entry{Scan: b.scan(t, 7, 1), Key: &Key{Caller: "me", Key: "k", Digest: []byte(digest)}}
		}
		first, again, other := entry("request"), entry("request"), entry("another")
		if err := b.write(t.Context(), []*Entry{first, again, other}); err != nil {
			t.Fatal(err)
		}
		if first.First != nil || again.First == nil || *again.First != first.Scan.ID || again.Clash || !other.Clash {
			t.Errorf("in one batch: %v, %v %v, %v", first.First, again.First, again.Clash, other.Clash)
		}
		later := []*Entry{entry("another"), entry("request")}
		if err := b.write(t.Context(), later); err != nil {
			t.Fatal(err)
		}
		for i, clash := range []bool{true, false} {
			if e := later[i]; e.First == nil || *e.First != first.Scan.ID || e.Clash != clash {
				t.Errorf("later, entry %d: %v, clash %v; want scan %v, clash %v", i, e.First, e.Clash, first.Scan.ID, clash)
			}
		}
	})
}

// Midnight must not wait for whoever reads the log, nor the scans behind it.
func TestANewDayWaitsForNoReader(t *testing.T) {
	p := dbtest.Open(t, db.PostgreSQL)
	b := open(t, p)
	if err := b.Append(t.Context(), &Entry{Scan: b.scan(t, 7, 1)}); err != nil {
		t.Fatal(err)
	}
	err := p.Main.Snapshot(t.Context(), func(ctx context.Context, q db.Querier) error {
		var n int64
		if err := q.QueryRow(ctx, `select count(*) from scan`).Scan(&n); err != nil {
			return err
		}
		b.now = b.now.Add(24 * time.Hour)
		impatient, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return b.Append(impatient, &Entry{Scan: b.scan(t, 7, 1)})
	})
	if err != nil {
		t.Errorf("a scan on the next day, while the log is read: %v", err)
	}
}

func TestTwoProcessesAgreeOnAKeyAndOnASingleUse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, p *dbtest.Pair) {
		a := open(t, p)
		b := &bench{keys: a.keys, now: a.now}
		second := p.Open()
		node, err := commit.Open(t.Context(), commit.Config{DB: second.Main, Keys: a.keys, Name: "second", Now: func() time.Time { return b.now }})
		if err != nil {
			t.Fatal(err)
		}
		b.node = node
		b.Log = New(Config{DB: second.Main, Node: node, Now: func() time.Time { return b.now }})
		t.Cleanup(func() { b.Log.Close(); _ = node.Close(context.Background()) })

		const n = 40
		keyed, used := make([][2]*Entry, n), make([][2]*Entry, n)
		var wg sync.WaitGroup
		for i := range n {
			for j, l := range []*bench{a, b} {
				keyed[i][j] = &Entry{Scan: l.scan(t, 7, 1), Key: &Key{Caller: "me", Key: fmt.Sprint("key", i), Digest: []byte("d")}}
				used[i][j] = &Entry{Scan: l.scan(t, 7, 1), Use: &Use{Nonce: [12]byte{byte(i), 1}, Until: a.now.Add(time.Minute)}}
				for _, e := range []*Entry{keyed[i][j], used[i][j]} {
					wg.Go(func() {
						if err := l.Append(t.Context(), e); err != nil {
							t.Error(err)
						}
					})
				}
			}
		}
		wg.Wait()
		for i := range n {
			if k := keyed[i]; (k[0].First == nil) == (k[1].First == nil) {
				t.Errorf("key %d: recorded by both or by none", i)
			}
			if u := used[i]; (u[0].Scan.Outcome == Valid) == (u[1].Scan.Outcome == Valid) {
				t.Errorf("code %d: %s and %s, want valid once", i, u[0].Scan.Outcome, u[1].Scan.Outcome)
			} else if u[0].Scan.Outcome != Valid && u[0].Scan.Outcome != AlreadyUsed || u[0].Scan.Outcome == AlreadyUsed && len(u[0].Scan.Disclosed) > 0 {
				t.Errorf("code %d: %+v", i, u[0].Scan)
			}
		}
		wholeAudit(t, p, a.keys)
	})
}

func TestOneBadRecordFailsAlone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, p *dbtest.Pair) {
		b := open(t, p)
		entries := make([]*Entry, 20)
		errs := make([]error, len(entries))
		var wg sync.WaitGroup
		for i := range entries {
			entries[i] = &Entry{Scan: b.scan(t, 7, 1)}
			if i == 11 {
				entries[i].Scan.Place = "a\x00b" // text that no engine may hold
			}
			wg.Go(func() { errs[i] = b.Append(t.Context(), entries[i]) })
		}
		wg.Wait()
		for i, err := range errs {
			if (err != nil) != (i == 11) {
				t.Errorf("record %d: %v", i, err)
			}
		}
		list, _, err := b.ByVerifier(t.Context(), 7, Filter{}, Page{})
		if err != nil || len(list) != len(entries)-1 {
			t.Errorf("%d scans, %v; want %d", len(list), err, len(entries)-1)
		}
		wholeAudit(t, p, b.keys)
	})
}

func TestAChangedScanIsNamedByTheAudit(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, p *dbtest.Pair) {
		b := open(t, p)
		var ids []ID
		for i := range 5 {
			s := b.scan(t, 7, code.Handle(i+1))
			ids = append(ids, s.ID)
			if err := b.Append(t.Context(), &Entry{Scan: s}); err != nil {
				t.Fatal(err)
			}
		}
		wholeAudit(t, p, b.keys)
		exec := func(sql string, args ...any) {
			t.Helper()
			err := p.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
				_, err := q.Exec(ctx, sql, args...)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, column := range []string{"verifier = 8", "scene = 'x'", "place = 'x'", "method = 'x'", "outcome = 'expired'", "admission = 'check'",
			"kind = ''", "subject = 77", "holder = 1", "color = 3", "disclosed = ''", "scanned_at = 1", "channel = ''"} {
			exec(fmt.Sprintf(`update scan set %s where id = $1`, column), ids[2][:])
			if r := verifyAudit(t, p, b.keys); len(r.Findings) == 0 {
				t.Errorf("%s was changed and nobody noticed", column)
			}
			back := b.scan(t, 7, 3)
			back.ID = ids[2]
			r := back.row()
			exec(`update scan set verifier = $2, scene = $3, place = $4, method = $5, outcome = $6, admission = $7, kind = $8, subject = $9, holder = $10, color = $11, disclosed = $12, scanned_at = $13, channel = $14 where id = $1`,
				r.id, r.verifier, r.scene, r.place, r.method, r.outcome, r.admission, r.kind, r.subject, r.holder, r.color, r.disclosed, r.scannedAt, r.chn)
		}
		wholeAudit(t, p, b.keys)
	})
}

func verifyAudit(t *testing.T, p *dbtest.Pair, k *keys.Keeper) audit.Report {
	t.Helper()
	r, err := audit.Verify(t.Context(), audit.VerifyConfig{DB: p.Main, Keys: k, Batches: []audit.Batches{Batches()}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wholeAudit(t *testing.T, p *dbtest.Pair, k *keys.Keeper) {
	t.Helper()
	if r := verifyAudit(t, p, k); len(r.Findings) > 0 || r.Rows == 0 {
		t.Errorf("the audit of an untouched log: %+v", r)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		b.Run(string(engine), func(b *testing.B) {
			l := open(b, dbtest.Open(b, engine))
			b.SetParallelism(256)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := l.Append(context.Background(), &Entry{Scan: l.scan(b, 7, 1)}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
