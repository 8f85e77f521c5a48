package commit

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/citycode/citycode/internal/audit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/keys"
)

// Config is what a Node needs. Now, Anchor and Log may be left out.
type Config struct {
	DB     *db.DB
	Keys   *keys.Keeper
	Name   string // of the process, for people: machine and role
	Now    func() time.Time
	Anchor string // file that checkpoints are appended to as well, outside the database
	Log    *slog.Logger
}

// Node is one start of a process; see the package comment.
type Node struct {
	cfg Config
	id  int64

	// line lets one act at a time through; a channel, so that waiting ends with
	// its context. Whoever holds it may touch what follows.
	line     chan struct{}
	closed   bool                  // no more acts
	ended    bool                  // and the database knows
	head     audit.Head            // the last entry known to be committed
	unclear  map[audit.Digest]bool // last entries of acts since then that may have been, too
	listed   map[int64]int64       // chain → entry up to which signatures or links vouch for it
	unpinned []audit.Checkpoint    // not yet in the anchor file

	mu     sync.Mutex // guards clocks
	clocks map[int64]*clock
}

// Open registers the node, begins its chain and signs the first checkpoint,
// all in one transaction. Whoever works for more than a few minutes has Run go
// beside: entries that nothing signs for ten minutes are a finding of audit
// verify, and a node that is silent for a day is forgotten.
func Open(ctx context.Context, c Config) (*Node, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Anchor != "" {
		if err := audit.AppendAnchor(c.Anchor); err != nil {
			return nil, err
		}
	}
	id, err := newID()
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: c, id: id, line: make(chan struct{}, 1), unclear: make(map[audit.Digest]bool), clocks: make(map[int64]*clock)}
	var first audit.Checkpoint
	err = c.DB.Tx(ctx, func(ctx context.Context, q db.Querier) error {
		first, err = n.register(ctx, q)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("commit: open: %w", err)
	}
	if err := n.pin(first); err != nil {
		return nil, err
	}
	return n, nil
}

func newID() (int64, error) {
	for {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return 0, fmt.Errorf("commit: %w", err)
		}
		if id := int64(binary.BigEndian.Uint64(b[:]) >> 1); id != 0 {
			return id, nil
		}
	}
}

// ID names the node, its chain and its stream: positive and random.
func (n *Node) ID() int64 { return n.id }

// Do runs fn in a serialisable transaction (db.Tx) with its entries and
// changes.
func (n *Node) Do(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return n.act(ctx, func(ctx context.Context) error {
		// Read before the transaction: in it, on PostgreSQL, the read would lock
		// index pages that other nodes write, and make their transactions and
		// this one fail by turns.
		var at position
		err := n.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) (err error) {
			at, err = n.readHead(ctx, q)
			return err
		})
		if err != nil {
			return err
		}
		var a attempt
		err = n.cfg.DB.Tx(ctx, func(ctx context.Context, q db.Querier) error {
			return a.run(ctx, n.begin(q, at), fn)
		})
		return n.settle(a, err)
	})
}

// DoAppend runs fn in a transaction for inserts and upserts by key (db.Append),
// with its entries and changes.
func (n *Node) DoAppend(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return n.act(ctx, func(ctx context.Context) error { return n.append(ctx, fn) })
}

// append is DoAppend for whoever holds the line.
func (n *Node) append(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	var a attempt
	err := n.cfg.DB.Append(ctx, func(ctx context.Context, q db.Querier) error {
		at, err := n.readHead(ctx, q)
		if err != nil {
			return err
		}
		return a.run(ctx, n.begin(q, at), fn)
	})
	return n.settle(a, err)
}

// attempt remembers the heads of the runs of an act that came to their end, the
// last of which was committed, or may have been.
type attempt struct{ heads []audit.Head }

func (a *attempt) run(ctx context.Context, tx *Tx, fn func(ctx context.Context, tx *Tx) error) error {
	if err := fn(ctx, tx); err != nil {
		return err
	}
	if err := tx.write(ctx); err != nil {
		return err
	}
	a.heads = append(a.heads, tx.head)
	return nil
}

