package keys

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/sm"
)

// Generation is one key of a ring with its window. Those that a Keeper hands
// out are never changed.
type Generation struct {
	Ring        Ring
	Number      uint32    // from 1, never given twice in a ring
	NotBefore   time.Time // seals from here on; opens before that, too: clocks of nodes differ
	RetireAt    time.Time // zero: no newer one yet
	DestroyAt   time.Time // zero: not known yet, or never
	Compromised bool

	live    *code.LiveKey
	aead    cipher.AEAD
	index   *sm.HMAC
	signing *sm.SigningKey
	public  sm.VerifyKey
}

// Low returns the number's low byte, which codes and tokens carry. No two
// generations of a ring that still open share it.
func (g *Generation) Low() uint8 { return uint8(g.Number) }

// Live returns the key of a generation of the ring Live, else nil.
func (g *Generation) Live() *code.LiveKey { return g.live }

// AEAD returns the SM4-GCM key of a generation of the rings Session and Row,
// else nil.
func (g *Generation) AEAD() cipher.AEAD { return g.aead }

// Signing returns the private key of a generation of the ring Audit, nil once
// it is destroyed and for other rings.
func (g *Generation) Signing() *sm.SigningKey { return g.signing }

// Public returns the public key of a generation of the ring Audit.
func (g *Generation) Public() sm.VerifyKey { return g.public }

// State says what the generation may do at now.
func (g *Generation) State(now time.Time) State {
	p := g.Ring.policy()
	switch {
	case g.Compromised && !p.keep:
		return Unknown
	case g.RetireAt.IsZero() || now.Before(g.RetireAt):
		return Active
	case p.keep || now.Before(g.RetireAt.Add(p.opens)):
		return Retired
	case now.Before(g.RetireAt.Add(p.opens + p.archive)):
		return Archived
	}
	return Unknown
}

// The states of a row. What time does to a generation follows from its times;
// the column says what was done to it.
const (
	rowKept        = "kept"
	rowCompromised = "compromised"
	rowDestroyed   = "destroyed"
)

// row is a generation at rest, times in Unix milliseconds.
type row struct {
	ring                Ring
	number              int64
	notBefore           int64
	retireAt, destroyAt *int64
	state               string
	public, sealed      []byte
	madeAt              int64
}

// The parts of a generation that are sealed.
const (
	partSecret = "secret"
	partPublic = "public"
)

// aad binds a sealed key to its place: the ring, the number and which part.
func aad(ring Ring, number int64, part string) []byte {
	b := []byte("citycode key generation\x00" + string(ring) + "\x00" + part + "\x00")
	return binary.BigEndian.AppendUint64(b, uint64(number))
}

// newRow makes a generation: a fresh key, sealed.
func newRow(f *File, ring Ring, number int64, notBefore, now time.Time) (*row, error) {
	r := &row{ring: ring, number: number, notBefore: notBefore.UnixMilli(), state: rowKept, madeAt: now.UnixMilli()}
	var secret []byte
	if ring == Audit {
		key, err := sm.GenerateSigningKey()
		if err != nil {
			return nil, err
		}
		secret = key.Bytes()
		if r.public, err = sm.Seal(f.aead, aad(ring, number, partPublic), key.Public().Bytes()); err != nil {
			return nil, err
		}
	} else {
		secret = make([]byte, ring.policy().keySize)
		if err := random(secret); err != nil {
			return nil, err
		}
	}
	var err error
	r.sealed, err = sm.Seal(f.aead, aad(ring, number, partSecret), secret)
	return r, err
}

// open makes a usable generation of a row. A row that was written or moved by
// anyone without the key file is fault Invalid "key_damaged".
func (r *row) open(f *File) (*Generation, error) {
	g := &Generation{
		Ring: r.ring, Number: uint32(r.number), Compromised: r.state == rowCompromised,
		NotBefore: time.UnixMilli(r.notBefore).UTC(), RetireAt: timeOf(r.retireAt), DestroyAt: timeOf(r.destroyAt),
	}
	if err := g.unseal(f, r); err != nil {
		return nil, fault.Wrap(fault.Invalid, "key_damaged", err, "generation %d of ring %s", r.number, r.ring)
	}
	return g, nil
}

func (g *Generation) unseal(f *File, r *row) error {
	if r.public != nil {
		b, err := sm.Open(f.aead, aad(r.ring, r.number, partPublic), r.public)
		if err != nil {
			return fmt.Errorf("public key: %w", err)
		}
		if g.public, err = sm.ParseVerifyKey(b); err != nil {
			return err
		}
	}
	if r.sealed == nil {
		return nil
	}
	secret, err := sm.Open(f.aead, aad(r.ring, r.number, partSecret), r.sealed)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	switch r.ring {
	case Live:
		g.live, err = code.NewLiveKey(g.Low(), secret)
	case Session, Row:
		g.aead, err = sm.NewGCM(secret)
	case Audit:
		g.signing, err = sm.ParseSigningKey(secret)
		if err == nil && !g.signing.Public().Equal(g.public) {
			err = fmt.Errorf("private and public key don't belong together")
		}
	case Index:
		g.index = sm.NewHMAC(secret)
	}
	return err
}

func timeOf(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms).UTC()
}
