package audit

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/citycode/citycode/internal/db"
)

// batches compares rows with the entries that stand for them.
func (v *verifier) batches(ctx context.Context) error {
	for _, b := range v.cfg.Batches {
		p := &pairing{v: v, kind: b.Kind}
		// The rows come in one snapshot, begun after the chains' ends were noted:
		// it holds all rows of the entries up to there. The entries are read
		// beside it, in pages, on another connection.
		err := v.cfg.DB.Snapshot(ctx, func(ctx context.Context, q db.Querier) error {
			return b.Leaves(ctx, q, func(chain, seq int64, leaf [32]byte, rowID string) error {
				return p.row(ctx, chain, seq, leaf, rowID)
			})
		})
		if err == nil {
			err = p.end(ctx)
		}
		if err != nil {
			return err
		}
		v.progress()
	}
	return nil
}

// pairing walks rows and entries side by side, both ordered by (chain, seq).
type pairing struct {
	v    *verifier
	kind string

	// the rows of the entry being collected
	chain, seq  int64
	tree        Tree
	first, last string // ids of rows
	open        bool

	// the entries not yet reached
	page           []batchEntry
	done           bool
	atChain, atSeq int64 // the last one read
	started        bool
}

type batchEntry struct {
	chain, seq int64
	kind       string
	body       string
}

func (p *pairing) row(ctx context.Context, chain, seq int64, leaf [32]byte, rowID string) error {
	if !p.open || chain != p.chain || seq != p.seq {
		if err := p.finish(ctx); err != nil {
			return err
		}
		p.chain, p.seq, p.tree, p.first, p.open = chain, seq, Tree{}, rowID, true
	}
	p.tree.Add(leaf)
	p.last = rowID
	p.v.report.Rows++
	if p.v.report.Rows%pageSize == 0 {
		p.v.progress()
	}
	return nil
}

func (p *pairing) end(ctx context.Context) error {
	if err := p.finish(ctx); err != nil {
		return err
	}
	for {
		e, ok, err := p.peek(ctx)
		if err != nil || !ok {
			return err
		}
		p.page = p.page[1:]
		p.without(e)
	}
}

// finish compares the rows collected with their entry.
func (p *pairing) finish(ctx context.Context) error {
	if !p.open {
		return nil
	}
	p.open = false
	for {
		e, ok, err := p.peek(ctx)
		if err != nil {
			return err
		}
		if !ok || e.chain > p.chain || e.chain == p.chain && e.seq > p.seq {
			return p.orphans(ctx)
		}
		p.page = p.page[1:]
		if e.chain == p.chain && e.seq == p.seq {
			p.compare(e)
			return nil
		}
		p.without(e)
	}
}

func (p *pairing) where(chain, seq int64) string {
	return fmt.Sprintf("%s %s", p.kind, whereEntry(chain, seq))
}

func (p *pairing) compare(e batchEntry) {
	p.v.report.Batches++
	where := p.where(e.chain, e.seq)
	var b Batch
	if err := json.Unmarshal([]byte(e.body), &b); err != nil {
		p.v.find(where, "the entry doesn't say what its rows were")
		return
	}
	root := Digest(p.tree.Root())
	switch n := p.tree.Count(); {
	case n < b.Rows:
		p.v.find(where, "%s of %d missing (first %s, last %s)", countOf(b.Rows-n, "row"), b.Rows, b.First, b.Last)
	case n > b.Rows:
		p.v.find(where, "%s added to %d (rows %s to %s)", countOf(n-b.Rows, "row"), b.Rows, p.first, p.last)
	case root != b.Root && n == 1:
		p.v.find(where, "row %s was changed", p.first)
	case root != b.Root:
		p.v.find(where, "one or more of its %d rows were changed (rows %s to %s)", n, p.first, p.last)
	}
}

// without reports an entry that has no rows at all.
func (p *pairing) without(e batchEntry) {
	p.v.report.Batches++
	var b Batch
	if err := json.Unmarshal([]byte(e.body), &b); err != nil {
		p.v.find(p.where(e.chain, e.seq), "the entry doesn't say what its rows were")
	} else if b.Rows != 0 {
		p.v.find(p.where(e.chain, e.seq), "all its %s missing (first %s, last %s)", countOf(b.Rows, "row"), b.First, b.Last)
	}
}

// orphans reports rows whose entry isn't there, unless it came after Verify
// began.
func (p *pairing) orphans(ctx context.Context) error {
	rows := "row " + p.first
	if n := p.tree.Count(); n > 1 {
		rows = fmt.Sprintf("%d rows %s to %s", n, p.first, p.last)
	}
	return p.v.read(ctx, func(ctx context.Context, q db.Querier) error {
		_, ok, err := storedHash(ctx, q, p.chain, p.seq)
		if err != nil {
			return err
		}
		limit, known := p.v.limit[p.chain]
		switch {
		case ok && (!known || p.seq > limit): // newer than what is verified
		case ok:
			p.v.find(p.where(p.chain, p.seq), "%s added: the entry they name is of another kind", rows)
		case !known:
			p.v.findOnce(fmt.Sprint("gone ", p.chain), whereChain(p.chain), "the whole chain is missing: its entry %d is named by %s of %s", p.seq, rows, p.kind)
		case p.seq > limit:
			p.v.findOnce(fmt.Sprint("cut ", p.chain), whereChain(p.chain), "cut after entry %d: its entry %d is named by %s of %s", limit, p.seq, rows, p.kind)
		default:
			p.v.find(p.where(p.chain, p.seq), "missing, but named by %s", rows)
		}
		return nil
	})
}

// peek gives the next entry of the kind, within what was there at the start.
func (p *pairing) peek(ctx context.Context) (batchEntry, bool, error) {
	for len(p.page) == 0 && !p.done {
		if err := p.fill(ctx); err != nil {
			return batchEntry{}, false, err
		}
	}
	if len(p.page) == 0 {
		return batchEntry{}, false, nil
	}
	return p.page[0], true, nil
}

// fill reads the next page of all entries, in the order of the primary key, and
// keeps those of the kind. Most entries are batches.
func (p *pairing) fill(ctx context.Context) error {
	if !p.started {
		p.started, p.atChain, p.atSeq = true, -1<<63, 0
	}
	var read int
	err := p.v.read(ctx, func(ctx context.Context, q db.Querier) error {
		read, p.page = 0, nil
		rows, err := q.Query(ctx, `select chain, seq, kind, body from audit_entry
			where (chain, seq) > ($1, $2) order by chain, seq limit $3`, p.atChain, p.atSeq, pageSize)
		if err != nil {
			return err
		}
		defer rows.Close()
		var e batchEntry
		for rows.Next() {
			if err := rows.Scan(&e.chain, &e.seq, &e.kind, &e.body); err != nil {
				return err
			}
			read++
			if limit, known := p.v.limit[e.chain]; e.kind == p.kind && known && e.seq <= limit {
				p.page = append(p.page, e)
			}
		}
		p.atChain, p.atSeq = e.chain, e.seq
		return rows.Err()
	})
	p.done = read < pageSize
	return err
}
