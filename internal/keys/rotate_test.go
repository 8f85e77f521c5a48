package keys

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/sm"
)

func TestRotationBeginsTenSecondsAhead(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c, f := newClock(morning), newKeyFile(t)
		k := openKeeper(t, d.Main, f, c)
		other := openKeeper(t, d.Open().Main, f, c)
		old := sealing(t, k, Live)
		made := rotate(t, k, Live, false)
		if !made.NotBefore.Equal(morning.Add(10*time.Second)) || made.Live() == nil {
			t.Errorf("made %+v", made)
		}
		if g := sealing(t, k, Live); g.Number != old.Number {
			t.Errorf("generation %d seals at once", g.Number)
		}
		// Within the notice every node reads it; until then both seal with the old.
		if s := mintAt(t, k, c); !opens(other, s) {
			t.Error("a code of the rotating node doesn't open at the other")
		}
		reload(t, other)
		c.advance(10 * time.Second)
		if g := sealing(t, k, Live); g.Number != made.Number {
			t.Errorf("10 s later generation %d seals", g.Number)
		}
		if s := mintAt(t, k, c); !opens(other, s) {
			t.Error("a code under the new key doesn't open at the other node")
		}
		if state(k, old) != Retired {
			t.Errorf("the old one is %s", state(k, old))
		}
		// The scheduled ones go on taking over at midnight.
		c.set(time.Date(2026, 11, 23, 0, 0, 0, 0, shanghai))
		if g := sealing(t, k, Live); g.Number != 2 {
			t.Errorf("at midnight generation %d seals", g.Number)
		}
		if got := state(k, &made); got != Retired {
			t.Errorf("at midnight the rotated one is %s", got)
		}
	})
}

func TestCompromisedKeysOpenNothingAnyMore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c, f := newClock(morning), newKeyFile(t)
		k := openKeeper(t, d.Main, f, c)
		c.advance(36 * time.Hour) // so that there is an archived one
		tend(t, k)
		before := k.Generations(Live)
		sealed := mintAt(t, k, c)
		made := rotate(t, k, Live, true)

		if g := sealing(t, k, Live); g.Number != made.Number || !made.NotBefore.Equal(c.now()) {
			t.Errorf("generation %d seals, made was %+v", g.Number, made)
		}
		if opens(k, sealed) {
			t.Error("a code under the compromised key opens")
		}
		for _, g := range before {
			if got := state(k, &g); got != Unknown {
				t.Errorf("generation %d is %s", g.Number, got)
			}
		}
		for _, r := range rowsOf(t, d.Main, Live) {
			if compromised := r.number <= int64(len(before)); compromised != (r.state == rowCompromised) || compromised != (r.sealed == nil) {
				t.Errorf("row %d: %s, %d bytes sealed", r.number, r.state, len(r.sealed))
			}
		}
		if ahead := k.Horizon(Live).Sub(c.now()); ahead < 3*24*time.Hour {
			t.Errorf("those made ahead were replaced for %v only", ahead)
		}
		if s := mintAt(t, k, c); !opens(k, s) {
			t.Error("a fresh code doesn't open")
		}
		// A node whose clock lags doesn't wait for the new one to begin.
		c.advance(-1500 * time.Millisecond)
		if g := sealing(t, k, Live); g.Number != made.Number {
			t.Errorf("a node 1.5 s behind seals with %d", g.Number)
		}
		// Other rings are untouched.
		if g := sealing(t, k, Session); g.Number == 0 || g.Compromised {
			t.Errorf("session seals with %+v", g)
		}
	})
}

func TestAuditKeysKeepTheirPublicHalfForEver(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c, f := newClock(morning), newKeyFile(t)
		k := openKeeper(t, d.Main, f, c)
		first := sealing(t, k, Audit)
		msg := []byte("citycode audit checkpoint\x00{}")
		sig, err := first.Signing().Sign(msg)
		if err != nil {
			t.Fatal(err)
		}

		c.set(time.Date(2026, 12, 27, 23, 0, 0, 0, shanghai))
		tend(t, k)
		if n := len(k.Generations(Audit)); n != 1 {
			t.Errorf("%d audit keys five days before the new year", n)
		}
		c.set(time.Date(2026, 12, 28, 1, 0, 0, 0, shanghai))
		tend(t, k)
		if g := sealing(t, k, Audit); g.Number != 1 || !k.Horizon(Audit).Equal(time.Date(2027, 1, 1, 0, 0, 0, 0, shanghai)) {
			t.Errorf("generation %d signs, the last begins %v", g.Number, k.Horizon(Audit))
		}
		c.set(time.Date(2027, 1, 3, 0, 0, 0, 0, shanghai))
		tend(t, k)
		second := sealing(t, k, Audit)
		if second.Number != 2 || second.Public().Equal(first.Public()) {
			t.Errorf("in the new year generation %d signs", second.Number)
		}
		rows := rowsOf(t, d.Main, Audit)
		if rows[0].sealed != nil || rows[0].public == nil || rows[0].state != rowDestroyed {
			t.Errorf("the old key: state %s, %d bytes of private, %d of public key", rows[0].state, len(rows[0].sealed), len(rows[0].public))
		}

		rotate(t, k, Audit, true)
		k = openKeeper(t, d.Open().Main, f, c)
		for number, want := range map[uint32]sm.VerifyKey{1: first.Public(), 2: second.Public()} {
			if public, ok := k.AuditPublic(number); !ok || !public.Equal(want) {
				t.Errorf("public key %d: %v", number, ok)
			}
		}
		if public, _ := k.AuditPublic(1); !public.Verify(msg, sig) {
			t.Error("an old signature isn't verified any more")
		}
		if public, ok := k.AuditPublic(99); ok || public.Verify(msg, sig) {
			t.Error("a generation that never was has a public key")
		}
		list := k.Generations(Audit)
		if len(list) != 3 || list[0].Compromised || !list[1].Compromised || !list[1].RetireAt.Equal(c.now()) || list[1].Signing() != nil {
			t.Errorf("the list doesn't tell which was compromised, and when: %+v", list)
		}
	})
}

