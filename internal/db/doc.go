// Package db keeps the city's records in SQLite or PostgreSQL behind one set of
// calls. It is the only package that knows an engine.
//
// What it promises: when Tx or Append return nil, the change survives a crash
// of the process and of the machine, and on PostgreSQL with synchronous
// replication the loss of the primary. Open refuses a database that couldn't
// keep this: SQLite older than 3.51.3 or without WAL, synchronous=FULL and
// secure_delete; PostgreSQL older than 15, with fsync or full_page_writes off
// or synchronous_commit below on. Text is ordered by its bytes on both.
//
// What it doesn't: it retries transactions that met another one, but never a
// commit whose outcome is unknown (IsUnclear). A database that can't be reached
// gives fault Unavailable "database_unavailable" from every call, at once or
// after the 2 s of a connection attempt; waiting for it is the caller's. What
// is deleted from SQLite is overwritten in the file, but its last content stays
// in the write-ahead log until that is written back and used again; PostgreSQL
// keeps it until vacuum and in the archived log. What must be unreadable at
// once is kept sealed, and its key deleted.
//
// SQL is written once, in the subset that both engines run alike: types text,
// bigint, boolean and bytea; $1 placeholders; upsert, returning, common table
// expressions, window functions, row values, partial indexes. Ids and times
// (Unix milliseconds) are made in Go.
//
// It owns the tables schema_migration and database_identity of each store.
package db
