package intake

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/sm"
	"github.com/citycode/citycode/internal/tabular"
)

// What one transaction takes at most.
const (
	MaxRows  = 1000
	MaxBytes = 8 << 20 // as the caller weighs its items: photos
)

// maxWaiting bounds rejected rows that wait for their chunk to be written.
const maxWaiting = 5000

// Report is what became of a file. Rows = Created + Updated + Unchanged +
// Rejected.
type Report struct {
	Rows        int            `json:"rows"`
	Created     int            `json:"created"`
	Updated     int            `json:"updated"`
	Unchanged   int            `json:"unchanged"`
	Resumed     int            `json:"resumed"` // of Unchanged: written by an earlier run that was cut short
	Rejected    int            `json:"rejected"`
	Reasons     map[string]int `json:"reasons"` // of rejection, by code
	Notes       map[string]int `json:"notes"`   // what was taken, but may be worth a look
	Seconds     float64        `json:"seconds"`
	RejectsFile string         `json:"rejects_file,omitempty"`
}

// Parsed is a row as the caller judges it by itself, without the database.
type Parsed[T any] struct {
	Item   T
	Key    string // what the row is about
	Same   string // what it says of it: two rows with one Key and one Same are alike
	Bytes  int    // what it weighs in a transaction
	Reason string // code of why it is refused; the rest is then of no interest
	Notes  []string
}

// Outcome is what writing a row did.
type Outcome uint8

// The outcomes.
const (
	Unchanged Outcome = iota
	Created
	Updated
)

// Result is what became of an item; with a Reason it was refused after all.
type Result struct {
	Outcome Outcome
	Reason  string
}

// Job is a file and what is done with its rows.
type Job[T any] struct {
	Kind        string // "people", "status": part of the file's identity, and of audit kinds
	Path        string
	RejectsPath string // "" is beside the file
	Columns     []tabular.Column
	Progress    func(done, total int64) // rows; may be nil

	Parse func(tabular.Row) Parsed[T]
	// Write brings the items into the database in one transaction, in which it
	// calls advance, and says what became of each. It is idempotent.
	Write func(ctx context.Context, items []T, advance Advance) ([]Result, error)
	// Recheck says what Write would refuse (codes, "" for the others) of items
	// that an earlier run has written. Nil when Write refuses nothing.
	Recheck func(ctx context.Context, items []T) ([]string, error)
}

// Advance writes the position in the file, in the transaction of the rows.
type Advance func(ctx context.Context, tx *commit.Tx) error

// Config is what the package needs, all of it.
type Config struct {
	DB   *db.DB
	Node *commit.Node
	Now  func() time.Time
}

// run is one file being carried in.
type run[T any] struct {
	Config
	job     Job[T]
	file    *tabular.File
	rejects *tabular.Rejects
	seen    *tabular.Seen
	id      [32]byte
	skip    int64 // rows that an earlier run has done
	begun   bool

	report  Report
	waiting []waiting[T]
	items   int
	bytes   int
}

// waiting is a row that waits for its chunk.
type waiting[T any] struct {
	row    tabular.Row
	item   T
	reason string // refused
	same   bool   // as an earlier row
}

// Run carries the file in. The report tells how far it came, with an error too.
func Run[T any](ctx context.Context, c Config, job Job[T]) (Report, error) {
	started := c.Now()
	r := &run[T]{Config: c, job: job, seen: tabular.NewSeen()}
	r.report.Reasons, r.report.Notes = make(map[string]int), make(map[string]int)
	err := r.open(ctx)
	if err == nil {
		err = errors.Join(r.rows(ctx), r.close())
	}
	if err == nil {
		err = r.finish(ctx)
	}
	r.report.Seconds = c.Now().Sub(started).Seconds()
	if err != nil {
		return r.report, fmt.Errorf("import of %s: %w", job.Kind, err)
	}
	return r.report, nil
}

func (r *run[T]) open(ctx context.Context) (err error) {
	if r.file, err = tabular.Open(r.job.Path, r.job.Columns...); err != nil {
		return err
	}
	digest := r.file.Digest()
	r.id = sm.SM3([]byte(r.job.Kind), []byte{0}, digest[:])
	err = r.DB.Read(ctx, func(ctx context.Context, q db.Querier) (err error) {
		r.skip, err = readPosition(ctx, q, r.id, r.job.Kind)
		return err
	})
	if err == nil {
		r.rejects, err = r.file.NewRejects(r.job.RejectsPath)
	}
	if err != nil {
		r.file.Close()
	}
	return err
}

func (r *run[T]) close() error {
	err := errors.Join(r.rejects.Close(), r.file.Close())
	r.report.RejectsFile = r.rejects.Path()
	if r.file.Encoding() != tabular.UTF8 {
		r.report.Notes["read_as_gb18030"] = 1
	}
	if !r.file.EndsClean() {
		r.report.Notes["last_line_has_no_end"] = 1
	}
	return err
}

