package code

import (
	"bytes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm4"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/vector/live.json")

const vectorFile = "testdata/vector/live.json"

// vectors is the file that other implementers read; README.md beside it says
// what each field means.
type vectors struct {
	Format    string            `json:"format"`
	Keys      []vectorKey       `json:"keys"`
	Accept    []vectorAccept    `json:"accept"`
	Refuse    []vectorRefuse    `json:"refuse"`
	Normalize []vectorNormalize `json:"normalize"`
	Timing    []vectorTiming    `json:"timing"`
}

type vectorKey struct {
	Generation uint8  `json:"generation"`
	Key        string `json:"key"`
}

type vectorAccept struct {
	Name       string `json:"name"`
	Text       string `json:"text"`
	Bytes      string `json:"bytes"`
	Kind       string `json:"kind"`
	Generation uint8  `json:"generation"`
	Cell       uint16 `json:"cell"`
	IssuedAt   string `json:"issued_at"`
	Random     string `json:"random"`
	Subject    string `json:"subject"`
}

type vectorRefuse struct {
	Name       string `json:"name"`
	Scanned    string `json:"scanned"` // hexadecimal: some are not text
	Generation uint8  `json:"generation"`
	Outcome    string `json:"outcome"` // malformed, forged
}

type vectorNormalize struct {
	Name    string  `json:"name"`
	Scanned string  `json:"scanned"`
	Text    *string `json:"text"` // null: malformed
}

type vectorTiming struct {
	IssuedAt string `json:"issued_at"`
	Now      string `json:"now"`
	Timing   string `json:"timing"`
}

// The test keys. Nothing else may ever use them.
var vectorKeys = []vectorKey{
	{0, "000102030405060708090a0b0c0d0e0f"},
	{7, "0123456789abcdeffedcba9876543210"},
	{255, "ffffffffffffffffffffffffffffffff"},
}

func vectorKeyOf(t *testing.T, generation uint8) []byte {
	t.Helper()
	for _, k := range vectorKeys {
		if k.Generation == generation {
			b, err := hex.DecodeString(k.Key)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	t.Fatalf("no test key of generation %d", generation)
	return nil
}

func liveKeyOf(t *testing.T, generation uint8) *LiveKey {
	t.Helper()
	k, err := NewLiveKey(generation, vectorKeyOf(t, generation))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sealRaw seals whatever bytes 0-15 and subject say, which Seal would not.
func sealRaw(t *testing.T, key []byte, head [16]byte, subject [8]byte) Sealed {
	t.Helper()
	block, err := sm4.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithTagSize(block, 14)
	if err != nil {
		t.Fatal(err)
	}
	return Sealed(aead.Seal(head[:], head[4:16], subject[:], head[:4]))
}

func makeVectors(t *testing.T) vectors {
	v := vectors{Format: "citycode live code, version 1", Keys: vectorKeys}
	v.Accept = makeAccepted(t)
	v.Refuse = makeRefused(t)
	v.Normalize = makeNormalized()
	v.Timing = makeTimings()
	return v
}

func makeAccepted(t *testing.T) []vectorAccept {
	usual := Live{
		Kind: KindLive, IssuedAt: time.Date(2026, 11, 22, 6, 3, 5, 0, time.UTC),
		Random: [8]byte{0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6, 0x07, 0x18}, Subject: 0x1122334455667788,
	}
	cases := []struct {
		name       string
		generation uint8
		change     func(*Live)
	}{
		{"a usual code", 7, func(*Live) {}},
		{"a relative's code", 7, func(l *Live) { l.Kind = KindRelative }},
		{"generation 0", 0, func(*Live) {}},
		{"generation 255", 255, func(*Live) {}},
		{"cell 1", 7, func(l *Live) { l.Cell = 1 }},
		{"cell 65535", 7, func(l *Live) { l.Cell = 65535 }},
		{"issued at the epoch", 7, func(l *Live) { l.IssuedAt = Epoch }},
		{"issued one second after the epoch", 7, func(l *Live) { l.IssuedAt = Epoch.Add(time.Second) }},
		{"issued at 07:59:59 in UTC+8", 7, func(l *Live) { l.IssuedAt = time.Date(2026, 11, 21, 23, 59, 59, 0, time.UTC) }},
		{"issued at 08:00:00 in UTC+8", 7, func(l *Live) { l.IssuedAt = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC) }},
		{"issued after 2^31 seconds", 7, func(l *Live) { l.IssuedAt = Epoch.Add(1 << 31 * time.Second) }},
		{"issued in the last second", 7, func(l *Live) { l.IssuedAt = Epoch.Add((1<<32 - 1) * time.Second) }},
		{"random 00…01", 7, func(l *Live) { l.Random = [8]byte{7: 1} }},
		{"random all ones", 7, func(l *Live) { l.Random = [8]byte{255, 255, 255, 255, 255, 255, 255, 255} }},
		{"subject 1", 7, func(l *Live) { l.Subject = 1 }},
		{"subject 2^63", 7, func(l *Live) { l.Subject = 1 << 63 }},
		{"subject all ones", 7, func(l *Live) { l.Subject = 1<<64 - 1 }},
	}
	var all []vectorAccept
	for _, c := range cases {
		l := usual
		c.change(&l)
		s, err := liveKeyOf(t, c.generation).Seal(l)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		all = append(all, vectorAccept{
			Name: c.name, Text: string(s.Text()), Bytes: hex.EncodeToString(s[:]), Kind: l.Kind.String(), Generation: c.generation,
			Cell: l.Cell, IssuedAt: l.IssuedAt.Format(time.RFC3339), Random: hex.EncodeToString(l.Random[:]),
			Subject: fmt.Sprintf("%016x", uint64(l.Subject)),
		})
	}
	// Seal refuses random bytes of zeros, which a forgotten field would be; a
	// reader has no reason to.
	head := [16]byte{0x11, 7, 0, 0, 0x0c, 0xf6, 0x9b, 0xa9}
	s := sealRaw(t, vectorKeyOf(t, 7), head, [8]byte{7: 1})
	return append(all, vectorAccept{
		Name: "random 0", Text: string(s.Text()), Bytes: hex.EncodeToString(s[:]), Kind: "live", Generation: 7,
		IssuedAt: s.IssuedAt().Format(time.RFC3339), Random: "0000000000000000", Subject: "0000000000000001",
	})
}

func makeRefused(t *testing.T) []vectorRefuse {
	const generation = 7
	key := vectorKeyOf(t, generation)
	head := [16]byte{0x11, generation, 0, 0, 0x0c, 0xf6, 0x9b, 0xa9, 1, 2, 3, 4, 5, 6, 7, 8}
	subject := [8]byte{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88}
	good := sealRaw(t, key, head, subject)
	text := string(good.Text())

	var all []vectorRefuse
	add := func(outcome, name, scanned string) {
		all = append(all, vectorRefuse{Name: name, Scanned: hex.EncodeToString([]byte(scanned)), Generation: generation, Outcome: outcome})
	}
	malformed := func(name, scanned string) { add("malformed", name, scanned) }
	forged := func(name string, s Sealed) { add("forged", name, string(s.Text())) }

	malformed("nothing", "")
	malformed("blanks only", " \t\r\n")
	malformed("one character", "A")
	malformed("the last character missing", text[:60])
	malformed("the first character missing", text[1:])
	malformed("a character too many", text+"A")
	malformed("twice", text+text)
	malformed("padding", text+"===")
	malformed("a space in the middle", text[:30]+" "+text[30:])
	malformed("a space for a character", text[:30]+" "+text[31:])
	malformed("a line feed in the middle", text[:30]+"\n"+text[30:])
	malformed("a zero byte at the end", text+"\x00")
	malformed("a byte-order mark", "\ufeff"+text)
	malformed("a no-break space at the end", text+"\u00a0")
	for _, c := range "0189:/.-" {
		malformed(fmt.Sprintf("%q is not base32", c), text[:30]+string(c)+text[31:])
	}
	for _, c := range "+_=%!\"'@\x00\x7f" {
		malformed(fmt.Sprintf("%q is not in a code", c), text[:30]+string(c)+text[31:])
	}
	malformed("ſ (U+017F), which upper-cases to S", text[:30]+"ſ"+text[31:])
	malformed("ı (U+0131), which upper-cases to I", text[:30]+"ı"+text[31:])
	malformed("K (U+212A), which lower-cases to k", text[:30]+"\u212a"+text[31:])
	malformed("full-width Ａ", text[:30]+"Ａ"+text[31:])
	malformed("not UTF-8", text[:30]+"\xc5"+text[31:])
	malformed("61 bytes of 0xff", strings.Repeat("\xff", 61))
	malformed("513 characters", strings.Repeat("A", 513))

	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", text[60])
	malformed("the spare bit set", text[:60]+string("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[last|1]))

	for _, first := range []byte{0x00, 0x01, 0x10, 0x13, 0x14, 0x1f, 0x21, 0x22, 0x81, 0xf1, 0xff} {
		h := head
		h[0] = first
		s := sealRaw(t, key, h, subject) // authentic, and yet no live code of version 1
		malformed(fmt.Sprintf("version %d, kind %d", first>>4, first&15), string(s.Text()))
	}

	malformed("a payment code", "https://qr.alipay.com/fkx00000abcdefghijklmn")
	malformed("a Wi-Fi code", "WIFI:T:WPA;S:net;P:secret;;")
	malformed("a business card", "BEGIN:VCARD\nVERSION:3.0\nN:Name\nEND:VCARD")
	malformed("a document number", "11010119900101001X")
	malformed("a place code's address", "HTTPS://CITY.EXAMPLE/P/"+strings.Repeat("A", 42))

	for bit := 8; bit < len(good)*8; bit++ { // the first byte is version and kind: above
		s := good
		s[bit/8] ^= 0x80 >> (bit % 8)
		forged(fmt.Sprintf("bit %d of byte %d flipped", 7-bit%8, bit/8), s)
	}
	other := good
	other[0] = 0x12
	forged("kind changed from live to relative", other)
	forged("38 zero bytes but the first", Sealed{0: 0x11, 1: generation})
	forged("sealed under another generation's key, this one's number", sealRaw(t, vectorKeyOf(t, 0), head, subject))
	wrong := head
	wrong[1] = 0
	forged("sealed under this key, another generation's number", sealRaw(t, key, wrong, subject))
	forged("subject 0", sealRaw(t, key, head, [8]byte{}))
	return all
}

func makeNormalized() []vectorNormalize {
	text := strings.Repeat("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 2)[:61]
	var all []vectorNormalize
	add := func(name, scanned string, want any) {
		n := vectorNormalize{Name: name, Scanned: hex.EncodeToString([]byte(scanned))}
		if s, ok := want.(string); ok {
			n.Text = &s
		}
		all = append(all, n)
	}
	add("as it is", text, text)
	add("nothing", "", "")
	add("lower case", strings.ToLower(text), text)
	add("tab, line feed, return and space at both ends", "\t\n\r "+text+" \r\n\t", text)
	add("blanks only", " \t\r\n", "")
	add("digits and punctuation", "https://h-1.example:8443/p/x9", "HTTPS://H-1.EXAMPLE:8443/P/X9")
	add("512 characters", strings.Repeat("a", 512), strings.Repeat("A", 512))
	add("512 characters between blanks", " "+strings.Repeat("a", 512)+"\n", strings.Repeat("A", 512))
	add("513 characters", strings.Repeat("a", 513), nil)
	add("a space inside", "AB CD", nil)
	add("a tab inside", "AB\tCD", nil)
	add("vertical tab at the end", "ABCD\v", nil)
	add("form feed at the end", "ABCD\f", nil)
	add("no-break space at the end", "ABCD\u00a0", nil)
	add("zero byte at the end", "ABCD\x00", nil)
	add("ſ", "ſ", nil)
	add("ı", "ı", nil)
	add("kelvin sign", "\u212a", nil)
	add("full-width letter", "Ａ", nil)
	add("not UTF-8", "AB\xff", nil)
	for _, c := range "!\"#$%&'()*+,;<=>?@[\\]^_`{|}~" {
		add(fmt.Sprintf("%q", c), string(c), nil)
	}
	return all
}

func makeTimings() []vectorTiming {
	issued := time.Date(2026, 11, 22, 6, 3, 5, 0, time.UTC)
	var all []vectorTiming
	for _, c := range []struct {
		after time.Duration
		want  Timing
	}{
		{-365 * 24 * time.Hour, NotYetValid},
		{-6 * time.Second, NotYetValid},
		{-5*time.Second - time.Millisecond, NotYetValid},
		{-5 * time.Second, OnTime},
		{0, OnTime},
		{59*time.Second + 999*time.Millisecond, OnTime},
		{60 * time.Second, Expired},
		{61 * time.Second, Expired},
		{365 * 24 * time.Hour, Expired},
	} {
		all = append(all, vectorTiming{
			IssuedAt: issued.Format(time.RFC3339), Now: issued.Add(c.after).Format("2006-01-02T15:04:05.000Z07:00"), Timing: c.want.String(),
		})
	}
	return all
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var v vectors
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", vectorFile, err)
	}
	return v
}

// What was released is read for ever: a difference here is a change of the
// format, which takes a new version number, not new vectors.
func TestVectorsAreTheFormatAsReleased(t *testing.T) {
	made := makeVectors(t)
	if *update {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		if err := e.Encode(made); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(readVectors(t), made); diff != "" {
		t.Errorf("%s (-file +made):\n%s", vectorFile, diff)
	}
}

func TestAcceptedVectorsOpen(t *testing.T) {
	for _, a := range readVectors(t).Accept {
		t.Run(a.Name, func(t *testing.T) {
			text, err := Normalize([]byte(a.Text))
			if err != nil {
				t.Fatal(err)
			}
			s, err := ParseLive(text)
			if err != nil {
				t.Fatal(err)
			}
			if hex.EncodeToString(s[:]) != a.Bytes || string(s.Text()) != a.Text {
				t.Errorf("parsed %x, which encodes to %s", s, s.Text())
			}
			l, err := liveKeyOf(t, a.Generation).Open(s)
			if err != nil {
				t.Fatal(err)
			}
			got := vectorAccept{
				Name: a.Name, Text: a.Text, Bytes: a.Bytes, Kind: l.Kind.String(), Generation: l.Generation, Cell: l.Cell,
				IssuedAt: l.IssuedAt.Format(time.RFC3339), Random: hex.EncodeToString(l.Random[:]), Subject: fmt.Sprintf("%016x", uint64(l.Subject)),
			}
			if diff := cmp.Diff(a, got); diff != "" {
				t.Errorf("(-vector +opened):\n%s", diff)
			}
			if s.Kind() != l.Kind || s.Generation() != l.Generation || s.Cell() != l.Cell || !s.IssuedAt().Equal(l.IssuedAt) {
				t.Error("the sealed code tells otherwise than the opened")
			}
			if n := s.Nonce(); hex.EncodeToString(n[:]) != a.Bytes[8:32] {
				t.Errorf("nonce %x", n)
			}
		})
	}
}

func TestRefusedVectorsAreRefused(t *testing.T) {
	for _, r := range readVectors(t).Refuse {
		t.Run(r.Name, func(t *testing.T) {
			scanned, err := hex.DecodeString(r.Scanned)
			if err != nil {
				t.Fatal(err)
			}
			if got := outcome(liveKeyOf(t, r.Generation), scanned); got != r.Outcome {
				t.Errorf("%q is %s, want %s", scanned, got, r.Outcome)
			}
		})
	}
}

// outcome does what a verifier does.
func outcome(k *LiveKey, scanned []byte) string {
	text, err := Normalize(scanned)
	if err == nil {
		var s Sealed
		if s, err = ParseLive(text); err == nil {
			_, err = k.Open(s)
		}
	}
	switch {
	case errors.Is(err, ErrMalformed):
		return "malformed"
	case errors.Is(err, ErrForged):
		return "forged"
	case err != nil:
		return err.Error()
	}
	return "opened"
}

func TestNormalizeVectors(t *testing.T) {
	for _, n := range readVectors(t).Normalize {
		t.Run(n.Name, func(t *testing.T) {
			scanned, err := hex.DecodeString(n.Scanned)
			if err != nil {
				t.Fatal(err)
			}
			before := bytes.Clone(scanned)
			got, err := Normalize(scanned)
			switch {
			case n.Text == nil && !errors.Is(err, ErrMalformed):
				t.Errorf("%q became %q, %v; want ErrMalformed", scanned, got, err)
			case n.Text != nil && (err != nil || string(got) != *n.Text):
				t.Errorf("%q became %q, %v; want %q", scanned, got, err, *n.Text)
			}
			if !bytes.Equal(scanned, before) {
				t.Error("Normalize changed its argument")
			}
		})
	}
}

func TestTimingVectors(t *testing.T) {
	for _, v := range readVectors(t).Timing {
		issued, err := time.Parse(time.RFC3339, v.IssuedAt)
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse(time.RFC3339, v.Now)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Live{IssuedAt: issued}).At(now.In(time.FixedZone("UTC+8", 8*60*60))); got.String() != v.Timing {
			t.Errorf("issued %s, at %s: %s, want %s", v.IssuedAt, v.Now, got, v.Timing)
		}
	}
}