func TestCompromisedRowKeyStillOpensItsRows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c, f := newClock(morning), newKeyFile(t)
		k := openKeeper(t, d.Main, f, c)
		old := sealing(t, k, Row)
		sealed, err := sm.Seal(old.AEAD(), nil, []byte("quarantined"))
		if err != nil {
			t.Fatal(err)
		}
		for _, compromised := range []bool{false, true} {
			made := rotate(t, k, Row, compromised)
			c.advance(400 * 24 * time.Hour)
			tend(t, k)
			if g := sealing(t, k, Row); g.Number != made.Number {
				t.Errorf("generation %d seals", g.Number)
			}
			g, s := k.Opening(Row, old.Low())
			if s != Retired {
				t.Fatalf("the old key is %s", s)
			}
			if plain, err := sm.Open(g.AEAD(), nil, sealed); err != nil || string(plain) != "quarantined" {
				t.Errorf("%q, %v", plain, err)
			}
		}
	})
}

func TestGenerationWhoseLowByteIsTakenIsRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c, f := newClock(morning), newKeyFile(t)
		k := openKeeper(t, d.Main, f, c)
		var err error
		made := 5 // by the first start
		for made < 300 {
			if _, err = tryRotate(t, k, Live, false); err != nil {
				break
			}
			made++
		}
		if made != 256 || fault.CodeOf(err) != "generation_collision" || fault.KindOf(err) != fault.Conflict {
			t.Fatalf("after %d generations: %v", made, err)
		}
		reload(t, k)
		for low := range 256 {
			if g, s := k.Opening(Live, uint8(low)); s != Active || int(g.Low()) != low {
				t.Fatalf("low byte %d: %s", low, s)
			}
		}
		// A compromise destroys them, so it is never held up by this.
		if g := rotate(t, k, Live, true); g.Number != 257 {
			t.Errorf("made %d", g.Number)
		}
	})
}

func TestRingThatCannotRotateSaysSo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		k := openKeeper(t, d.Main, newKeyFile(t), newClock(morning))
		for r, want := range map[Ring]string{Index: "ring_not_rotated", "paper": "unknown_ring", "": "unknown_ring"} {
			for _, compromised := range []bool{false, true} {
				if _, err := tryRotate(t, k, r, compromised); fault.CodeOf(err) != want {
					t.Errorf("ring %q: %v", r, err)
				}
			}
		}
		if _, err := k.Sealing("paper"); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("an unknown ring seals: %v", err)
		}
		if g, s := k.Opening("paper", 1); g != nil || s != Unknown {
			t.Errorf("an unknown ring opens: %s", s)
		}
	})
}

func TestRotationThatIsRolledBackLeavesNoTrace(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c, f := newClock(morning), newKeyFile(t)
		k := openKeeper(t, d.Main, f, c)
		before := rowsOf(t, d.Main, Live)
		err := d.Main.Tx(t.Context(), func(ctx context.Context, q db.Querier) error {
			if _, err := k.Rotate(ctx, Live, true, q); err != nil {
				return err
			}
			return fault.New(fault.Invalid, "changed_my_mind", "")
		})
		if fault.CodeOf(err) != "changed_my_mind" {
			t.Fatal(err)
		}
		after := rowsOf(t, d.Main, Live)
		if len(after) != len(before) {
			t.Fatalf("%d rows became %d", len(before), len(after))
		}
		for i := range after {
			if after[i].state != before[i].state || !bytes.Equal(after[i].sealed, before[i].sealed) {
				t.Errorf("row %d changed", after[i].number)
			}
		}
	})
}

func TestTwoRotationsAtOnceBothCount(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c, f := newClock(morning), newKeyFile(t)
		k := openKeeper(t, d.Main, f, c)
		other := openKeeper(t, d.Open().Main, f, c)
		made := make(chan uint32, 2)
		for _, keeper := range []*Keeper{k, other} {
			go func() {
				g, err := tryRotate(t, keeper, Session, false)
				if err != nil {
					t.Error(err)
				}
				made <- g.Number
			}()
		}
		if a, b := <-made, <-made; a == b {
			t.Errorf("both made generation %d", a)
		}
		reload(t, k)
		if n := len(k.Generations(Session)); n != 7 {
			t.Errorf("%d generations, want 5 and 2", n)
		}
	})
}

func TestMidnightThatTheClockSkipsIsNotWaitedFor(t *testing.T) {
	beirut, err := time.LoadLocation("Asia/Beirut") // summer time begins at 00:00
	if err != nil {
		t.Skip("no time zone database on this machine")
	}
	at := time.Date(2026, 3, 27, 12, 0, 0, 0, beirut)
	for range 5 {
		next := nextMidnight(at)
		if gap := next.Sub(at); gap <= 0 || gap > 25*time.Hour {
			t.Fatalf("after %v comes %v", at, next)
		}
		at = next
	}
}
