package keys

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/sm"
)

func TestFirstStartMakesEveryRing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newClock(morning)
		k := openKeeper(t, d.Main, newKeyFile(t), c)
		for _, r := range rings() {
			if g := sealing(t, k, r); g.Number != 1 || !g.NotBefore.Equal(morning) || g.Ring != r || state(k, g) != Active {
				t.Errorf("%s seals with %+v", r, g)
			}
		}
		// Four midnights lie within the coverage of four days.
		for _, r := range []Ring{Live, Session} {
			var begins []string
			for _, g := range k.Generations(r) {
				begins = append(begins, g.NotBefore.In(shanghai).Format("01-02 15:04"))
			}
			if diff := cmp.Diff([]string{"11-22 10:00", "11-23 00:00", "11-24 00:00", "11-25 00:00", "11-26 00:00"}, begins); diff != "" {
				t.Errorf("%s begins (-want +got):\n%s", r, diff)
			}
			if ahead := k.Horizon(r).Sub(c.now()); ahead < 3*24*time.Hour {
				t.Errorf("%s is made %v ahead", r, ahead)
			}
		}
		for _, r := range []Ring{Audit, Row, Index} {
			if n := len(k.Generations(r)); n != 1 {
				t.Errorf("%s has %d generations", r, n)
			}
		}
		if sealing(t, k, Live).Live() == nil || sealing(t, k, Session).AEAD() == nil || sealing(t, k, Row).AEAD() == nil || sealing(t, k, Audit).Signing() == nil {
			t.Error("a ring's key is missing")
		}
		if made := tend(t, k); made != 0 {
			t.Errorf("an hour later %d more were made", made)
		}
	})
}

func TestTwoKeepersOnOneDatabaseAgreeFromTheFirstStart(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		const processes = 4
		c, f := newClock(morning), newKeyFile(t)
		keepers := make([]*Keeper, processes)
		errs := make([]error, processes)
		stores := make([]*db.DB, processes)
		for i := range stores {
			stores[i] = d.Open().Main
		}
		var wg sync.WaitGroup
		for i := range processes {
			wg.Go(func() {
				keepers[i], errs[i] = Open(t.Context(), Config{DB: stores[i], File: f, Now: c.now, Zone: shanghai})
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		for _, k := range keepers[1:] {
			for _, r := range rings() {
				if diff := cmp.Diff(summary(keepers[0], r), summary(k, r)); diff != "" {
					t.Errorf("%s differs:\n%s", r, diff)
				}
			}
			if s := mintAt(t, keepers[0], c); !opens(k, s) {
				t.Error("a code of one doesn't open at the other")
			}
			if !bytes.Equal(k.Lookup("person", "a"), keepers[0].Lookup("person", "a")) {
				t.Error("the index keys differ")
			}
		}
	})
}

// summary is what of a ring can be compared.
func summary(k *Keeper, r Ring) (all []string) {
	for _, g := range k.Generations(r) {
		all = append(all, strings.Join([]string{string(g.Ring), g.NotBefore.String(), g.RetireAt.String(), g.DestroyAt.String(), hex.EncodeToString(g.public.Bytes())}, " "))
	}
	return all
}

func TestGenerationsSucceedEachOtherAtLocalMidnight(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newClock(morning)
		k := openKeeper(t, d.Main, newKeyFile(t), c)
		first := sealing(t, k, Live)
		midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, shanghai)

		c.set(midnight.Add(-time.Millisecond))
		if g := sealing(t, k, Live); g != first {
			t.Errorf("just before midnight generation %d seals", g.Number)
		}
		last := mintAt(t, k, c)
		c.set(midnight)
		second := sealing(t, k, Live)
		if second.Number != 2 || !second.NotBefore.Equal(midnight) || !first.RetireAt.Equal(midnight) {
			t.Fatalf("at midnight %+v seals, and the first retires %v", second, first.RetireAt)
		}
		// The first opens for two lifetimes more, then batch uploads for 7 days.
		for _, step := range []struct {
			after time.Duration
			want  State
		}{
			{0, Retired}, {120*time.Second - time.Millisecond, Retired},
			{120 * time.Second, Archived}, {7*24*time.Hour + 120*time.Second - time.Millisecond, Archived},
			{7*24*time.Hour + 120*time.Second, Unknown},
		} {
			c.set(midnight.Add(step.after))
			if got := state(k, first); got != step.want {
				t.Errorf("%v after it retired the first is %s, want %s", step.after, got, step.want)
			}
			if opens(k, last) != (step.want == Retired) {
				t.Errorf("%v after it retired, whether its last code opens is wrong", step.after)
			}
		}
	})
}

func TestRetiredSessionGenerationOpensADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newClock(morning)
		k := openKeeper(t, d.Main, newKeyFile(t), c)
		first := sealing(t, k, Session)
		token, err := sm.Seal(first.AEAD(), nil, []byte("token"))
		if err != nil {
			t.Fatal(err)
		}
		midnight := first.RetireAt
		c.set(midnight.Add(24*time.Hour - time.Millisecond))
		g, s := k.Opening(Session, first.Low())
		if s != Retired {
			t.Fatalf("nearly a day after: %s", s)
		}
		if plain, err := sm.Open(g.AEAD(), nil, token); err != nil || string(plain) != "token" {
			t.Errorf("the token opens to %q, %v", plain, err)
		}
		c.set(midnight.Add(24 * time.Hour))
		if g, s := k.Opening(Session, first.Low()); s != Unknown || g != nil {
			t.Errorf("a day after: %s", s)
		}
	})
}

func TestKeysAreMadeAheadAndDestroyedAsDaysPass(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newClock(morning)
		k := openKeeper(t, d.Main, newKeyFile(t), c)
		for day := range 40 {
			for range 6 { // the job may skip some hours
				c.advance(4 * time.Hour)
				tend(t, k)
				for _, r := range []Ring{Live, Session} {
					if ahead := k.Horizon(r).Sub(c.now()); ahead < 3*24*time.Hour {
						t.Fatalf("day %d: %s is made only %v ahead", day, r, ahead)
					}
				}
			}
			if s := mintAt(t, k, c); !opens(k, s) {
				t.Fatalf("day %d: a fresh code doesn't open", day)
			}
		}
		// 40 days later: today's, four ahead, and those of the last 7 days and
		// 120 s (at 10:00 the one that retired 7 days ago at midnight is gone).
		if n := len(k.Generations(Live)); n != 12 {
			t.Errorf("%d live generations are held", n)
		}
		rows := rowsOf(t, d.Main, Live)
		if len(rows) != 45 {
			t.Errorf("%d rows, want 45: a number is never forgotten", len(rows))
		}
		for _, r := range rows {
			if destroyed := r.destroyAt != nil && *r.destroyAt <= c.now().UnixMilli(); destroyed != (r.sealed == nil) || destroyed != (r.state == rowDestroyed) {
				t.Errorf("generation %d: state %s, %d bytes sealed, destroy at %v", r.number, r.state, len(r.sealed), r.destroyAt)
			}
		}
	})
}