// rows judges all rows and writes them chunk by chunk.
func (r *run[T]) rows(ctx context.Context) error {
	for {
		row, err := r.file.Next()
		if errors.Is(err, io.EOF) {
			return r.flush(ctx)
		}
		if err != nil {
			return err
		}
		r.report.Rows++
		r.take(row)
		// A chunk never reaches over the row where the earlier run stopped.
		if r.items == MaxRows || r.bytes >= MaxBytes || len(r.waiting) >= maxWaiting || int64(r.report.Rows) == r.skip {
			if err := r.flush(ctx); err != nil {
				return err
			}
		}
	}
}

func (r *run[T]) take(row tabular.Row) {
	w := waiting[T]{row: row, reason: row.Problem}
	if w.reason == "" {
		p := r.job.Parse(row)
		if w.reason = p.Reason; w.reason == "" {
			switch r.seen.Check(p.Key, p.Same) {
			case tabular.First:
				w.item = p.Item
				r.items++
				r.bytes += p.Bytes
				for _, n := range p.Notes {
					r.report.Notes[n]++
				}
			case tabular.Same:
				w.same = true
			case tabular.Another:
				w.reason = "duplicate_row"
			}
		}
	}
	r.waiting = append(r.waiting, w)
}

// flush writes the rows that wait, and counts them.
func (r *run[T]) flush(ctx context.Context) error {
	items := make([]T, 0, r.items)
	for _, w := range r.waiting {
		if w.reason == "" && !w.same {
			items = append(items, w.item)
		}
	}
	var results []Result
	err := ctx.Err()
	if err == nil {
		results, err = r.write(ctx, items)
	}
	if err != nil {
		// The rows of this chunk count as not read.
		r.report.Rows -= len(r.waiting)
		r.waiting = nil
		return err
	}
	k := 0
	for _, w := range r.waiting {
		if w.reason == "" && !w.same {
			w.reason = results[k].Reason
			r.count(results[k])
			k++
		} else if w.same {
			r.report.Unchanged++
		}
		if w.reason != "" {
			r.report.Rejected++
			r.report.Reasons[w.reason]++
			r.rejects.Add(w.row, w.reason)
		}
	}
	r.waiting, r.items, r.bytes = r.waiting[:0], 0, 0
	if r.job.Progress != nil {
		r.job.Progress(int64(r.report.Rows), max(r.file.Rows(), int64(r.report.Rows)))
	}
	return nil
}

func (r *run[T]) count(x Result) {
	switch {
	case x.Reason != "":
	case x.Outcome == Created:
		r.report.Created++
	case x.Outcome == Updated:
		r.report.Updated++
	default:
		r.report.Unchanged++
	}
}

func (r *run[T]) write(ctx context.Context, items []T) ([]Result, error) {
	if len(items) == 0 {
		return nil, nil
	}
	if int64(r.report.Rows) <= r.skip {
		return r.recheck(ctx, items)
	}
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	done := int64(r.report.Rows)
	results, err := r.job.Write(ctx, items, func(ctx context.Context, tx *commit.Tx) error {
		return writePosition(ctx, tx, position{r.id, r.job.Kind, r.file.Rows(), done, nil, r.Now().UnixMilli()})
	})
	if err == nil && len(results) != len(items) {
		err = fmt.Errorf("%d results for %d items", len(results), len(items))
	}
	return results, err
}

// recheck judges items that an earlier run has written.
func (r *run[T]) recheck(ctx context.Context, items []T) ([]Result, error) {
	results := make([]Result, len(items))
	if r.job.Recheck != nil {
		reasons, err := r.job.Recheck(ctx, items)
		if err != nil {
			return nil, err
		}
		for i, reason := range reasons {
			results[i].Reason = reason
		}
	}
	for _, x := range results {
		if x.Reason == "" {
			r.report.Resumed++
		}
	}
	return results, nil
}

// begin says in the audit chain that rows of this file are about to enter: a run
// that is killed leaves no other word.
func (r *run[T]) begin(ctx context.Context) error {
	if r.begun {
		return nil
	}
	err := r.Node.Do(ctx, func(_ context.Context, tx *commit.Tx) error {
		tx.Audit("import.begin", map[string]any{"kind": r.job.Kind, "file": hex.EncodeToString(r.id[:]), "lines": r.file.Rows(), "resumed_at": r.skip})
		return nil
	})
	r.begun = err == nil
	return err
}

func (r *run[T]) finish(ctx context.Context) error {
	now := r.Now().UnixMilli()
	rows := int64(r.report.Rows)
	return r.Node.Do(ctx, func(ctx context.Context, tx *commit.Tx) error {
		tx.Audit("import.end", map[string]any{
			"kind": r.job.Kind, "file": hex.EncodeToString(r.id[:]), "rows": rows, "created": r.report.Created,
			"updated": r.report.Updated, "unchanged": r.report.Unchanged, "rejected": r.report.Rejected,
		})
		return writePosition(ctx, tx, position{r.id, r.job.Kind, rows, rows, &now, now})
	})
}
