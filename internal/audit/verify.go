package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/keys"
)

// VerifyConfig says what to verify against what.
type VerifyConfig struct {
	DB      *db.DB // with two connections to read from, at least
	Keys    *keys.Keeper
	Anchor  string // file of checkpoints kept outside the database; "" without
	Batches []Batches
	// Progress, when set, is called with the counts so far, about every thousand
	// rows.
	Progress func(Report)
}

// Batches are rows of a table that entries of one kind stand for: each entry's
// body is a Batch.
type Batches struct {
	Kind string
	// Leaves calls yield with each row that names an entry, ordered by chain,
	// number of the entry, and position; rowID names the row for people. q reads
	// a snapshot, and yield doesn't use it.
	Leaves func(ctx context.Context, q db.Querier, yield func(chain, seq int64, leaf [32]byte, rowID string) error) error
}

// Report is what Verify found.
type Report struct {
	Chains, Entries, Checkpoints, Anchored, Batches, Rows int
	// Unsigned counts entries after the last signature: nothing vouches for them
	// yet (see the package comment).
	Unsigned int
	Findings []Finding // none: nothing was changed that could be found
	More     int       // findings beyond the first maxFindings
}

// Finding is one thing that isn't as it was written.
type Finding struct {
	Where string // e.g. "chain 4711 entry 12"
	What  string
}

func (f Finding) String() string { return f.Where + ": " + f.What }

const (
	maxFindings = 1000
	pageSize    = 1000
	// longestUnsigned is how long entries may go on in a chain without a
	// signature over them. Checkpoints come each minute.
	longestUnsigned = 10 * time.Minute
)

// Verify reads the whole audit log and the rows it stands for, and reports what
// doesn't fit. An error means that it couldn't be read to the end. It may run
// beside working nodes: it looks at what was there when it began, and reads in
// pages, but for Leaves, which read in one snapshot.
func Verify(ctx context.Context, c VerifyConfig) (Report, error) {
	v := &verifier{cfg: c, limit: make(map[int64]int64), vouched: make(map[int64]int64), own: make(map[int64]int64), live: make(map[int64]bool), other: make(map[int64]otherHash), told: make(map[string]bool)}
	for _, step := range []func(context.Context) error{v.keys, v.chains, v.nodes, v.checkpoints, v.anchor, v.entries, v.batches} {
		if err := step(ctx); err != nil {
			return v.report, fmt.Errorf("audit verify: %w", err)
		}
	}
	return v.report, nil
}

// verifier holds what has to be remembered across chains: a few words for each.
type verifier struct {
	cfg     VerifyConfig
	report  Report
	limit   map[int64]int64     // chain → its last entry when Verify began
	vouched map[int64]int64     // chain → the last entry that a signature or a link covers
	own     map[int64]int64     // chain → the last entry that a checkpoint of its own names
	live    map[int64]bool      // chain → its node stands in the table node
	other   map[int64]otherHash // chain → the first of its entries that a checkpoint or link names otherwise
	told    map[string]bool     // findings that would come again and again
	torn    map[int][]byte      // unreadable lines of the anchor file
}

// otherHash is an entry that source names with another hash than it has.
type otherHash struct {
	seq    int64
	source string
}

func (v *verifier) find(where, format string, args ...any) {
	if len(v.report.Findings) == maxFindings {
		v.report.More++
		return
	}
	v.report.Findings = append(v.report.Findings, Finding{where, fmt.Sprintf(format, args...)})
}

// findOnce is find for what many rows would say again.
func (v *verifier) findOnce(key, where, format string, args ...any) {
	if !v.told[key] {
		v.told[key] = true
		v.find(where, format, args...)
	}
}

func (v *verifier) progress() {
	if v.cfg.Progress != nil {
		v.cfg.Progress(v.report)
	}
}

func (v *verifier) read(ctx context.Context, fn func(ctx context.Context, q db.Querier) error) error {
	return v.cfg.DB.Read(ctx, fn)
}

func whereChain(chain int64) string      { return fmt.Sprintf("chain %d", chain) }
func whereEntry(chain, seq int64) string { return fmt.Sprintf("chain %d entry %d", chain, seq) }
func whereCheckpoint(chain, no int64) string {
	return fmt.Sprintf("chain %d checkpoint %d", chain, no)
}

// keys reads the audit keys again: an altered one doesn't open.
func (v *verifier) keys(ctx context.Context) error {
	err := v.cfg.Keys.Reload(ctx)
	if codeOf(err) == "key_damaged" {
		v.find("table key_generation", "%v", err)
		return nil
	}
	return err
}

// chains finds every chain with its last entry, one by one over the primary
// key: a list of all costs as much as there are chains, not entries.
func (v *verifier) chains(ctx context.Context) error {
	for after := int64(-1 << 63); ; {
		var chain, last *int64
		err := v.read(ctx, func(ctx context.Context, q db.Querier) error {
			if err := q.QueryRow(ctx, `select min(chain) from audit_entry where chain > $1`, after).Scan(&chain); err != nil || chain == nil {
				return err
			}
			return q.QueryRow(ctx, `select max(seq) from audit_entry where chain = $1`, *chain).Scan(&last)
		})
		if err != nil {
			return err
		}
		if chain == nil {
			v.report.Chains = len(v.limit)
			return nil
		}
		if last != nil { // else deleted in between
			v.limit[*chain] = *last
		}
		after = *chain
	}
}

// sorted lists the chains in the order in which they are read.
func (v *verifier) sorted() []int64 { return slices.Sorted(maps.Keys(v.limit)) }

// storedHash reads the hash of one entry; ok is false if there is none.
func storedHash(ctx context.Context, q db.Querier, chain, seq int64) (hash Digest, ok bool, err error) {
	var b []byte
	err = q.QueryRow(ctx, `select hash from audit_entry where chain = $1 and seq = $2`, chain, seq).Scan(&b)
	if errors.Is(err, db.ErrNoRows) {
		return hash, false, nil
	}
	copy(hash[:], b)
	return hash, err == nil, err
}

// checkHead compares what source says about an entry with the entry. vouches is
// whether a signature stands behind source.
func (v *verifier) checkHead(ctx context.Context, q db.Querier, source string, h Head, vouches bool) error {
	hash, ok, err := storedHash(ctx, q, h.Chain, h.Seq)
	if err != nil {
		return err
	}
	_, known := v.limit[h.Chain]
	switch {
	case !ok && !known:
		v.findOnce(fmt.Sprint("gone ", h.Chain), whereChain(h.Chain), "the whole chain is missing: its entry %d is named by %s", h.Seq, source)
	case !ok && h.Seq > v.limit[h.Chain]:
		v.findOnce(fmt.Sprint("cut ", h.Chain), whereChain(h.Chain), "cut after entry %d: its entry %d is named by %s", v.limit[h.Chain], h.Seq, source)
	case !ok:
		v.findOnce(fmt.Sprint("hole ", h.Chain, h.Seq), whereEntry(h.Chain, h.Seq), "missing: named by %s", source)
	case hash != h.Hash:
		// Every statement after the change says so; the earliest tells most.
		if known := v.other[h.Chain]; known.seq == 0 || h.Seq < known.seq {
			v.other[h.Chain] = otherHash{h.Seq, source}
		}
	case vouches:
		v.vouched[h.Chain] = max(v.vouched[h.Chain], h.Seq)
	}
	return nil
}
