package code

import (
	"encoding/binary"
	"strconv"
	"time"
)

// Epoch is where the times inside codes count from: 2020-01-01T00:00:00Z.
var Epoch = time.Unix(epochUnix, 0).UTC()

const epochUnix = 1577836800

// Sizes of a live code.
const (
	LiveSize       = 38 // bytes
	LiveTextLength = 61 // characters; the 305th bit is spare and zero
)

// A live code is valid while issued − EarlyTolerance <= now < issued + LiveLifetime.
const (
	LiveLifetime   = 60 * time.Second
	EarlyTolerance = 5 * time.Second // clocks of nodes differ
)

// version is the layout's version, the high 4 bits of the first byte.
const version = 1

// Kind is the low 4 bits of a code's first byte.
type Kind uint8

// The kinds of code. Each kind keeps its number for ever.
const (
	KindLive     Kind = 1 // shown by its subject, valid for a minute
	KindRelative Kind = 2 // a live code that a holder shows for a dependant
	KindPaper    Kind = 3 // printed, valid for 180 days
	KindPlace    Kind = 4 // posted by an organisation
)

// String returns the kind's name in the HTTP interface: "live", "relative",
// "paper" or "place"; for any other number "kind(N)".
func (k Kind) String() string {
	switch k {
	case KindLive:
		return "live"
	case KindRelative:
		return "relative"
	case KindPaper:
		return "paper"
	case KindPlace:
		return "place"
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// Handle names the subject of a live code: a person, or for KindRelative a
// relation. It is a random number without meaning outside the platform that
// minted it. Zero is never a subject.
type Handle uint64

// Sealed is a live code as it travels, before it is opened: docs/formats.md §1.
// What its methods tell is not proven until LiveKey.Open accepts it.
//
//	offset size
//	0      1    version (high 4 bits) and kind (low 4 bits)
//	1      1    key generation, low byte
//	2      2    cell: which city's platform minted it; 0 in a single city
//	4      4    issued at, seconds since Epoch
//	8      8    random
//	16     8    subject, encrypted
//	24     14   SM4-GCM tag
type Sealed [LiveSize]byte

// ParseLive reads the text of a live or relative's code. It is strict: any text
// that it accepts is exactly what Sealed.Text gives back. The error is
// ErrMalformed.
func ParseLive(t Text) (Sealed, error) {
	var s Sealed
	if len(t) != LiveTextLength {
		return Sealed{}, ErrMalformed
	}
	var acc uint32
	bits, n := 0, 0
	for i := range len(t) {
		v := value[t[i]]
		if v == invalid {
			return Sealed{}, ErrMalformed
		}
		acc = acc<<5 | uint32(v)
		if bits += 5; bits >= 8 {
			bits -= 8
			s[n] = byte(acc >> bits)
			n++
		}
	}
	if acc&1 != 0 { // 61 × 5 = 305 bits: one is left, and must be zero
		return Sealed{}, ErrMalformed
	}
	if !s.wellFormed() {
		return Sealed{}, ErrMalformed
	}
	return s, nil
}

func (s Sealed) wellFormed() bool {
	return s[0]>>4 == version && (s.Kind() == KindLive || s.Kind() == KindRelative)
}

// Kind returns the kind in the first byte.
func (s Sealed) Kind() Kind { return Kind(s[0] & 0x0f) }

// Generation returns the low byte of the key generation that sealed it.
func (s Sealed) Generation() uint8 { return s[1] }

// Cell returns the platform that minted it; 0 in a single city.
func (s Sealed) Cell() uint16 { return binary.BigEndian.Uint16(s[2:]) }

// IssuedAt returns the time in the code, in UTC and whole seconds. Anyone can
// write any time there: it is proven only by LiveKey.Open.
func (s Sealed) IssuedAt() time.Time {
	return Epoch.Add(time.Duration(binary.BigEndian.Uint32(s[4:])) * time.Second)
}

// Nonce returns bytes 4-15, which no two codes under one key share: the number
// by which a platform remembers that a code was used.
func (s Sealed) Nonce() [12]byte { return [12]byte(s[4:16]) }

// Text returns the 61 characters that a QR code of version 3-M carries.
func (s Sealed) Text() Text {
	var b [LiveTextLength]byte
	alphabet.Encode(b[:], s[:])
	return Text(b[:])
}

// Timing says where a moment lies relative to a live code's lifetime.
type Timing uint8

// The timings.
const (
	OnTime Timing = iota
	NotYetValid
	Expired
)

// String returns "on_time", "not_yet_valid" or "expired".
func (t Timing) String() string {
	return [...]string{"on_time", "not_yet_valid", "expired"}[t]
}

const invalid = 0xff

// value is the inverse of the base32 alphabet.
var value = func() (v [256]byte) {
	for i := range v {
		v[i] = invalid
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") {
		v[c] = byte(i)
	}
	return v
}()