// settle takes in what became of an act.
func (n *Node) settle(a attempt, err error) error {
	if err == nil {
		n.head = a.heads[len(a.heads)-1]
		clear(n.unclear)
		return nil
	}
	// Any failure after the end of a run counts as unclear: what was rolled back
	// won't turn up.
	for _, h := range a.heads {
		n.unclear[h.Hash] = true
	}
	return err
}

// inside marks the context of an act, to tell a second one inside it, which
// would wait for itself, from one that merely has to wait.
type inside struct{ node *Node }

// act holds the line while do runs, and runs it again from the start when an
// earlier commit of unknown outcome turns out to have come through.
func (n *Node) act(ctx context.Context, do func(ctx context.Context) error) error {
	if err := n.enter(ctx); err != nil {
		return err
	}
	defer n.leave()
	if n.closed {
		return errClosing()
	}
	ctx = context.WithValue(ctx, inside{n}, true)
	for try := 1; ; try++ {
		err := do(ctx)
		if _, moved := errors.AsType[*movedError](err); !moved || !db.IsUnique(err) {
			return err
		}
		if try == 3 {
			return fault.Wrap(fault.Busy, "head_contention", err, "another process writes to this node's chain")
		}
	}
}

func (n *Node) enter(ctx context.Context) error {
	if ctx.Value(inside{n}) != nil {
		return errors.New("commit: an act inside an act would wait for itself")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case n.line <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for this node's turn to commit: %w", ctx.Err())
	}
}

func (n *Node) leave() { <-n.line }

// position is where the chain and the stream stand in the database.
type position struct {
	entry  audit.Head
	change int64
}

func errForgotten() error {
	return fault.New(fault.Unavailable, "node_forgotten", "the database doesn't know this process: it was restored or the process slept; start again")
}

// readHead reads where the next act goes on.
func (n *Node) readHead(ctx context.Context, q db.Querier) (position, error) {
	p := position{entry: audit.Head{Chain: n.id}}
	var hash []byte
	err := q.QueryRow(ctx, `select n.head, e.seq, e.hash from node n, audit_entry e
		where n.id = $1 and e.chain = $1 order by e.seq desc limit 1`, n.id).Scan(&p.change, &p.entry.Seq, &hash)
	if errors.Is(err, db.ErrNoRows) {
		return p, errForgotten()
	}
	if err != nil {
		return p, err
	}
	copy(p.entry.Hash[:], hash)
	return p, nil
}

// begin makes the Tx of one run. When the chain isn't where this node left it,
// the first entry says so, and audit verify repeats it: nobody else may write
// here, and a signature over it must not make it ours.
func (n *Node) begin(q db.Querier, at position) *Tx {
	tx := &Tx{Querier: q, node: n, head: at.entry, change: at.change}
	if at.entry == n.head || n.unclear[at.entry.Hash] {
		return tx
	}
	own := slog.Group("audit", slog.Int64("chain", n.id), slog.Int64("own", n.head.Seq), slog.Int64("found", at.entry.Seq))
	if at.entry.Seq < n.head.Seq {
		n.cfg.Log.Error("the database lost audit entries that it had acknowledged", own)
	} else {
		n.cfg.Log.Error("somebody else wrote to this process's audit chain", own)
	}
	tx.Audit(audit.KindBroken, audit.Break{Own: n.head, Found: at.entry})
	return tx
}

// putHead sets the stream's head. An upsert and not an update: on PostgreSQL it
// finds its row without the predicate locks that make serialisable
// transactions of two nodes fail by turns on so small a table.
func (n *Node) putHead(ctx context.Context, q db.Querier, head int64) error {
	now := n.cfg.Now().UnixMilli()
	_, err := q.Exec(ctx, `insert into node (id, name, started_at, heartbeat_at, head) values ($1, $2, $3, $3, $4)
		on conflict (id) do update set head = excluded.head`, n.id, n.cfg.Name, now, head)
	return err
}
