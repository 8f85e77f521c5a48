package sm

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/sm4"
)

// NonceSize and TagSize are the sizes of SM4-GCM as NewGCM makes it; a sealed
// value is NonceSize+TagSize bytes longer than what it holds.
const (
	KeySize   = 16
	NonceSize = 12
	TagSize   = 16
)

// ErrSealed is the error of Open: cut, changed, sealed under another key or for
// another purpose. Which of these is not told, because it cannot be known.
var ErrSealed = errors.New("sealed value does not open")

// NewGCM returns SM4-GCM under a 16-byte key: 12-byte nonce, 16-byte tag.
// Setting up costs about 1 µs, so callers keep the result; it is safe for
// concurrent use.
func NewGCM(key []byte) (cipher.AEAD, error) {
	block, err := sm4.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("SM4 key of %d bytes: %w", len(key), err)
	}
	return cipher.NewGCM(block)
}

// Seal returns nonce ‖ ciphertext ‖ tag, with a nonce from the system's random
// source. The additional data binds the value to its place; Open needs the same.
func Seal(aead cipher.AEAD, aad, plain []byte) ([]byte, error) {
	n := aead.NonceSize()
	sealed := make([]byte, n, n+len(plain)+aead.Overhead())
	if _, err := rand.Read(sealed); err != nil {
		return nil, fmt.Errorf("random nonce: %w", err)
	}
	return aead.Seal(sealed, sealed[:n], plain, aad), nil
}

// Open returns what Seal was given, or ErrSealed.
func Open(aead cipher.AEAD, aad, sealed []byte) ([]byte, error) {
	n := aead.NonceSize()
	if len(sealed) < n+aead.Overhead() {
		return nil, ErrSealed
	}
	plain, err := aead.Open(nil, sealed[:n], sealed[n:], aad)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}
