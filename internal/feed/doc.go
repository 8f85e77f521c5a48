// Package feed carries changes to every process, so that what each keeps in
// memory follows the database within a few hundred milliseconds.
//
// A process writes its changes to a stream of its own (commit.Node does this,
// in the transaction of the act), numbered 1, 2, 3, … in Go by its one writer:
// so the order in a stream is the order of commit on both engines, which the
// order of a database sequence isn't. A Reader polls all streams.
//
// What a Reader promises: each change is handed to the handlers of its topic,
// in the order of its stream, at least once; and when that can't be promised
// (first start, a database that was restored, a position ahead of the stream,
// changes already purged, a pause of more than half of Kept) the functions
// given to OnReload run instead, to read everything again.
//
// What it doesn't: order between streams, nor that the change is the newest
// word on its subject. A handler therefore is idempotent and either reads the
// row again or compares what it is told with what it has. A process sees its
// own changes too. A handler that fails stops the feed there: the change comes
// again at the next poll.
//
// It owns the table change. It reads node (written by package commit), where
// the number of each stream's last change stands.
package feed