// rowsOf reads all rows of a ring, destroyed ones too.
func rowsOf(t *testing.T, d *db.DB, ring Ring) (all []row) {
	t.Helper()
	err := d.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
		rows, err := q.Query(ctx, `select number, state, public, sealed, destroy_at from key_generation where ring = $1 order by number`, string(ring))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			r := row{ring: ring}
			if err := rows.Scan(&r.number, &r.state, &r.public, &r.sealed, &r.destroyAt); err != nil {
				return err
			}
			all = append(all, r)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMintingGoesOnWithTheDatabaseGone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newClock(morning)
		k := openKeeper(t, d.Main, newKeyFile(t), c)
		if err := d.Main.Close(); err != nil {
			t.Fatal(err)
		}
		used := map[uint32]bool{}
		for range 10 * 24 {
			if s := mintAt(t, k, c); !opens(k, s) {
				t.Fatalf("at %v a fresh code doesn't open", c.now())
			}
			used[sealing(t, k, Live).Number] = true
			c.advance(time.Hour)
		}
		if len(used) != 5 {
			t.Errorf("ten days without a database used %d generations, want the first and four made ahead", len(used))
		}
		if err := k.Reload(t.Context()); err == nil {
			t.Error("reading keys from a closed database went well")
		}
		if s := mintAt(t, k, c); !opens(k, s) {
			t.Error("a failed reading lost the keys in memory")
		}
		if len(k.Lookup("person", "x")) != 32 {
			t.Error("look-up digests stopped")
		}
	})
}

func TestLateJobMakesNoGenerationThatBeginsAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newClock(morning)
		k := openKeeper(t, d.Main, newKeyFile(t), c)
		current := func() uint32 { return sealing(t, k, Live).Number }
		// Nobody tended the keys for 10 days; the job comes a minute before midnight.
		c.set(time.Date(2026, 12, 2, 23, 59, 0, 0, shanghai))
		before := current()
		tend(t, k)
		c.advance(5 * time.Minute)
		if now := current(); now != before {
			t.Errorf("generation %d began within a minute of being made", now)
		}
		c.set(time.Date(2026, 12, 4, 0, 0, 0, 0, shanghai))
		if g := sealing(t, k, Live); g.Number == before || !g.NotBefore.Equal(c.now()) {
			t.Errorf("a midnight later %+v seals", g)
		}
	})
}

func TestClockSetBackStillFindsAKey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c, f := newClock(morning.AddDate(0, 0, 181)), newKeyFile(t)
		openKeeper(t, d.Main, f, c)
		c.set(morning)
		k := openKeeper(t, d.Open().Main, f, c)
		if s := mintAt(t, k, c); !opens(k, s) {
			t.Error("a code doesn't open after the clock was set back")
		}
	})
}

func TestWrongKeyFileIsSaidSo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c, right, wrong := newClock(morning), newKeyFile(t), newKeyFile(t)
		openKeeper(t, d.Main, right, c)
		_, err := Open(t.Context(), Config{DB: d.Main, File: wrong, Now: c.now})
		if fault.CodeOf(err) != "key_file_wrong" || !strings.Contains(err.Error(), right.ID()) || !strings.Contains(err.Error(), wrong.ID()) {
			t.Errorf("opened with another file: %v", err)
		}
		exec(t, d.Main, `delete from key_custody`)
		_, err = Open(t.Context(), Config{DB: d.Main, File: wrong, Now: c.now})
		if fault.CodeOf(err) != "key_file_wrong" {
			t.Errorf("opened with another file after the custody row was deleted: %v", err)
		}
	})
}

func exec(t *testing.T, d *db.DB, sql string, args ...any) {
	t.Helper()
	err := d.Tx(t.Context(), func(ctx context.Context, q db.Querier) error {
		_, err := q.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeyMovedToAnotherPlaceDoesNotOpen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newClock(morning)
		k := openKeeper(t, d.Main, newKeyFile(t), c)
		for name, change := range map[string]string{
			"another number's key": `update key_generation set sealed = (select sealed from key_generation where ring = 'live' and number = 1) where ring = 'live' and number = 2`,
			"another ring's key":   `update key_generation set sealed = (select sealed from key_generation where ring = 'session' and number = 3) where ring = 'live' and number = 3`,
			"a public key swapped": `update key_generation set public = sealed where ring = 'audit' and number = 1`,
		} {
			undo := rowsOf(t, d.Main, Live)
			undo = append(undo, rowsOf(t, d.Main, Audit)...)
			exec(t, d.Main, change)
			if err := k.Reload(t.Context()); fault.CodeOf(err) != "key_damaged" {
				t.Errorf("%s: %v", name, err)
			}
			for _, r := range undo {
				exec(t, d.Main, `update key_generation set sealed = $3, public = $4 where ring = $1 and number = $2`, string(r.ring), r.number, r.sealed, r.public)
			}
			reload(t, k)
		}
		exec(t, d.Main, `delete from key_generation where ring = 'index'`)
		if err := k.Reload(t.Context()); fault.CodeOf(err) != "key_damaged" {
			t.Errorf("without an index key: %v", err)
		}
	})
}

