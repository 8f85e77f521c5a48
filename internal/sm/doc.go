// Package sm is the thin layer over the national algorithms that the rest of
// citycode uses: SM3 digests and keyed digests, SM4-GCM, and SM2 signatures.
//
// It promises the forms that docs/formats.md fixes, so that no caller has to
// know a library's defaults:
//
//   - signatures are r‖s, 32 bytes each, left-padded, over e = SM3(Z‖M) with
//     user id 1234567812345678 (GB/T 32918.2); 1 ≤ r, s < n and r+s ≠ n, and
//     no other encoding of a signature is taken;
//   - SM4-GCM has a 12-byte nonce and a 16-byte tag (live codes, whose tag is
//     14 bytes, are made in package code);
//   - a sealed value is nonce ‖ ciphertext ‖ tag with a nonce from the system's
//     random source, so that sealing one value twice gives two texts.
//
// What a nonce of 96 random bits allows is about 2^32 seals under one key
// before a repeat is likelier than 2^-33; keys that seal more are rotated.
//
// It doesn't promise constant time beyond what the library gives, doesn't wipe
// memory, and keeps no keys: that is the work of package keys. It owns no
// tables.
package sm
