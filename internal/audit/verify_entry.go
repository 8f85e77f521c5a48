package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/citycode/citycode/internal/db"
)

// entries checks each chain from its first entry to the last.
func (v *verifier) entries(ctx context.Context) error {
	if err := v.links(ctx); err != nil {
		return err
	}
	for _, chain := range v.sorted() {
		if err := v.chain(ctx, chain); err != nil {
			return err
		}
	}
	return nil
}

// links checks what each chain's first entry says about its predecessor, before
// the entries are gone through: it tells how far they are vouched for.
func (v *verifier) links(ctx context.Context) error {
	var first []int64
	for _, chain := range v.sorted() {
		err := v.read(ctx, func(ctx context.Context, q db.Querier) error {
			page, err := entryPage(ctx, q, chain, 0, 1, 1)
			if err != nil || len(page) == 0 {
				return err // a chain without its first entry is found by chain
			}
			var o Opening
			if page[0].Kind != KindOpen || json.Unmarshal([]byte(page[0].Body), &o) != nil {
				v.find(whereEntry(chain, 1), "doesn't open the chain")
				return nil
			}
			if o.Predecessor == nil {
				first = append(first, chain)
				return nil
			}
			// Signed by the chain's own first checkpoint, where that covers it.
			return v.checkHead(ctx, q, whereEntry(chain, 1), *o.Predecessor, v.vouched[chain] > 0)
		})
		if err != nil {
			return err
		}
	}
	if len(first) > 1 {
		for _, chain := range first {
			v.find(whereChain(chain), "names no predecessor, and so do %s: one at most was the first", countOf(int64(len(first)-1), "other"))
		}
	}
	return nil
}

func entryPage(ctx context.Context, q db.Querier, chain, after, until int64, limit int) ([]Entry, error) {
	rows, err := q.Query(ctx, `select seq, at, kind, body, prev, hash from audit_entry
		where chain = $1 and seq > $2 and seq <= $3 order by seq limit $4`, chain, after, until, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []Entry
	for rows.Next() {
		e := Entry{Chain: chain}
		var prev, hash []byte
		if err := rows.Scan(&e.Seq, &e.At, &e.Kind, &e.Body, &prev, &hash); err != nil {
			return nil, fmt.Errorf("%s and on: %w", whereEntry(chain, after+1), err)
		}
		// One of another length can't be the right one: it stays zero, or is cut.
		if len(prev) == len(e.Prev) {
			copy(e.Prev[:], prev)
		}
		if len(hash) == len(e.Hash) {
			copy(e.Hash[:], hash)
		}
		page = append(page, e)
	}
	return page, rows.Err()
}

func (v *verifier) chain(ctx context.Context, chain int64) error {
	limit, vouched := v.limit[chain], v.vouched[chain]
	if o := v.other[chain]; o.seq != 0 {
		v.find(whereEntry(chain, o.seq), "not the entry that was there: %s names another hash, so this one or one after entry %d was changed", o.source, min(vouched, o.seq-1))
	}
	last := Entry{Chain: chain}
	var unsigned Entry // the first that nothing vouches for
	for last.Seq < limit {
		var page []Entry
		err := v.read(ctx, func(ctx context.Context, q db.Querier) (err error) {
			page, err = entryPage(ctx, q, chain, last.Seq, limit, pageSize)
			return err
		})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			v.find(whereChain(chain), "entries after %d went away while they were read", last.Seq)
			break
		}
		for _, e := range page {
			v.entry(e, last)
			if e.Seq > vouched {
				v.report.Unsigned++
				if unsigned.Seq == 0 {
					unsigned = e
				}
			}
			last = e
		}
		v.progress()
	}
	if last.Kind == KindClose && v.own[chain] < last.Seq {
		v.find(whereEntry(chain, last.Seq), "the chain was closed, but the checkpoint that goes with that is missing")
	}
	if unsigned.Seq == 0 {
		return nil
	}
	if since := time.Duration(last.At-unsigned.At) * time.Millisecond; since > longestUnsigned {
		v.find(whereEntry(chain, unsigned.Seq), "nothing signed from here on for %s, though a checkpoint was due each minute: the last was removed, or couldn't be written", since.Round(time.Second))
	}
	if !v.live[chain] {
		v.find(whereEntry(chain, unsigned.Seq), "signed by nobody, nor what follows it, and its process is long gone: added later")
	}
	return nil
}

// entry checks one entry against the one before it.
func (v *verifier) entry(e, last Entry) {
	v.report.Entries++
	where := whereEntry(e.Chain, e.Seq)
	if gap := e.Seq - last.Seq - 1; gap > 0 {
		if gap == 1 {
			v.find(whereEntry(e.Chain, last.Seq+1), "missing")
		} else {
			v.find(fmt.Sprintf("chain %d entries %d to %d", e.Chain, last.Seq+1, e.Seq-1), "missing")
		}
	} else if e.Prev != last.Hash {
		if last.Seq == 0 {
			v.find(where, "follows an entry, but is numbered as the first")
		} else {
			v.find(where, "doesn't follow entry %d as that is now: one of them was changed", last.Seq)
		}
	}
	if e.Sum() != e.Hash {
		v.find(where, "changed: its hash doesn't fit")
	}
	if last.Kind == KindClose {
		v.find(where, "follows the entry that closed the chain")
	}
	var b Break
	switch {
	case e.Kind != KindBroken:
	case json.Unmarshal([]byte(e.Body), &b) != nil || b.Found.Seq != last.Seq:
		v.find(where, "doesn't say what the process found")
	case b.Found.Seq < b.Own.Seq:
		v.find(where, "the process had written up to entry %d, and the database had lost what came after %d", b.Own.Seq, b.Found.Seq)
	case b.Found.Seq == b.Own.Seq:
		v.find(whereEntry(e.Chain, b.Found.Seq), "not as the process wrote it: it noticed, see entry %d", e.Seq)
	default:
		v.find(whereEntry(e.Chain, b.Own.Seq+1), "not written by the process whose chain this is, nor what follows up to entry %d: it noticed, see entry %d", b.Found.Seq, e.Seq)
	}
}

// nodes reads which chains have their node still, and looks for nodes whose
// chain is gone. It comes before the checkpoints: a node is only purged when a
// signature vouches for its whole chain, so that those are seen, too.
func (v *verifier) nodes(ctx context.Context) error {
	for after := int64(-1 << 63); ; {
		page := 0
		err := v.read(ctx, func(ctx context.Context, q db.Querier) error {
			page = 0
			rows, err := q.Query(ctx, `select n.id, exists (select 1 from audit_entry e where e.chain = n.id)
				from node n where n.id > $1 order by n.id limit $2`, after, pageSize)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id int64
				var began bool
				if err := rows.Scan(&id, &began); err != nil {
					return err
				}
				page++
				after = id
				v.live[id] = true
				if !began {
					v.findOnce(fmt.Sprint("gone ", id), whereChain(id), "the whole chain is missing, but its node is there")
				}
			}
			return rows.Err()
		})
		if err != nil {
			return err
		}
		if page < pageSize {
			return nil
		}
	}
}
