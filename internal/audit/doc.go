// Package audit keeps a log of acts that shows when it has been tampered with.
//
// Each process start writes a chain of entries, each bound to the one before it
// by an SM3 hash; the first names the chain begun before it. Checkpoints, signed
// with the SM2 audit key, state how far chains went: the first in the
// transaction that begins a chain, then one each minute when anything moved,
// and a last one in the transaction that closes it. Rows of other tables enter
// as batches: one entry with the Merkle root over them. Package commit writes
// all this, in the transaction of the act; Verify checks it.
//
// # What Verify finds
//
// By whoever can write every table but doesn't have the key file: an entry or
// checkpoint that was changed, removed from the middle or added; a chain that
// was removed; a chain's end cut behind a signature, or with rows left that
// name what was cut; all chains computed anew; a row of a batch changed, removed
// or added; an audit key put in place of ours. Each finding names its place.
//
// # What it doesn't
//
//   - Without an anchor file: the whole database put back to an earlier state
//     of itself, or emptied. That includes removing the newest chain with
//     everything that names it, if no other process listed it meanwhile, and a
//     chain's last checkpoints together with the entries under them and their
//     rows. Checkpoints kept where the attacker can't write show it: AppendAnchor
//     puts a copy of each into a file; ship that file to another machine.
//   - With one: what happened after the last checkpoint. Entries that no
//     signature covers yet (at most a minute's; Report.Unsigned) can be cut or
//     computed anew, if their rows are altered to match, until the next
//     checkpoint or the next start's link signs what is there. The last
//     checkpoint of a chain that still goes on can be removed; from ten minutes
//     of entries without a signature on, Verify says so.
//   - Whoever has the key file or this process's memory can sign anything from
//     then on. What an anchor file holds from before stays proof.
//   - Whether what was written is true, and columns that a batch's canonical row
//     leaves out.
//
// A backup put to use lacks what came after it, and Verify with the old anchor
// file rightly says so: keep that file as it is, and begin another.
//
// # Encodings
//
// All integers are big-endian. Labels are ASCII and end with the zero byte that
// is written here.
//
// An entry's hash is SM3 over
//
//	21    "citycode audit entry" ‖ 0x00
//	8     chain
//	8     seq, from 1
//	8     at, Unix milliseconds
//	32    prev: the hash of entry seq−1, zeros for seq 1
//	4     length of kind in bytes
//	      kind, UTF-8
//	4     length of body in bytes
//	      body, JSON in UTF-8, as it stands in the table
//
// The body of the first entry (kind "open") is
//
//	{"name":"…","predecessor":{"chain":"…","seq":…,"hash":"…"}}
//
// with null in place of the predecessor in the very first chain. Chains are
// decimal numbers in strings, because they have up to 63 bits; hashes are 64
// lower-case hexadecimal digits. The body of the last entry (kind "close") is {}.
//
// The leaf of a row is SM3(0x00 ‖ row), an inner node SM3(0x01 ‖ left ‖ right),
// in the shape of RFC 6962 §2.1; the owner of the rows says what their canonical
// bytes are. The body of a batch's entry, whose kind its owner chooses, is
//
//	{"rows":…,"root":"…","first":"…","last":"…"}
//
// with the ids of the first and last row in hexadecimal.
//
// A checkpoint's body is, without white space and with these members in this
// order,
//
//	{"chain":"…","no":…,"at":…,"generation":…,"previous":{"chain":"…","no":…,"digest":"…"},"heads":[{"chain":"…","seq":…,"hash":"…"},…]}
//
// chain and no are its own place, generation that of the audit key; previous is
// the checkpoint before it in its chain, for the first the last one of the
// predecessor chain at that time, null if there is none; heads are the ends of
// chains that moved since, of the node's own and all others whose row stands in
// the table node. A chain's first checkpoint leaves out those that an opening
// entry names as they are. The signature is SM2, r‖s, over
//
//	26    "citycode audit checkpoint" ‖ 0x00
//	      body, as it stands in the table
//
// and the digest of a checkpoint is SM3 over that message and the 64 bytes of
// its signature.
//
// A line of the anchor file is
//
//	{"chain":"…","no":…,"at":…,"generation":…,"signature":"128 hexadecimal digits","body":"…"}
//
// Lines may be torn where a machine stopped; Verify takes a torn line that is
// the beginning of a checkpoint that the database has.
//
// The package owns the tables audit_entry and audit_checkpoint.
package audit
