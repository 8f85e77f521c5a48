package sm

import (
	"bytes"
	"math/big"
	"testing"
)

// The example of GB/T 32918.5-2017 annex A.2, user id 1234567812345678.
const (
	standardKey    = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8"
	standardPublic = "04" +
		"09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020" +
		"ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
	standardSignature = "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3" +
		"b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)

func TestVerifyTakesTheSignatureOfTheStandard(t *testing.T) {
	public, err := ParseVerifyKey(unhex(t, standardPublic))
	if err != nil {
		t.Fatal(err)
	}
	sig := [SignatureSize]byte(unhex(t, standardSignature))
	if !public.Verify([]byte("message digest"), sig) {
		t.Error("the standard's signature was refused")
	}
	if public.Verify([]byte("message digesT"), sig) {
		t.Error("a signature of another message was taken")
	}
}

func TestSignatureVerifiesUnderItsKeyOnly(t *testing.T) {
	key, err := ParseSigningKey(unhex(t, standardKey))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(key.Public().Bytes(), unhex(t, standardPublic)) || !bytes.Equal(key.Bytes(), unhex(t, standardKey)) {
		t.Fatalf("public key %x", key.Public().Bytes())
	}
	other, err := GenerateSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	// Many, so that components with leading zero bytes and high bits come up.
	for i := range 600 {
		msg := []byte{byte(i), byte(i >> 8)}
		sig, err := key.Sign(msg)
		if err != nil {
			t.Fatal(err)
		}
		if !key.Public().Verify(msg, sig) {
			t.Fatalf("signature %d (%x) refused", i, sig)
		}
		if other.Public().Verify(msg, sig) {
			t.Fatalf("signature %d taken under another key", i)
		}
	}
	if sig, err := key.Sign(nil); err != nil || !key.Public().Verify(nil, sig) {
		t.Errorf("signature of an empty message: %v", err)
	}
}

func TestFlippedBitOfASignatureIsRefused(t *testing.T) {
	key, _ := ParseSigningKey(unhex(t, standardKey))
	msg := []byte("citycode audit checkpoint\x00{}")
	sig, err := key.Sign(msg)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range SignatureSize * 8 {
		broken := sig
		broken[bit/8] ^= 1 << (bit % 8)
		if key.Public().Verify(msg, broken) {
			t.Fatalf("bit %d flipped: taken", bit)
		}
	}
}

func TestSignatureOutsideTheRangeIsRefused(t *testing.T) {
	public, _ := ParseVerifyKey(unhex(t, standardPublic))
	good := [SignatureSize]byte(unhex(t, standardSignature))
	n := new(big.Int).SetBytes(order)
	set := func(r, s *big.Int) (sig [SignatureSize]byte) {
		r.FillBytes(sig[:32])
		s.FillBytes(sig[32:])
		return sig
	}
	r, s := new(big.Int).SetBytes(good[:32]), new(big.Int).SetBytes(good[32:])
	ones := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
	for name, sig := range map[string][SignatureSize]byte{
		"r = 0":     set(new(big.Int), s),
		"s = 0":     set(r, new(big.Int)),
		"both 0":    {},
		"r = n":     set(n, s),
		"s = n":     set(r, n),
		"all ones":  set(ones, ones),
		"r + s = n": set(r, new(big.Int).Sub(n, r)),
	} {
		if public.Verify([]byte("message digest"), sig) || inRange(sig) {
			t.Errorf("%s: taken", name)
		}
	}
	if !inRange(set(big.NewInt(1), big.NewInt(1))) || !inRange(set(new(big.Int).Sub(n, big.NewInt(1)), big.NewInt(2))) {
		t.Error("the ends of the range are part of it")
	}
}

func TestKeyThatIsNoKeyIsRefused(t *testing.T) {
	n := new(big.Int).SetBytes(order)
	for name, d := range map[string][]byte{
		"zero":           make([]byte, 32),
		"n − 1":          new(big.Int).Sub(n, big.NewInt(1)).Bytes(),
		"n":              order,
		"31 bytes":       make([]byte, 31),
		"33 bytes":       append([]byte{0}, unhex(t, standardKey)...),
		"nothing at all": nil,
	} {
		if _, err := ParseSigningKey(d); err == nil {
			t.Errorf("private key %s: taken", name)
		}
	}
	off := unhex(t, standardPublic)
	off[64] ^= 1
	compressed := append([]byte{3}, unhex(t, standardPublic)[1:33]...)
	for name, b := range map[string][]byte{"off the curve": off, "compressed": compressed, "infinity": {0}, "zeros": make([]byte, 65)} {
		if _, err := ParseVerifyKey(b); err == nil {
			t.Errorf("public key %s: taken", name)
		}
	}
	var zero VerifyKey
	if zero.Verify(nil, [SignatureSize]byte(unhex(t, standardSignature))) {
		t.Error("the zero key verified something")
	}
}

func TestDEROfOtherFormsIsRefused(t *testing.T) {
	good := toDER([SignatureSize]byte(unhex(t, standardSignature)))
	if sig, err := fromDER(good); err != nil || !bytes.Equal(sig[:], unhex(t, standardSignature)) {
		t.Fatalf("fromDER = %x, %v", sig, err)
	}
	for n := range good {
		if _, err := fromDER(good[:n]); err == nil {
			t.Errorf("cut to %d bytes: taken", n)
		}
	}
	if _, err := fromDER(append(bytes.Clone(good), 0)); err == nil {
		t.Error("a trailing byte: taken")
	}
}

func BenchmarkSign(b *testing.B) {
	b.ReportAllocs()
	key, _ := GenerateSigningKey()
	for b.Loop() {
		if _, err := key.Sign([]byte("message")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	b.ReportAllocs()
	key, _ := GenerateSigningKey()
	sig, _ := key.Sign([]byte("message"))
	for b.Loop() {
		if !key.Public().Verify([]byte("message"), sig) {
			b.Fatal("refused")
		}
	}
}
