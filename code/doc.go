// Package code reads and writes the codes of citycode, the values that a
// resident's phone shows as a QR code and a verifier's scanner reads. It is the
// formats of docs/formats.md in Go, for citycode itself and for anyone who
// writes another reader.
//
// # Reading scanned text
//
// Whatever a camera, a hand scanner or a person delivers goes through Normalize
// first and through a strict parser second:
//
//	text, err := code.Normalize(scanned)     // ErrMalformed
//	sealed, err := code.ParseLive(text)      // ErrMalformed
//	live, err := key.Open(sealed)            // ErrForged
//	switch live.At(now) { … }                // OnTime, NotYetValid, Expired
//
// A live code is 38 bytes: 61 characters of base32, which fill a QR code of
// version 3-M (29×29 modules) to the last character. Its subject is encrypted
// and all of it authenticated with SM4-GCM under a key that only the platform
// has: a live code cannot be checked offline, and says nothing to anyone else
// but when it was made and by which platform.
//
// # Promises
//
//   - Strict: text that a parser accepts is exactly the text that the parsed
//     value encodes to. There is no second spelling of a code, so a code can be
//     remembered by its text, its bytes or its nonce alike.
//   - Nothing that Open accepts differs from what Seal made in any bit.
//   - No input makes a function of this package panic.
//   - Functions of this package do no I/O, read no clock and keep no state that
//     a caller could see; keys may be used by many goroutines at once.
//   - A layout, once released, is read for ever by its version number, and its
//     vectors stay in testdata/vector.
//
// # Limits
//
//   - The tag is 112 bits and the key 128: a forger needs 2^112 tries a code,
//     each against the platform.
//   - The caller supplies the random bytes and must never repeat them together
//     with a second under one key (see LiveKey.Seal).
//   - A code that is copied within its minute opens as well as the original.
//     Whether that matters is for the platform to decide, which can remember
//     nonces (single use), and for the person who compares the face.
//   - Generations are told apart by one byte: whoever keeps the keys makes sure
//     that no two that may still be opened share it.
//
// # Writing another reader
//
// testdata/vector/live.json holds cases to accept and to refuse, with the test
// key; testdata/vector/README.md says how to read them.
package code
