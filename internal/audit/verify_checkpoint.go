package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
)

func codeOf(err error) string { return fault.CodeOf(err) }

// checkpoints checks each signature, the numbering, the links between them and
// the heads they name.
func (v *verifier) checkpoints(ctx context.Context) error {
	if err := v.tornLines(); err != nil {
		return err
	}
	has := make(map[int64]bool)
	var last Checkpoint
	for at := (Checkmark{Chain: -1 << 63}); ; {
		page, err := v.checkpointPage(ctx, at)
		if err != nil {
			return err
		}
		for _, c := range page {
			has[c.Chain] = true
			if c.Chain != last.Chain {
				last = Checkpoint{Chain: c.Chain}
			}
			if err := v.checkpoint(ctx, c, last); err != nil {
				return err
			}
			last = c
			at = Checkmark{Chain: c.Chain, No: c.No}
		}
		v.progress()
		if len(page) < pageSize {
			break
		}
	}
	for _, chain := range v.sorted() {
		if !has[chain] {
			v.find(whereChain(chain), "no signed checkpoint, which each chain has from its first entry on: removed, or the chain isn't ours")
		}
	}
	for chain := range has {
		if _, ok := v.limit[chain]; ok {
			continue
		}
		err := v.read(ctx, func(ctx context.Context, q db.Querier) error {
			_, began, err := storedHash(ctx, q, chain, 1)
			if !began && err == nil { // it may have been begun after we looked
				v.findOnce(fmt.Sprint("gone ", chain), whereChain(chain), "the whole chain is missing, but its checkpoints are there")
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, line := range slices.Sorted(maps.Keys(v.torn)) {
		v.find(fmt.Sprintf("anchor line %d", line), "not a checkpoint, nor the beginning of one that the database has")
	}
	return nil
}

func (v *verifier) checkpointPage(ctx context.Context, after Checkmark) (page []Checkpoint, err error) {
	err = v.read(ctx, func(ctx context.Context, q db.Querier) error {
		page = page[:0]
		rows, err := q.Query(ctx, `select `+checkpointColumns+` from audit_checkpoint
			where (chain, no) > ($1, $2) order by chain, no limit $3`, after.Chain, after.No, pageSize)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			c, err := scanCheckpoint(rows)
			if err != nil {
				return fmt.Errorf("checkpoints after %s: %w", whereCheckpoint(after.Chain, after.No), err)
			}
			page = append(page, c)
		}
		return rows.Err()
	})
	return page, err
}

// checkpoint checks one against the one before it in its chain.
func (v *verifier) checkpoint(ctx context.Context, c, last Checkpoint) error {
	v.report.Checkpoints++
	where := whereCheckpoint(c.Chain, c.No)
	if c.No != last.No+1 {
		v.find(where, "%s before it missing", countOf(c.No-last.No-1, "checkpoint"))
	}
	if err := v.matchTorn(c); err != nil {
		return err
	}
	s, ok := v.open(where, c)
	if !ok {
		return nil
	}
	return v.read(ctx, func(ctx context.Context, q db.Querier) error {
		switch {
		case s.Previous == nil && c.No > 1:
			v.find(where, "names none before it")
		case s.Previous != nil && c.No > 1 && c.No == last.No+1 && *s.Previous != last.Mark():
			v.find(whereCheckpoint(last.Chain, last.No), "not the checkpoint that was there: the next names another digest")
		case s.Previous != nil && c.No == 1:
			if err := v.previous(ctx, q, where, *s.Previous); err != nil {
				return err
			}
		}
		for _, h := range s.Heads {
			if h.Chain == c.Chain {
				v.own[c.Chain] = h.Seq
			}
			if err := v.checkHead(ctx, q, where, h, true); err != nil {
				return err
			}
		}
		return nil
	})
}

// previous checks the checkpoint of another chain that a chain's first names.
func (v *verifier) previous(ctx context.Context, q db.Querier, source string, m Checkmark) error {
	c, err := scanCheckpoint(q.QueryRow(ctx, `select `+checkpointColumns+` from audit_checkpoint where chain = $1 and no = $2`, m.Chain, m.No))
	switch {
	case errors.Is(err, db.ErrNoRows):
		v.findOnce(fmt.Sprint("mark ", m.Chain, m.No), whereCheckpoint(m.Chain, m.No), "missing: named by %s", source)
		return nil
	case err != nil:
		return err
	case c.Mark() != m:
		v.find(whereCheckpoint(m.Chain, m.No), "not the checkpoint that was there: %s names another digest", source)
	}
	return nil
}

// open checks the signature with the key that the key file vouches for.
func (v *verifier) open(where string, c Checkpoint) (Statement, bool) {
	key, ok := v.cfg.Keys.AuditPublic(c.Generation)
	if !ok {
		v.find(where, "signed with generation %d of the audit key, which isn't in key_generation", c.Generation)
		return Statement{}, false
	}
	s, err := c.Open(key)
	if err != nil {
		v.find(where, "%v (generation %d)", err, c.Generation)
		return Statement{}, false
	}
	return s, true
}

// tornLines collects the lines of the anchor file that can't be read.
func (v *verifier) tornLines() error {
	v.torn = make(map[int][]byte)
	if v.cfg.Anchor == "" {
		return nil
	}
	const most = 1000
	return readAnchor(v.cfg.Anchor, func(line int, _ Checkpoint, bad []byte) error {
		if bad != nil && len(v.torn) < most {
			v.torn[line] = bad
		}
		return nil
	})
}

// matchTorn forgives a line that is the beginning of a checkpoint that the
// database has: the machine stopped while it was appended.
func (v *verifier) matchTorn(c Checkpoint) error {
	if len(v.torn) == 0 {
		return nil
	}
	whole, err := encodeAnchor(c)
	if err != nil {
		return err
	}
	maps.DeleteFunc(v.torn, func(_ int, part []byte) bool { return bytes.HasPrefix(whole, part) })
	return nil
}

// anchor compares the anchor file with the database: what was signed once must
// still be there.
func (v *verifier) anchor(ctx context.Context) error {
	if v.cfg.Anchor == "" {
		return nil
	}
	return readAnchor(v.cfg.Anchor, func(line int, c Checkpoint, bad []byte) error {
		if bad != nil {
			return nil // see tornLines
		}
		v.report.Anchored++
		where := fmt.Sprintf("anchor line %d", line)
		s, ok := v.open(where, c)
		if !ok {
			return nil
		}
		return v.read(ctx, func(ctx context.Context, q db.Querier) error {
			stored, err := scanCheckpoint(q.QueryRow(ctx, `select `+checkpointColumns+` from audit_checkpoint where chain = $1 and no = $2`, c.Chain, c.No))
			switch {
			case errors.Is(err, db.ErrNoRows):
				v.find(whereCheckpoint(c.Chain, c.No), "missing: %s has it", where)
			case err != nil:
				return err
			case stored != c:
				v.find(whereCheckpoint(c.Chain, c.No), "not the checkpoint that was there: %s has another", where)
			default:
				return nil // its heads have been checked
			}
			for _, h := range s.Heads {
				if err := v.checkHead(ctx, q, where, h, true); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// countOf writes a number with its noun.
func countOf(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
