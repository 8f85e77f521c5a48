package scan

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/citycode/citycode/internal/audit"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/scene"
)

// Config is what a Log needs.
type Config struct {
	DB   *db.DB
	Node *commit.Node
	Now  func() time.Time
	Log  *slog.Logger
	// Committed, when set, is called after each batch with its size and how long
	// the transaction took: for metrics.
	Committed func(rows int, took time.Duration)
}

// Log appends and finds scans.
type Log struct {
	cfg   Config
	group *commit.Group[*Entry]

	mu     sync.Mutex
	inside map[keyOf]struct{} // idempotency keys being worked on here
	made   map[string]bool    // partitions known to exist (PostgreSQL)
}

// New starts the committer; Close stops it.
func New(cfg Config) *Log {
	l := &Log{cfg: cfg, inside: make(map[keyOf]struct{}), made: make(map[string]bool)}
	l.group = commit.NewGroup(commit.GroupConfig{Queue: 4096, Batch: 512, Log: cfg.Log}, l.write)
	return l
}

// Close lets the queue drain.
func (l *Log) Close() { l.group.Close() }

// Depth is how many scans wait for the disk.
func (l *Log) Depth() int { return l.group.Depth() }

// Key makes an append idempotent: the same caller and key within 24 h is the
// same scan.
type Key struct {
	Caller string
	Key    string
	Digest []byte // keyed hash of the request, to tell a repeat from a mistake
}

type keyOf struct{ caller, key string }

// KeyLifetime is how long a key stays claimed.
const KeyLifetime = 24 * time.Hour

// Use claims a code for a scene that takes each code once.
type Use struct {
	Nonce [12]byte
	Until time.Time // when the code has lapsed by itself
}

// Entry is a scan on its way to the disk, and what became of it there.
type Entry struct {
	Scan Scan
	Key  *Key
	Use  *Use

	// First is set when the key was claimed before: the earlier scan's id. The
	// new one was not recorded.
	First *ID
	// Clash is set when that earlier claim was for another request.
	Clash bool
}

// Append records the scan and returns when it is durable. A single-use code
// that was used before turns the entry's scan into already_used. Errors are
// fault.Conflict "in_progress" for a key that is being worked on,
// fault.Unavailable when the queue is full and without the database.
func (l *Log) Append(ctx context.Context, e *Entry) error {
	if e.Key != nil {
		k := keyOf{e.Key.Caller, e.Key.Key}
		l.mu.Lock()
		_, busy := l.inside[k]
		if !busy {
			l.inside[k] = struct{}{}
		}
		l.mu.Unlock()
		if busy {
			return fault.New(fault.Conflict, "in_progress", "a request with this key is being worked on")
		}
		defer func() {
			l.mu.Lock()
			delete(l.inside, k)
			l.mu.Unlock()
		}()
	}
	return l.group.Do(ctx, e)
}

// write commits one batch in one transaction. It may run again for the same
// entries (a failing batch is split), so that it starts by clearing what an
// earlier run found out.
func (l *Log) write(ctx context.Context, batch []*Entry) error {
	if err := l.ready(ctx, batch); err != nil {
		return err
	}
	start := time.Now()
	originals := make([]Scan, len(batch))
	for i, e := range batch {
		originals[i] = e.Scan
	}
	err := l.cfg.Node.DoAppend(ctx, func(ctx context.Context, tx *commit.Tx) error {
		for i, e := range batch {
			e.Scan, e.First, e.Clash = originals[i], nil, false
		}
		if err := l.claimKeys(ctx, tx, batch); err != nil {
			return err
		}
		if err := l.claimCodes(ctx, tx, batch); err != nil {
			return err
		}
		rows := make([]row, 0, len(batch))
		leaves := make([][32]byte, 0, len(batch))
		var buf []byte
		for _, e := range batch {
			if e.First != nil {
				continue
			}
			r := e.Scan.row()
			buf = r.canonical(buf[:0])
			rows = append(rows, r)
			leaves = append(leaves, audit.Leaf(buf))
		}
		if len(rows) == 0 {
			return nil
		}
		seq := tx.Audit(BatchKind, audit.NewBatch(leaves, rows[0].id, rows[len(rows)-1].id))
		return l.insert(ctx, tx, rows, l.cfg.Node.ID(), seq)
	})
	if err == nil && l.cfg.Committed != nil {
		l.cfg.Committed(len(batch), time.Since(start))
	}
	return err
}

// usedUp turns a scan into the refusal of a code that was used before.
func (e *Entry) usedUp() {
	e.Scan.Outcome, e.Scan.Admission = AlreadyUsed, scene.Refuse
	e.Scan.Disclosed, e.Scan.Color = nil, 0
}
