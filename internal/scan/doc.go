// Package scan keeps the log of scans: who looked at whom, when, in which
// scene, with which outcome, and what was disclosed. Never the scanned text.
//
// Append returns once the record is durable. Records are committed in groups
// (commit.Group): one transaction holds the claims of idempotency keys and of
// single-use codes, the rows, and one audit entry with the Merkle root over
// them, so that a changed, added or missing row is found by `citycode audit
// verify`. On PostgreSQL the rows go through unnest into daily partitions; on
// SQLite through one prepared insert.
//
// Tables: scan, scan_key, code_use.
//
// # The canonical row
//
// The leaf of a scan in its batch's tree is SM3(0x00 ‖ row). The row is the
// concatenation, each with a length of 4 bytes (big-endian) before it, of: the
// 16 bytes of id; the decimal texts of at and verifier; scene; place; method;
// outcome; admission; kind; the decimal texts of subject, holder (empty when
// null) and color; disclosed; the decimal text of scanned_at (empty when null);
// channel. Times are Unix milliseconds. Handles are written as signed 64-bit
// numbers, as they stand in the table.
package scan
