package commit

import (
	"context"
	"fmt"

	"github.com/citycode/citycode/internal/audit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/feed"
)

// Tx is the transaction of one act. It is good until the act's function returns.
type Tx struct {
	db.Querier
	node    *Node
	head    audit.Head // the last entry, written or waiting
	change  int64      // the number of the last change, likewise
	entries []audit.Entry
	changes []feed.Change
	err     error
}

// Audit adds an entry to the chain and returns its number: (Node.ID, number)
// names it, for rows that the entry stands for. The body is written as JSON:
// ids only, no personal data. A body that JSON can't hold fails the act.
func (t *Tx) Audit(kind string, body any) (seq int64) {
	e, err := audit.After(t.head, t.node.cfg.Now().UnixMilli(), kind, body)
	if err != nil {
		if t.err == nil {
			t.err = err
		}
		return t.head.Seq + 1
	}
	t.head = e.Head()
	t.entries = append(t.entries, e)
	return e.Seq
}

// Change announces a change to every process, this one included.
func (t *Tx) Change(topic string, payload []byte) {
	t.change++
	t.changes = append(t.changes, feed.Change{
		Stream: t.node.id, Seq: t.change, At: t.node.cfg.Now().UnixMilli(), Topic: topic, Payload: payload,
	})
}

// movedError says that the chain or the stream isn't where it was read: an
// earlier commit of unknown outcome came through after all.
type movedError struct{ cause error }

func (m *movedError) Error() string { return "the head has moved: " + m.cause.Error() }
func (m *movedError) Unwrap() error { return m.cause }

// flush writes the entries that wait.
func (t *Tx) flush(ctx context.Context) error {
	if t.err != nil {
		return t.err
	}
	for _, e := range t.entries {
		if err := audit.Insert(ctx, t.Querier, e); err != nil {
			return fmt.Errorf("commit: audit entry %d: %w", e.Seq, &movedError{err})
		}
	}
	t.entries = nil
	return nil
}

// write puts entries and changes where they belong.
func (t *Tx) write(ctx context.Context) error {
	if err := t.flush(ctx); err != nil {
		return err
	}
	if len(t.changes) == 0 {
		return nil
	}
	if err := feed.Insert(ctx, t.Querier, t.changes...); err != nil {
		return fmt.Errorf("commit: changes: %w", &movedError{err})
	}
	return t.node.putHead(ctx, t.Querier, t.change)
}
