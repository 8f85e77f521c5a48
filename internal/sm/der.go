package sm

import (
	"bytes"
	"errors"
	"math/big"
)

// SM2 libraries speak DER: SEQUENCE { INTEGER r, INTEGER s }. Codes and
// documents carry r‖s, which has one encoding and one length.

var errSignatureForm = errors.New("SM2 signature is not DER of two integers of 32 bytes")

// fromDER turns what the library signed into r‖s.
func fromDER(der []byte) (sig [SignatureSize]byte, err error) {
	if len(der) < 2 || der[0] != 0x30 || int(der[1]) != len(der)-2 {
		return sig, errSignatureForm
	}
	rest := der[2:]
	for i := range 2 {
		if len(rest) < 2 || rest[0] != 0x02 || len(rest)-2 < int(rest[1]) {
			return sig, errSignatureForm
		}
		n := rest[2 : 2+int(rest[1])]
		rest = rest[2+len(n):]
		if len(n) == 33 && n[0] == 0 {
			n = n[1:]
		}
		if len(n) == 0 || len(n) > 32 {
			return sig, errSignatureForm
		}
		copy(sig[i*32+32-len(n):], n)
	}
	if len(rest) != 0 {
		return sig, errSignatureForm
	}
	return sig, nil
}

// toDER is the reverse; both integers must be positive (inRange).
func toDER(sig [SignatureSize]byte) []byte {
	der := make([]byte, 2, 2+2*(2+33))
	for i := range 2 {
		n := bytes.TrimLeft(sig[i*32:i*32+32], "\x00")
		if n[0] >= 0x80 {
			der = append(der, 0x02, byte(len(n)+1), 0)
		} else {
			der = append(der, 0x02, byte(len(n)))
		}
		der = append(der, n...)
	}
	der[0], der[1] = 0x30, byte(len(der)-2)
	return der
}

// inRange checks 1 ≤ r, s < n and r+s ≠ n (GB/T 32918.2 §7.1, B1, B2 and B5).
func inRange(sig [SignatureSize]byte) bool {
	var zero [32]byte
	r, s := sig[:32], sig[32:]
	if bytes.Equal(r, zero[:]) || bytes.Equal(s, zero[:]) ||
		bytes.Compare(r, order) >= 0 || bytes.Compare(s, order) >= 0 {
		return false
	}
	sum := new(big.Int).Add(new(big.Int).SetBytes(r), new(big.Int).SetBytes(s))
	return sum.Cmp(new(big.Int).SetBytes(order)) != 0
}
