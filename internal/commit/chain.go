package commit

import (
	"context"
	"errors"
	"fmt"

	"github.com/citycode/citycode/internal/audit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/keys"
)

// register writes the node's row, the chain's first entry and its first
// checkpoint.
func (n *Node) register(ctx context.Context, q db.Querier) (audit.Checkpoint, error) {
	heads, err := audit.ReadHeads(ctx, q)
	if err != nil {
		return audit.Checkpoint{}, err
	}
	links, err := audit.ReadLinks(ctx, q)
	if err != nil {
		return audit.Checkpoint{}, err
	}
	predecessor, err := newest(ctx, q, heads)
	if err != nil {
		return audit.Checkpoint{}, err
	}
	now := n.cfg.Now().UnixMilli()
	opening, err := audit.After(audit.Head{Chain: n.id}, now, audit.KindOpen, audit.Opening{Name: n.cfg.Name, Predecessor: predecessor})
	if err != nil {
		return audit.Checkpoint{}, err
	}
	if _, err := q.Exec(ctx, `insert into node (id, name, started_at, heartbeat_at, head) values ($1, $2, $3, $3, 0)`, n.id, n.cfg.Name, now); err != nil {
		return audit.Checkpoint{}, err
	}
	if err := audit.Insert(ctx, q, opening); err != nil {
		return audit.Checkpoint{}, err
	}
	// What a link vouches for, this chain's own included, the first checkpoint
	// needn't list: else a process that fails at each start would list all its
	// predecessors each time.
	vouched := make(map[int64]int64)
	if predecessor != nil {
		links = append(links, *predecessor)
	}
	for _, l := range links {
		vouched[l.Chain] = max(vouched[l.Chain], l.Seq)
	}
	var previous *audit.Checkpoint
	if predecessor != nil {
		if previous, err = audit.LastCheckpoint(ctx, q, predecessor.Chain); err != nil {
			return audit.Checkpoint{}, err
		}
	}
	heads = append(heads, opening.Head())
	c, err := n.sign(1, previous, moved(heads, vouched))
	if err != nil {
		return audit.Checkpoint{}, err
	}
	n.head, n.listed = opening.Head(), seqs(heads)
	return c, audit.InsertCheckpoint(ctx, q, c)
}

// newest gives the head of the chain that was begun last, by the clocks of
// those who began them; nil when there is none.
func newest(ctx context.Context, q db.Querier, heads []audit.Head) (*audit.Head, error) {
	var id int64
	err := q.QueryRow(ctx, `select n.id from node n where exists (select 1 from audit_entry e where e.chain = n.id)
		order by n.started_at desc, n.id desc limit 1`).Scan(&id)
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, h := range heads {
		if h.Chain == id {
			return &h, nil
		}
	}
	return nil, fmt.Errorf("node %d went away while its chain was read", id)
}

// moved keeps the heads that aren't where they are known to be: further, or
// back when the database lost what it had acknowledged.
func moved(heads []audit.Head, known map[int64]int64) []audit.Head {
	var out []audit.Head
	for _, h := range heads {
		if h.Seq != known[h.Chain] {
			out = append(out, h)
		}
	}
	return out
}

func seqs(heads []audit.Head) map[int64]int64 {
	m := make(map[int64]int64, len(heads))
	for _, h := range heads {
		m[h.Chain] = h.Seq
	}
	return m
}

func (n *Node) sign(no int64, previous *audit.Checkpoint, heads []audit.Head) (audit.Checkpoint, error) {
	g, err := n.cfg.Keys.Sealing(keys.Audit)
	if err != nil {
		return audit.Checkpoint{}, err
	}
	s := audit.Statement{Chain: n.id, No: no, At: n.cfg.Now().UnixMilli(), Generation: g.Number, Heads: heads}
	if previous != nil {
		mark := previous.Mark()
		s.Previous = &mark
	}
	return audit.Sign(g.Signing(), s)
}

// Checkpoint signs the heads of all chains that went on since this node's last
// one; without any it does nothing. The checkpoint is also appended to the
// anchor file: an error of that comes after the checkpoint was committed, and
// what is missing there is appended with the next.
func (n *Node) Checkpoint(ctx context.Context) error {
	if err := n.enter(ctx); err != nil {
		return err
	}
	defer n.leave()
	if n.closed {
		return errClosing()
	}
	var c *audit.Checkpoint
	var listed map[int64]int64
	err := n.append(ctx, func(ctx context.Context, tx *Tx) (err error) {
		if err := tx.flush(ctx); err != nil { // a break of the chain comes before the signature over it
			return err
		}
		c, listed, err = n.checkpoint(ctx, tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("commit: checkpoint: %w", err)
	}
	n.listed = listed
	if c == nil {
		return n.pin()
	}
	return n.pin(*c)
}

// checkpoint writes the next checkpoint, if there is anything to list.
func (n *Node) checkpoint(ctx context.Context, q db.Querier) (*audit.Checkpoint, map[int64]int64, error) {
	heads, err := audit.ReadHeads(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	list := moved(heads, n.listed)
	if len(list) == 0 {
		return nil, n.listed, nil
	}
	// From the database: the outcome of an earlier one may not be known.
	previous, err := audit.LastCheckpoint(ctx, q, n.id)
	if err != nil {
		return nil, nil, err
	}
	if previous == nil {
		return nil, nil, errForgotten()
	}
	c, err := n.sign(previous.No+1, previous, list)
	if err != nil {
		return nil, nil, err
	}
	return &c, seqs(heads), audit.InsertCheckpoint(ctx, q, c)
}

// mostUnpinned bounds what waits for an anchor file that can't be written: a
// day of checkpoints.
const mostUnpinned = 1440

// pin appends to the anchor file what isn't there yet.
func (n *Node) pin(c ...audit.Checkpoint) error {
	if n.cfg.Anchor == "" {
		return nil
	}
	n.unpinned = append(n.unpinned, c...)
	if over := len(n.unpinned) - mostUnpinned; over > 0 {
		n.unpinned = n.unpinned[over:]
	}
	if len(n.unpinned) == 0 {
		return nil
	}
	if err := audit.AppendAnchor(n.cfg.Anchor, n.unpinned...); err != nil {
		return err
	}
	n.unpinned = nil
	return nil
}

// Close ends the chain with an entry, signs the last checkpoint and marks the
// node as ended, in one transaction. Acts after it fail with Unavailable
// "closing", even when Close itself failed; then it may be called again.
func (n *Node) Close(ctx context.Context) error {
	if err := n.enter(ctx); err != nil {
		return err
	}
	defer n.leave()
	if n.ended {
		return nil
	}
	n.closed = true
	var last []audit.Checkpoint
	err := n.append(ctx, func(ctx context.Context, tx *Tx) error {
		last = nil
		var ended *int64
		if err := tx.QueryRow(ctx, `select ended_at from node where id = $1`, n.id).Scan(&ended); err != nil || ended != nil {
			return err // it was an earlier Close, whose outcome wasn't known
		}
		tx.Audit(audit.KindClose, struct{}{})
		if err := tx.flush(ctx); err != nil {
			return err
		}
		c, _, err := n.checkpoint(ctx, tx)
		if err != nil {
			return err
		}
		last = []audit.Checkpoint{*c}
		_, err = tx.Exec(ctx, `update node set ended_at = $2, heartbeat_at = $2 where id = $1`, n.id, n.cfg.Now().UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("commit: close: %w", err)
	}
	n.ended = true
	return n.pin(last...)
}
