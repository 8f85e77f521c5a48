package code

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/emmansun/gmsm/sm4"
)

// LiveKeySize is the size of a live key in bytes: an SM4 key.
const LiveKeySize = 16

// Offsets and sizes inside a live code.
const (
	headerSize = 4  // the additional data: version and kind, generation, cell
	nonceEnd   = 16 // the nonce follows the header: issued at and random
	tagSize    = 14
)

var (
	// ErrForged is the error of a code that the key did not seal: made up,
	// changed, or sealed under another key.
	ErrForged = errors.New("forged code")

	// ErrUnsealable is the error of a Live that no code can carry.
	ErrUnsealable = errors.New("live code cannot be sealed")
)

// Live is what a live or relative's code says once it is opened, and what it is
// sealed from.
type Live struct {
	Kind       Kind      // KindLive or KindRelative
	Generation uint8     // low byte of the key's generation; Seal writes its own
	Cell       uint16    // which city's platform minted it; 0 in a single city
	IssuedAt   time.Time // whole seconds (Seal drops the rest); UTC after Open
	Random     [8]byte   // fresh from the system's random source for every code
	Subject    Handle    // never 0
}

// At says where now lies in the code's lifetime: OnTime while
// issued − EarlyTolerance <= now < issued + LiveLifetime.
func (l Live) At(now time.Time) Timing {
	switch {
	case now.Before(l.IssuedAt.Add(-EarlyTolerance)):
		return NotYetValid
	case now.Before(l.IssuedAt.Add(LiveLifetime)):
		return OnTime
	}
	return Expired
}

// LiveKey seals and opens live codes under one generation's key. Making one
// costs about 1 µs and a kilobyte, so it is kept; it is safe for concurrent use.
type LiveKey struct {
	generation uint8
	aead       cipher.AEAD
}

// NewLiveKey takes the low byte of the generation's number and its 16-byte SM4
// key.
func NewLiveKey(generation uint8, key []byte) (*LiveKey, error) {
	block, err := sm4.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("live key of %d bytes, want %d", len(key), LiveKeySize)
	}
	aead, err := cipher.NewGCMWithTagSize(block, tagSize)
	if err != nil {
		return nil, fmt.Errorf("SM4-GCM with a tag of %d bytes: %w", tagSize, err)
	}
	return &LiveKey{generation: generation, aead: aead}, nil
}

// Generation returns the low byte that the key's codes carry.
func (k *LiveKey) Generation() uint8 { return k.generation }

// scratch is what a call hands to cipher.AEAD. Through an interface its
// arguments would each be allocated; a pool makes Seal and Open free of that.
type scratch struct {
	sealed  Sealed
	subject [8]byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Seal makes a code of l under this key; l.Generation is ignored, the key knows
// its own. The error is ErrUnsealable for a kind that is not live, a time
// outside 2020-01-01 to 2156-02-07, subject 0, or a Random of zeros, which a
// forgotten field is and the random source is once in 2^64 codes.
//
// Issue time and Random together are the nonce. Under one key they must never
// repeat: two codes that share them give away the key of every tag. Draw Random
// from crypto/rand for each code; never count it up.
func (k *LiveKey) Seal(l Live) (Sealed, error) {
	if l.Kind != KindLive && l.Kind != KindRelative {
		return Sealed{}, fmt.Errorf("%w: kind %s", ErrUnsealable, l.Kind)
	}
	issued := l.IssuedAt.Unix() - epochUnix
	if issued < 0 || issued > math.MaxUint32 {
		return Sealed{}, fmt.Errorf("%w: issue time outside the 32-bit range", ErrUnsealable)
	}
	if l.Subject == 0 {
		return Sealed{}, fmt.Errorf("%w: no subject", ErrUnsealable)
	}
	if l.Random == [8]byte{} {
		return Sealed{}, fmt.Errorf("%w: random bytes not set", ErrUnsealable)
	}
	c := scratches.Get().(*scratch)
	s := &c.sealed
	s[0] = version<<4 | byte(l.Kind)
	s[1] = k.generation
	binary.BigEndian.PutUint16(s[2:], l.Cell)
	binary.BigEndian.PutUint32(s[4:], uint32(issued))
	copy(s[8:], l.Random[:])
	binary.BigEndian.PutUint64(c.subject[:], uint64(l.Subject))
	k.aead.Seal(s[:nonceEnd], s[headerSize:nonceEnd], c.subject[:], s[:headerSize])
	sealed := *s
	scratches.Put(c)
	return sealed, nil
}

// Open proves that this key sealed the code, as it stands to the last bit, and
// says what is in it; else ErrForged. Whether it is still valid is Live.At, and
// whether its subject exists, or it was used before, only the platform knows.
func (k *LiveKey) Open(sealed Sealed) (Live, error) {
	c := scratches.Get().(*scratch)
	c.sealed = sealed
	s := &c.sealed
	_, err := k.aead.Open(c.subject[:0], s[headerSize:nonceEnd], s[nonceEnd:], s[:headerSize])
	subject := Handle(binary.BigEndian.Uint64(c.subject[:]))
	scratches.Put(c)
	if err != nil || !sealed.wellFormed() || sealed.Generation() != k.generation || subject == 0 {
		return Live{}, ErrForged
	}
	return Live{
		Kind:       sealed.Kind(),
		Generation: sealed.Generation(),
		Cell:       sealed.Cell(),
		IssuedAt:   sealed.IssuedAt(),
		Random:     [8]byte(sealed[8:nonceEnd]),
		Subject:    subject,
	}, nil
}
