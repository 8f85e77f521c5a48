// Package keys keeps the platform's keys: who may seal with what, when, and
// which old keys still open (docs/formats.md §0).
//
// Every purpose has a ring of its own, and a ring has generations. A generation
// begins at its not_before, retires when the next one begins, still opens for a
// while, and is destroyed:
//
//	ring     seals                    begins            retired, opens    archived  destroyed
//	live     live codes               local midnight    120 s             7 days    then
//	session  tokens                   local midnight    24 h              no        then
//	audit    checkpoints (SM2)        1 January         —                 no        private key after a day
//	row      rows without a person    when rotated      for ever          no        never
//	index    keyed look-ups (HMAC)    once              —                 no        never
//
// # Promises
//
//   - Sealing, Opening, Lookup and AuditPublic read memory only, take no lock
//     and don't fail because a database does. Live and session generations lie
//     in memory at least 3 days before they begin; when there is no newer one,
//     the last goes on.
//   - Keys at rest are sealed with SM4-GCM under the key file's key, bound to
//     their ring and number: a row copied over another doesn't open. A stolen
//     database without the key file holds no usable key.
//   - A destroyed generation's sealed key is gone from its row; the row stays,
//     so that a number is never given twice. Public keys of the audit ring stay
//     for ever, sealed like the rest, so that whoever can write the database
//     cannot put a key of their own in their place.
//   - Two processes that start on one empty database end up with the same first
//     generations.
//   - Rotate writes and nothing more: whoever calls it records the act and tells
//     the other nodes, which then Reload.
//
// # Limits
//
//   - Memory isn't wiped, and destroyed means destroyed in this database:
//     backups with the key file open what they hold until they die.
//   - A compromised row generation goes on opening, because data lies under it;
//     a compromised index key has no remedy but a new database.
//   - Keys that a thief read from memory are of use until they are rotated: that
//     is what Rotate with compromised is for.
//
// Per-person keys, which make erasure possible, are PersonKeys; they live in a
// store of their own.
//
// The package owns the tables key_generation and key_custody, and person_key in
// the store db.PersonKeys.
package keys
