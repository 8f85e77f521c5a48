// Package demo invents a city to try citycode with: synthetic residents, the
// personas that visitors sign in as, and some scans that were already made.
//
// Every person is synthetic: names put together by a generator, document
// numbers with valid check digits in region 310000, which is assigned to nobody
// and accepted in a demo's database only. The same folder or database used again
// has the same people. Table: demo_mark.
package demo
