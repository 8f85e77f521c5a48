package code_test

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/citycode/citycode/code"
)

// key is a test key: generation 7 of testdata/vector/live.json.
func key() *code.LiveKey {
	b, _ := hex.DecodeString("0123456789abcdeffedcba9876543210")
	k, _ := code.NewLiveKey(7, b)
	return k
}

// A platform makes a code, a phone shows it, a verifier reads it.
func Example() {
	k := key()
	issued := time.Date(2026, 11, 22, 6, 3, 5, 0, time.UTC)

	// Minting: fresh random bytes for each code.
	live := code.Live{Kind: code.KindLive, IssuedAt: issued, Subject: 42}
	if _, err := rand.Read(live.Random[:]); err != nil {
		panic(err)
	}
	sealed, err := k.Seal(live)
	if err != nil {
		panic(err)
	}
	shown := string(sealed.Text()) // what the QR code carries
	fmt.Println(len(shown), "characters")

	// Verifying: normalise, parse, open, look at the time.
	text, err := code.Normalize([]byte(shown + "\r\n"))
	if err != nil {
		panic(err)
	}
	scanned, err := code.ParseLive(text)
	if err != nil {
		panic(err)
	}
	opened, err := k.Open(scanned)
	if err != nil {
		panic(err)
	}
	fmt.Println(opened.Kind, opened.Subject, opened.At(issued.Add(20*time.Second)))
	// Output:
	// 61 characters
	// live 42 on_time
}

// Hand scanners add a line end, people paste blanks and type lower case. What
// isn't in any code is refused before it is looked at.
func ExampleNormalize() {
	text, err := code.Normalize([]byte(" https://city.example/p/abc\r\n"))
	fmt.Println(text, err)
	_, err = code.Normalize([]byte("straſe"))
	fmt.Println(err)
	// Output:
	// HTTPS://CITY.EXAMPLE/P/ABC <nil>
	// malformed code
}

// Before a code is opened it tells which key to take, and nothing that is
// proven.
func ExampleParseLive() {
	sealed, err := code.ParseLive("CEDQAAAM62SJTINSYPKOL5QHDCX5W6AGQ2QEOHAR653XD2Y4LHDYB6PGLOPVA")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("generation", sealed.Generation(), "cell", sealed.Cell(), sealed.IssuedAt())
	_, err = code.ParseLive("CEDQAAAM62N2T") // cut
	fmt.Println(err)
	// Output:
	// generation 7 cell 0 2026-11-22 06:03:05 +0000 UTC
	// malformed code
}

// A changed code doesn't open, whatever was changed.
func ExampleLiveKey_Open() {
	k := key()
	sealed, _ := k.Seal(code.Live{
		Kind: code.KindLive, IssuedAt: code.Epoch, Subject: 42,
		Random: [8]byte{1}, // an example may; a platform draws them from crypto/rand
	})
	sealed[20] ^= 1
	_, err := k.Open(sealed)
	fmt.Println(errors.Is(err, code.ErrForged))
	// Output: true
}

// A code is good from 5 s before its issue, because clocks differ, until a
// minute after.
func ExampleLive_At() {
	live := code.Live{IssuedAt: time.Date(2026, 11, 22, 6, 3, 5, 0, time.UTC)}
	for _, after := range []time.Duration{-6 * time.Second, -5 * time.Second, 59 * time.Second, 60 * time.Second} {
		fmt.Println(after, live.At(live.IssuedAt.Add(after)))
	}
	// Output:
	// -6s not_yet_valid
	// -5s on_time
	// 59s on_time
	// 1m0s expired
}
