package sm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/sm2"
)

// Sizes of SM2 values in bytes.
const (
	SigningKeySize = 32 // the private scalar
	VerifyKeySize  = 65 // 0x04 ‖ x ‖ y
	SignatureSize  = 64 // r ‖ s
)

// order is the order n of the SM2 curve (GB/T 32918.5), big-endian.
var order = sm2.P256().Params().N.FillBytes(make([]byte, 32))

// SigningKey is an SM2 private key. The zero value is of no use; it is safe for
// concurrent use.
type SigningKey struct {
	key    *sm2.PrivateKey
	scalar [SigningKeySize]byte
	public VerifyKey
}

// GenerateSigningKey makes a new key from the system's random source.
func GenerateSigningKey() (*SigningKey, error) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate SM2 key: %w", err)
	}
	return newSigningKey(key)
}

// ParseSigningKey takes the 32-byte big-endian scalar d, 1 ≤ d ≤ n−2.
func ParseSigningKey(b []byte) (*SigningKey, error) {
	if len(b) != SigningKeySize {
		return nil, fmt.Errorf("SM2 private key of %d bytes, want %d", len(b), SigningKeySize)
	}
	key, err := sm2.NewPrivateKey(b)
	if err != nil {
		return nil, errors.New("SM2 private key out of range")
	}
	return newSigningKey(key)
}

func newSigningKey(key *sm2.PrivateKey) (*SigningKey, error) {
	public, err := newVerifyKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	scalar, err := key.ECDH()
	if err != nil {
		return nil, fmt.Errorf("SM2 private key: %w", err)
	}
	return &SigningKey{key: key, scalar: [SigningKeySize]byte(scalar.Bytes()), public: public}, nil
}

// Bytes returns the 32-byte scalar: secret.
func (k *SigningKey) Bytes() []byte { return bytes.Clone(k.scalar[:]) }

// Public returns the key that checks this key's signatures.
func (k *SigningKey) Public() VerifyKey { return k.public }

// Sign returns r‖s over e = SM3(Z‖msg). Two signatures of one message differ.
// The caller starts msg with a label of its purpose (docs/formats.md §0), so
// that a signature made for one purpose is of no use for another.
func (k *SigningKey) Sign(msg []byte) ([SignatureSize]byte, error) {
	e := SM3(k.public.z[:], msg)
	der, err := sm2.SignASN1(rand.Reader, k.key, e[:], nil)
	if err != nil {
		return [SignatureSize]byte{}, fmt.Errorf("SM2 sign: %w", err)
	}
	return fromDER(der)
}

// VerifyKey is an SM2 public key. The zero value verifies nothing; it is safe
// for concurrent use and copies are cheap.
type VerifyKey struct {
	key   *ecdsa.PublicKey
	bytes [VerifyKeySize]byte
	z     [32]byte // Z_A of GB/T 32918.2 §5.5, the same for every message
}

// ParseVerifyKey takes the 65-byte uncompressed form of a point on the curve.
func ParseVerifyKey(b []byte) (VerifyKey, error) {
	if len(b) != VerifyKeySize {
		return VerifyKey{}, fmt.Errorf("SM2 public key of %d bytes, want %d", len(b), VerifyKeySize)
	}
	key, err := sm2.NewPublicKey(b)
	if err != nil {
		return VerifyKey{}, errors.New("SM2 public key is not a point on the curve")
	}
	return newVerifyKey(key)
}

func newVerifyKey(key *ecdsa.PublicKey) (VerifyKey, error) {
	z, err := sm2.CalculateZA(key, []byte("1234567812345678"))
	if err != nil {
		return VerifyKey{}, fmt.Errorf("SM2 public key: %w", err)
	}
	point, err := sm2.PublicKeyToECDH(key)
	if err != nil {
		return VerifyKey{}, fmt.Errorf("SM2 public key: %w", err)
	}
	return VerifyKey{key: key, bytes: [VerifyKeySize]byte(point.Bytes()), z: [32]byte(z)}, nil
}

// Bytes returns the 65-byte uncompressed form.
func (v VerifyKey) Bytes() []byte { return bytes.Clone(v.bytes[:]) }

// Equal tells whether both are the same point.
func (v VerifyKey) Equal(o VerifyKey) bool { return v.bytes == o.bytes }

// Verify tells whether sig is a signature of msg by this key.
func (v VerifyKey) Verify(msg []byte, sig [SignatureSize]byte) bool {
	if v.key == nil || !inRange(sig) {
		return false
	}
	e := SM3(v.z[:], msg)
	return sm2.VerifyASN1(v.key, e[:], toDER(sig))
}