func TestKeysAtRestAreSealed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c, f := newClock(morning), newKeyFile(t)
		k := openKeeper(t, d.Main, f, c)
		for _, r := range rings() {
			for _, at := range rowsOf(t, d.Main, r) {
				secret, err := sm.Open(f.aead, aad(r, at.number, partSecret), at.sealed)
				if err != nil {
					t.Fatal(err)
				}
				if len(secret) != r.policy().keySize {
					t.Errorf("a key of ring %s has %d bytes", r, len(secret))
				}
				if bytes.Contains(at.sealed, secret) || bytes.Contains(at.public, secret) || bytes.Contains(at.sealed, secret[:8]) {
					t.Errorf("ring %s keeps its key in clear", r)
				}
			}
		}
		audit := rowsOf(t, d.Main, Audit)[0]
		if public, ok := k.AuditPublic(1); !ok || bytes.Contains(audit.public, public.Bytes()[1:33]) {
			t.Error("the public key isn't sealed, so it isn't authenticated")
		}
	})
}

func TestLookupsOfDifferentThingsDiffer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		k := openKeeper(t, d.Main, newKeyFile(t), newClock(morning))
		digests := [][]byte{
			k.Lookup("person"), k.Lookup("person", ""), k.Lookup("person", "ab", "c"), k.Lookup("person", "a", "bc"),
			k.Lookup("person", "abc"), k.Lookup("phone", "abc"), k.Lookup("persona", "bc"),
		}
		for i, a := range digests {
			if len(a) != 32 || slices.IndexFunc(digests, func(b []byte) bool { return bytes.Equal(a, b) }) != i {
				t.Errorf("digest %d is %x", i, a)
			}
		}
		if !bytes.Equal(k.Lookup("person", "ab", "c"), digests[2]) {
			t.Error("a look-up isn't repeatable")
		}
	})
}

func TestDatabaseTellsWhetherItHasAKeyFile(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		if used, err := Used(t.Context(), d.Main); used || err != nil {
			t.Errorf("an empty database: %v, %v", used, err)
		}
		openKeeper(t, d.Main, newKeyFile(t), newClock(morning))
		if used, err := Used(t.Context(), d.Main); !used || err != nil {
			t.Errorf("a database in use: %v, %v", used, err)
		}
	})
}

func TestHotPathOfKeysAllocatesNothing(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	k := openKeeper(t, d.Main, newKeyFile(t), newClock(morning))
	for name, do := range map[string]func(){
		"Sealing": func() { _, _ = k.Sealing(Live) },
		"Opening": func() { _, _ = k.Opening(Live, 1) },
	} {
		if n := testing.AllocsPerRun(100, do); n > 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkSealing(b *testing.B) {
	k := benchKeeper(b)
	for b.Loop() {
		if _, err := k.Sealing(Live); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpening(b *testing.B) {
	k := benchKeeper(b)
	for b.Loop() {
		if _, state := k.Opening(Live, 1); state != Active {
			b.Fatal(state)
		}
	}
}

func benchKeeper(b *testing.B) *Keeper {
	f, err := CreateFile(b.TempDir() + "/key")
	if err != nil {
		b.Fatal(err)
	}
	k, err := Open(b.Context(), Config{DB: dbtest.Open(b, db.SQLite).Main, File: f})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	return k
}
