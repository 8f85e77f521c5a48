// Package dbtest runs store tests on both engines.
//
// Each gives a test a fresh, migrated database on SQLite and one in PostgreSQL,
// in a schema of its own. PostgreSQL is a cluster that this test process starts
// when it first needs one, with fsync on, and that ends with the process
// however that ends; or the one whose URL stands in CITYCODE_TEST_POSTGRES,
// which dbtest/withpostgres sets so that many test processes share a cluster.
// A machine without PostgreSQL fails the tests: nothing is skipped.
package dbtest
