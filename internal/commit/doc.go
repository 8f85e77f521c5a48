// Package commit is the one way in which a process makes changes that others
// must be able to trust or follow: with its audit entries, and with the
// announcements that keep every process's memory up to date.
//
// # Node
//
// A Node is one start of a process: one audit chain (package audit) and one
// change stream (package feed), under one random id. Do and DoAppend run a
// function in a transaction and write its entries and changes at the end of
// that transaction. They are done one after another, so that the numbers given
// in Go are the order of commit. A function may run more than once: each run
// has a Tx of its own, and must set, not add to, what it hands out.
//
// Each act begins where the database says that the chain ends, so that a commit
// whose outcome isn't known, or a standby that took over, leaves no gap. A node
// remembers what it wrote, though: when the chain ends elsewhere, its next entry
// (audit.KindBroken) says so before anything is signed, and the log does, too.
//
// A database that doesn't know this node any more (restored from a backup that
// is older than the process, or the process slept for over a day) gives fault
// Unavailable "node_forgotten" from every act, and ends Run: the process has
// to be started again.
//
// Run writes a heartbeat each second, compares clocks with the other nodes,
// signs a checkpoint each minute and purges old changes.
//
// # Group
//
// A Group turns many waiting callers into few transactions. There is no timer:
// while one batch waits for the disk the next one forms.
//
// What it doesn't promise: a caller that stops waiting doesn't know whether its
// item was written, and neither does one that is told Unavailable. Whoever
// tries again writes again, by the same key.
//
// The package owns the table node, and writes change, audit_entry and
// audit_checkpoint through the packages that own them.
package commit
