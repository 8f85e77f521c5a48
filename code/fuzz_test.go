package code

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"
)

// seeds are the scanned texts of the vectors.
func seeds(f *testing.F) [][]byte {
	v := readVectors(f)
	var all [][]byte
	for _, a := range v.Accept {
		all = append(all, []byte(a.Text))
	}
	for _, r := range v.Refuse {
		b, err := hex.DecodeString(r.Scanned)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

func FuzzNormalizeIsIdempotentAndKeepsToItsAlphabet(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, scanned []byte) {
		text, err := Normalize(scanned)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || text != "" {
				t.Fatalf("%q, %v", text, err)
			}
			return
		}
		if len(text) > MaxText {
			t.Fatalf("%d bytes", len(text))
		}
		if i := strings.IndexFunc(string(text), func(r rune) bool {
			return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/.-", r)
		}); i >= 0 {
			t.Fatalf("%q has %q", text, text[i])
		}
		if again, err := Normalize([]byte(text)); err != nil || again != text {
			t.Fatalf("%q normalises to %q, %v", text, again, err)
		}
	})
}

func FuzzAcceptedTextEncodesBackToItself(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	key, err := NewLiveKey(7, make([]byte, LiveKeySize)) // sealed none of the seeds
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, scanned []byte) {
		if s, err := ParseLive(Text(scanned)); err == nil && string(s.Text()) != string(scanned) {
			t.Fatalf("raw text %q was taken and encodes to %q", scanned, s.Text())
		}
		text, err := Normalize(scanned)
		if err != nil {
			return
		}
		s, err := ParseLive(text)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || s != (Sealed{}) {
				t.Fatalf("%x, %v", s, err)
			}
			return
		}
		if s.Text() != text {
			t.Fatalf("%q was taken and encodes to %q", text, s.Text())
		}
		if l, err := key.Open(s); !errors.Is(err, ErrForged) || l != (Live{}) {
			t.Fatalf("%q opens under a key that never sealed it: %+v, %v", text, l, err)
		}
	})
}

func FuzzFlippedBitNeverOpens(f *testing.F) {
	f.Add(uint16(0), uint32(217_405_353), uint64(1), uint64(1), []byte("0123456789abcdef"), uint16(0), false)
	f.Add(uint16(65535), uint32(1<<32-1), uint64(1<<64-1), uint64(1<<64-1), []byte("fedcba9876543210"), uint16(303), true)
	f.Fuzz(func(t *testing.T, cell uint16, seconds uint32, random, subject uint64, key []byte, bit uint16, relative bool) {
		if len(key) != LiveKeySize || random == 0 || subject == 0 {
			t.Skip()
		}
		k, err := NewLiveKey(uint8(seconds), key)
		if err != nil {
			t.Fatal(err)
		}
		l := Live{Kind: KindLive, Generation: uint8(seconds), Cell: cell, IssuedAt: Epoch.Add(time.Duration(seconds) * time.Second), Subject: Handle(subject)}
		if relative {
			l.Kind = KindRelative
		}
		for i := range l.Random {
			l.Random[i] = byte(random >> (8 * i))
		}
		s, err := k.Seal(l)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := ParseLive(s.Text())
		if err != nil || parsed != s {
			t.Fatalf("%x became %x, %v", s, parsed, err)
		}
		if opened, err := k.Open(parsed); err != nil || opened != l {
			t.Fatalf("sealed %+v, opened %+v, %v", l, opened, err)
		}
		s[int(bit)/8%LiveSize] ^= 1 << (bit % 8)
		if opened, err := k.Open(s); !errors.Is(err, ErrForged) || opened != (Live{}) {
			t.Fatalf("bit %d flipped: %+v, %v", bit, opened, err)
		}
	})
}
