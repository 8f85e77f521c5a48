package sm

import (
	"bytes"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"sync"
	"testing"

	"github.com/emmansun/gmsm/sm3"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The example of GB/T 32905-2016 annex A.1.
func TestSM3GivesTheDigestOfTheStandard(t *testing.T) {
	want := unhex(t, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")
	for _, parts := range [][][]byte{{[]byte("abc")}, {[]byte("a"), nil, []byte("bc")}} {
		if sum := SM3(parts...); !bytes.Equal(sum[:], want) {
			t.Errorf("SM3 of %q = %x", parts, sum)
		}
	}
}

func TestHMACAgreesWithTheGeneralConstruction(t *testing.T) {
	message := bytes.Repeat([]byte("message"), 50)
	for _, keySize := range []int{0, 1, 16, 32, 63, 64, 65, 200} {
		key := bytes.Repeat([]byte{byte(keySize)}, keySize)
		h := NewHMAC(key)
		for _, n := range []int{0, 1, 55, 56, 64, 65, 350} {
			general := hmac.New(sm3.New, key)
			general.Write(message[:n])
			got := h.Sum(message[:n/2], message[n/2:n])
			if want := general.Sum(nil); !bytes.Equal(got[:], want) {
				t.Errorf("key of %d bytes, message of %d: %x, want %x", keySize, n, got, want)
			}
		}
	}
}

func TestHMACMayBeUsedByManyAtOnce(t *testing.T) {
	h := NewHMAC([]byte("key"))
	want := [2][32]byte{h.Sum([]byte("zero")), h.Sum([]byte("one"))}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 500 {
				if got := h.Sum([]byte([]string{"zero", "one"}[i%2])); got != want[i%2] {
					t.Errorf("another digest while others sum: %x", got)
					return
				}
			}
		})
	}
	wg.Wait()
}

// RFC 8998 appendix A.1.
func TestGCMGivesTheCiphertextOfTheStandard(t *testing.T) {
	aead, err := NewGCM(unhex(t, "0123456789abcdeffedcba9876543210"))
	if err != nil {
		t.Fatal(err)
	}
	got := aead.Seal(nil, unhex(t, "00001234567800000000abcd"),
		unhex(t, "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddddeeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa"),
		unhex(t, "feedfacedeadbeeffeedfacedeadbeefabaddad2"))
	want := unhex(t, "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"+
		"83de3541e4c2b58177e065a9bf7b62ec")
	if !bytes.Equal(got, want) {
		t.Errorf("sealed\n%x, want\n%x", got, want)
	}
	if _, err := NewGCM(make([]byte, 15)); err == nil {
		t.Error("a key of 15 bytes was taken")
	}
}

func TestSealedValueOpensOnlyWholeAndInItsPlace(t *testing.T) {
	aead, _ := NewGCM(make([]byte, KeySize))
	other, _ := NewGCM(bytes.Repeat([]byte{1}, KeySize))
	aad, plain := []byte("place"), []byte("what is kept")
	sealed, err := Seal(aead, aad, plain)
	if err != nil {
		t.Fatal(err)
	}
	if len(sealed) != len(plain)+NonceSize+TagSize {
		t.Errorf("%d bytes sealed are %d", len(plain), len(sealed))
	}
	if got, err := Open(aead, aad, sealed); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("Open = %q, %v", got, err)
	}
	again, _ := Seal(aead, aad, plain)
	if bytes.Equal(sealed, again) {
		t.Error("sealing twice gave the same text")
	}
	for bit := range len(sealed) * 8 {
		broken := bytes.Clone(sealed)
		broken[bit/8] ^= 1 << (bit % 8)
		if _, err := Open(aead, aad, broken); !errors.Is(err, ErrSealed) {
			t.Fatalf("bit %d flipped: %v", bit, err)
		}
	}
	for n := range sealed {
		if _, err := Open(aead, aad, sealed[:n]); !errors.Is(err, ErrSealed) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := Open(aead, []byte("elsewhere"), sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("in another place: %v", err)
	}
	if _, err := Open(other, aad, sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("under another key: %v", err)
	}
}

func TestOpeningLeavesTheSealedValueAsItWas(t *testing.T) {
	aead, _ := NewGCM(make([]byte, KeySize))
	sealed, _ := Seal(aead, nil, []byte("read more than once"))
	before := bytes.Clone(sealed)
	for range 2 {
		if _, err := Open(aead, nil, sealed); err != nil || !bytes.Equal(sealed, before) {
			t.Fatal("Open changed its argument", err)
		}
	}
}

func BenchmarkSM3(b *testing.B) {
	b.ReportAllocs()
	msg := make([]byte, 40)
	for b.Loop() {
		SM3(msg)
	}
}

func BenchmarkHMAC(b *testing.B) {
	b.ReportAllocs()
	h, msg := NewHMAC(make([]byte, 32)), make([]byte, 40)
	for b.Loop() {
		h.Sum(msg)
	}
}
