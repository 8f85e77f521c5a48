// Package intake carries a file of records into the database, whatever the
// records are about: the caller says how a row is judged and how a thousand of
// them are written.
//
// # Promises
//
//   - A row is taken whole or not at all: at most MaxRows rows, or MaxBytes,
//     enter in one transaction, together with the position in the file.
//   - A run that was killed is taken up where it was by running the same file
//     again; the row it stopped at is neither skipped nor taken twice. Rows
//     taken before are judged again, so that the file of rejects is complete,
//     but not written. It is taken up only when no other file of the kind was
//     begun since: else it starts from the top, which is right as well, because
//     what a caller writes is idempotent.
//   - Of two rows about one thing in one file the first counts: the second is
//     unchanged when it says the same, and rejected as duplicate_row otherwise.
//   - Rejected rows lie in a file beside the input, in the order of the input,
//     and the audit chain has an entry for the beginning and the end of each
//     run: kind, digest and counts.
//
// # Limits
//
// Only rows are looked after: a file whose rows are right and whose content is
// wrong is taken. Memory is some 30 bytes a row (tabular.Seen) and one chunk.
//
// It owns the table import_job.
package intake
