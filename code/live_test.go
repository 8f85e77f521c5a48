package code

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"rsc.io/qr"
)

func sample() Live {
	return Live{Kind: KindLive, IssuedAt: time.Date(2026, 11, 22, 6, 3, 5, 0, time.UTC), Random: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, Subject: 42}
}

func TestSealRefusesWhatNoCodeCanCarry(t *testing.T) {
	k := liveKeyOf(t, 7)
	for name, change := range map[string]func(*Live){
		"no kind":                   func(l *Live) { l.Kind = 0 },
		"a paper code":              func(l *Live) { l.Kind = KindPaper },
		"a place code":              func(l *Live) { l.Kind = KindPlace },
		"kind 17, live in 4 bits":   func(l *Live) { l.Kind = 17 },
		"a second before the epoch": func(l *Live) { l.IssuedAt = Epoch.Add(-time.Second) },
		"a second past 32 bits":     func(l *Live) { l.IssuedAt = Epoch.Add(1 << 32 * time.Second) },
		"no issue time":             func(l *Live) { l.IssuedAt = time.Time{} },
		"no subject":                func(l *Live) { l.Subject = 0 },
		"no random bytes":           func(l *Live) { l.Random = [8]byte{} },
	} {
		l := sample()
		change(&l)
		if s, err := k.Seal(l); !errors.Is(err, ErrUnsealable) || s != (Sealed{}) {
			t.Errorf("%s: %x, %v", name, s, err)
		}
	}
}

func TestSealWritesTheKeysOwnGeneration(t *testing.T) {
	l := sample()
	l.Generation = 99
	s, err := liveKeyOf(t, 7).Seal(l)
	if err != nil || s.Generation() != 7 {
		t.Errorf("generation %d, %v", s.Generation(), err)
	}
}

func TestSealDropsFractionsOfASecondAndTheZone(t *testing.T) {
	k := liveKeyOf(t, 7)
	l := sample()
	want, err := k.Seal(l)
	if err != nil {
		t.Fatal(err)
	}
	l.IssuedAt = l.IssuedAt.Add(999 * time.Millisecond).In(time.FixedZone("UTC+8", 8*60*60))
	got, err := k.Seal(l)
	if err != nil || got != want {
		t.Errorf("sealed %x, want %x (%v)", got, want, err)
	}
	opened, err := k.Open(got)
	if err != nil || opened.IssuedAt != sample().IssuedAt {
		t.Errorf("opened %+v, %v", opened, err)
	}
}

func TestKeyOfAnotherSizeIsRefused(t *testing.T) {
	for _, n := range []int{0, 8, 15, 17, 24, 32} {
		if _, err := NewLiveKey(1, make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes was taken", n)
		}
	}
}

func TestOneKeyServesManyAtOnce(t *testing.T) {
	k := liveKeyOf(t, 7)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				l := sample()
				l.Random = [8]byte{byte(g), byte(i), byte(i >> 8), 1}
				l.Subject = Handle(g*1000 + i + 1)
				s, err := k.Seal(l)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := k.Open(s)
				if err != nil || got.Subject != l.Subject || got.Random != l.Random {
					t.Errorf("sealed %+v, opened %+v, %v", l, got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestLiveCodeFillsAQRCodeOfVersion3M(t *testing.T) {
	s, err := liveKeyOf(t, 7).Seal(sample())
	if err != nil {
		t.Fatal(err)
	}
	text := string(s.Text())
	modules := func(text string) int {
		c, err := qr.Encode(text, qr.M)
		if err != nil {
			t.Fatal(err)
		}
		return c.Size
	}
	if n := modules(text); n != 29 {
		t.Errorf("%d characters take %d×%d modules, want 29×29", len(text), n, n)
	}
	if n := modules(text + "A"); n <= 29 {
		t.Errorf("a character more still takes %d×%d modules: the format has room to spare", n, n)
	}
}

func TestLiveCodeTellsNothingOfItsSubject(t *testing.T) {
	k := liveKeyOf(t, 7)
	a, b := sample(), sample()
	b.Random[0] ^= 1
	sa, err := k.Seal(a)
	if err != nil {
		t.Fatal(err)
	}
	sb, err := k.Seal(b)
	if err != nil {
		t.Fatal(err)
	}
	if [8]byte(sa[16:24]) == [8]byte(sb[16:24]) {
		t.Error("two codes of one subject share its sealed bytes")
	}
}

func TestNamesOfKindsAndTimings(t *testing.T) {
	for want, got := range map[string]fmt.Stringer{
		"live": KindLive, "relative": KindRelative, "paper": KindPaper, "place": KindPlace, "kind(0)": Kind(0), "kind(200)": Kind(200),
		"on_time": OnTime, "not_yet_valid": NotYetValid, "expired": Expired,
	} {
		if got.String() != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The show and verify ways run tens of thousands of times a second; a changed
// interface or a slice that escapes would show here first.
func TestHotPathAllocatesLittle(t *testing.T) {
	k := liveKeyOf(t, 7)
	l := sample()
	s, err := k.Seal(l)
	if err != nil {
		t.Fatal(err)
	}
	text := s.Text()
	scanned := []byte(strings.ToLower(string(text)) + "\r\n")
	for _, c := range []struct {
		name string
		most float64 // one above what is measured: a garbage collection empties the pool
		do   func()
	}{
		{"Seal", 1, func() { _, _ = k.Seal(l) }},
		{"Open", 1, func() { _, _ = k.Open(s) }},
		{"ParseLive", 0, func() { _, _ = ParseLive(text) }},
		{"Text", 1, func() { _ = s.Text() }},
		{"Normalize", 1, func() { _, _ = Normalize(scanned) }},
	} {
		if n := testing.AllocsPerRun(200, c.do); n > c.most {
			t.Errorf("%s allocates %v times, want at most %v", c.name, n, c.most)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	k, _ := NewLiveKey(7, make([]byte, LiveKeySize))
	l := sample()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Seal(l); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	k, _ := NewLiveKey(7, make([]byte, LiveKeySize))
	s, _ := k.Seal(sample())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Open(s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseLive(b *testing.B) {
	k, _ := NewLiveKey(7, make([]byte, LiveKeySize))
	s, _ := k.Seal(sample())
	text := s.Text()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseLive(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkText(b *testing.B) {
	k, _ := NewLiveKey(7, make([]byte, LiveKeySize))
	s, _ := k.Seal(sample())
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Text()
	}
}

func BenchmarkNormalize(b *testing.B) {
	k, _ := NewLiveKey(7, make([]byte, LiveKeySize))
	s, _ := k.Seal(sample())
	scanned := []byte(" " + strings.ToLower(string(s.Text())) + "\r\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Normalize(scanned); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenParallel(b *testing.B) {
	k, _ := NewLiveKey(7, make([]byte, LiveKeySize))
	s, _ := k.Seal(sample())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := k.Open(s); err != nil {
				b.Fatal(err)
			}
		}
	})
}
