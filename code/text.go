package code

import (
	"encoding/base32"
	"errors"
)

// Text is scanned text after Normalize: upper-case QR alphanumeric characters
// that the formats use, at most MaxText bytes. It is not yet known to be a code.
type Text string

// MaxText is the longest text, in bytes after trimming, that is looked at. The
// longest code is 132 characters; a place code's URL needs some room for a host.
const MaxText = 512

// ErrMalformed is the error of text or bytes that no citycode platform wrote.
var ErrMalformed = errors.New("malformed code")

// alphabet is RFC 4648 base32 without padding.
var alphabet = base32.StdEncoding.WithPadding(base32.NoPadding)

// Normalize makes scanned bytes comparable: it strips tab, line feed, carriage
// return and space from both ends (hand scanners add them, people paste them),
// and maps a-z to A-Z. Anything else than A-Z, 0-9 and ":/.-" inside, or more
// than MaxText bytes, is ErrMalformed; inner spaces are.
//
// It works on bytes, because upper-casing runes would let other letters in:
// U+017F ſ becomes S and U+0131 ı becomes I.
func Normalize(b []byte) (Text, error) {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	if len(b) > MaxText {
		return "", ErrMalformed
	}
	var upper [MaxText]byte
	for i, c := range b {
		switch {
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == ':', c == '/', c == '.', c == '-':
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		default:
			return "", ErrMalformed
		}
		upper[i] = c
	}
	return Text(upper[:len(b)]), nil
}

func isBlank(c byte) bool { return c == '\t' || c == '\n' || c == '\r' || c == ' ' }
