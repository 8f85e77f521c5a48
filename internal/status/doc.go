// Package status answers what colour a person is, from memory.
//
// Every node keeps every person's status in memory: Current reads it without a
// lock, an allocation or the database. The database is the store of record;
// what is committed there reaches every node through the change feed, within
// 2 s (0.2 s between polls), and a status that changes by itself at a known
// time (a quarantine that ends) changes at that time on every node, because
// Current compares the time at each reading: nothing needs to run, to be
// written or to be reachable for it.
//
// # Promises
//
//   - Current is right as of Status.AsOf: whatever was committed before that
//     time is in the answer.
//   - A person imported a moment ago, whom the feed hasn't brought yet, is asked
//     of the database; so is nobody else.
//   - Set, Create and SetFlags write and announce in the caller's transaction,
//     or not at all. A change names people, not statuses: who is told of it
//     reads the rows again, so that two nodes that change one person at once
//     leave every memory with what was committed last.
//   - The snapshot file lets a node start without reading every row. It is
//     taken for what it is: checked by digest, dropped when it belongs to
//     another database or is too old for the feed, and without names or
//     numbers.
//
// # Memory
//
// A person takes a slot of 16 bytes, about 21 with the room that a hash table
// needs (0.72 GB at 34 million; a reload after a restore builds a second table
// beside the first). A slot is the handle, 8 bytes, and:
//
//	bits 63-34  since       when the colour began, seconds since 2020-01-01 (to 2054)
//	bits 33-10  changes in  seconds from since to the next change (to 194 days); 0 = none
//	bits  9-0   meaning     index of what the status says apart from its times:
//	                        colour, reason, next colour and reason, suspended,
//	                        deceased; 1-1022, 1023 = the person is in the side map
//
// A city has few meanings: tens of reasons, times the reasons that follow them.
// What doesn't fit (more meanings than 1,022, a change further off than 194
// days, a time outside the range) is kept exactly in a side map with a lock, at
// some 200 bytes a person.
//
// Reading one costs 25 ns while the table lies in the processor's cache (10,000
// people), and with a million people a miss of it, 65 to 150 ns measured on two
// shared cores; no allocation in any case.
//
// # Limits
//
// Memory holds the scheme "health"; other schemes are in the database only.
// Times are whole seconds. A change that has come due is seen by reading; the
// row in the database keeps the colour before and the next one until something
// writes it again, so whoever reads rows directly must apply changes_at.
// Watching is capped; whoever isn't let in asks again by themselves.
//
// It owns the tables status and status_reason and the files status-NODE.snap.
package status
