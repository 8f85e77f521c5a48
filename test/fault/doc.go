// Package fault tests the real binary the hard way: processes killed while they
// work, databases changed behind their back, files searched byte by byte.
//
// What the tests show, on SQLite and PostgreSQL: a scan that was answered is
// there after kill -9 of the server (and of the database's own); no answer
// leaves before the sync that covers it; audit verify names the place of every
// attack by someone without the key file; no file, dump or log holds a
// resident's data in clear; two processes on one database agree within two
// seconds; what was backed up while scans were written can be restored and used;
// a server that is told to stop answers what it had begun.
//
// CITYCODE_FAULT_KILLS says how often each engine's server is killed under load
// (default 2; `make fault` sets 20), CITYCODE_FAULT_SEED repeats the moments of
// an earlier run. With CITYCODE_FAULT_KILLS set, a machine that can't trace
// system calls fails the test of the syncs; otherwise that one is skipped.
package fault
