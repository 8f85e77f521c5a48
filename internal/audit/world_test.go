package audit_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/citycode/citycode/internal/audit"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/keys"
)

// world is a database with a history of three processes: first closed in order,
// second crashed, third runs and has entries that aren't signed yet.
type world struct {
	t                    testing.TB
	db                   *db.DB
	keeper               *keys.Keeper
	anchor               string
	now                  time.Time
	first, second, third *commit.Node
	rows                 int64
}

// batchKind is the kind of the entries that stand for rows of test_row.
const batchKind = "row.batch"

func newWorld(t testing.TB, d *dbtest.Pair) *world {
	t.Helper()
	f, err := keys.CreateFile(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: d.Main, anchor: filepath.Join(t.TempDir(), "anchor"), now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
	w.keeper, err = keys.Open(t.Context(), keys.Config{DB: w.db, File: f, Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	w.exec("create table test_row (id bigint primary key, content text not null, chain bigint not null, seq bigint not null, pos bigint not null)")

	w.first = w.open()
	w.act(w.first)                     // entry 2
	w.batch(w.first, 5)                // entry 3
	w.checkpoint(w.first)              // checkpoint 2
	w.batch(w.first, 1)                // entry 4
	w.act(w.first)                     // entry 5
	w.checkpoint(w.first)              // checkpoint 3
	w.second = w.open()                // runs beside first for a while
	w.batch(w.second, 3)               // entry 2
	w.checkpoint(w.second)             // checkpoint 2
	w.must(w.first.Close(t.Context())) // entry 6, checkpoint 4
	w.act(w.second)                    // entry 3
	w.third = w.open()                 // second has crashed
	w.batch(w.third, 7)                // entry 2
	w.act(w.third)                     // entry 3
	w.checkpoint(w.third)              // checkpoint 2
	w.batch(w.third, 2)                // entry 4
	w.checkpoint(w.third)              // checkpoint 3
	w.batch(w.third, 4)                // entry 5, unsigned
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open() *commit.Node {
	w.t.Helper()
	n, err := commit.Open(w.t.Context(), commit.Config{DB: w.db, Keys: w.keeper, Name: "test", Anchor: w.anchor, Now: func() time.Time { return w.now }})
	w.must(err)
	w.now = w.now.Add(time.Second)
	return n
}

func (w *world) act(n *commit.Node) {
	w.t.Helper()
	w.must(n.Do(w.t.Context(), func(_ context.Context, tx *commit.Tx) error {
		tx.Audit("thing", map[string]int{"number": 1})
		return nil
	}))
	w.now = w.now.Add(time.Second)
}

func (w *world) checkpoint(n *commit.Node) {
	w.t.Helper()
	w.must(n.Checkpoint(w.t.Context()))
	w.now = w.now.Add(time.Second)
}

func leaf(id int64, content string) [32]byte {
	return audit.Leaf(append(binary.BigEndian.AppendUint64(nil, uint64(id)), content...))
}

// batch inserts rows, numbered on from 1, under one entry.
func (w *world) batch(n *commit.Node, rows int64) {
	w.t.Helper()
	w.must(n.DoAppend(w.t.Context(), func(ctx context.Context, tx *commit.Tx) error {
		var leaves [][32]byte
		for i := range rows {
			leaves = append(leaves, leaf(w.rows+i+1, "content"))
		}
		seq := tx.Audit(batchKind, audit.NewBatch(leaves, []byte{byte(w.rows + 1)}, []byte{byte(w.rows + rows)}))
		for i := range rows {
			if _, err := tx.Exec(ctx, "insert into test_row (id, content, chain, seq, pos) values ($1, 'content', $2, $3, $4)", w.rows+i+1, n.ID(), seq, i); err != nil {
				return err
			}
		}
		return nil
	}))
	w.rows += rows
	w.now = w.now.Add(time.Second)
}

func leaves(ctx context.Context, q db.Querier, yield func(chain, seq int64, leaf [32]byte, rowID string) error) error {
	rows, err := q.Query(ctx, "select id, content, chain, seq from test_row order by chain, seq, pos, id")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, chain, seq int64
		var content string
		if err := rows.Scan(&id, &content, &chain, &seq); err != nil {
			return err
		}
		if err := yield(chain, seq, leaf(id, content), fmt.Sprint("r", id)); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (w *world) verify(anchor bool) audit.Report {
	w.t.Helper()
	c := audit.VerifyConfig{DB: w.db, Keys: w.keeper, Batches: []audit.Batches{{Kind: batchKind, Leaves: leaves}}}
	if anchor {
		c.Anchor = w.anchor
	}
	r, err := audit.Verify(w.t.Context(), c)
	w.must(err)
	return r
}

// exec is what an attacker does who can write every table.
func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	w.must(w.db.Append(w.t.Context(), func(ctx context.Context, q db.Querier) error {
		_, err := q.Exec(ctx, sql, args...)
		return err
	}))
}

// tables are all that an attack may change, with their columns.
var tables = map[string]string{
	"audit_entry":      "chain, seq, at, kind, body, prev, hash",
	"audit_checkpoint": "chain, no, at, body, generation, signature",
	"node":             "id, name, started_at, heartbeat_at, head, ended_at",
	"key_generation":   "ring, number, not_before, retire_at, destroy_at, state, public, sealed, made_at",
	"test_row":         "id, content, chain, seq, pos",
}

// saved is the content of the tables and of the anchor file.
type saved struct {
	rows   map[string][][]any
	anchor []byte
}

func (w *world) save() saved {
	w.t.Helper()
	s := saved{rows: make(map[string][][]any)}
	var err error
	s.anchor, err = os.ReadFile(w.anchor)
	w.must(err)
	w.must(w.db.Snapshot(w.t.Context(), func(ctx context.Context, q db.Querier) error {
		for table, columns := range tables {
			rows, err := q.Query(ctx, "select "+columns+" from "+table)
			if err != nil {
				return err
			}
			for rows.Next() {
				row := make([]any, strings.Count(columns, ",")+1)
				dest := make([]any, len(row))
				for i := range row {
					dest[i] = &row[i]
				}
				if err := rows.Scan(dest...); err != nil {
					return err
				}
				s.rows[table] = append(s.rows[table], row)
			}
			if err := rows.Err(); err != nil {
				return err
			}
			rows.Close()
		}
		return nil
	}))
	return s
}

func (w *world) restore(s saved) {
	w.t.Helper()
	w.must(os.WriteFile(w.anchor, s.anchor, 0o600))
	w.must(w.db.Append(w.t.Context(), func(ctx context.Context, q db.Querier) error {
		for table, columns := range tables {
			if _, err := q.Exec(ctx, "delete from "+table); err != nil {
				return err
			}
			for _, row := range s.rows[table] {
				marks := make([]string, len(row))
				for i := range row {
					marks[i] = fmt.Sprint("$", i+1)
				}
				if _, err := q.Exec(ctx, "insert into "+table+" ("+columns+") values ("+strings.Join(marks, ", ")+")", row...); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	w.must(w.keeper.Reload(w.t.Context()))
}

// entries reads a chain as an attacker would.
func (w *world) entries(chain int64) (entries []audit.Entry) {
	w.t.Helper()
	w.must(w.db.Read(w.t.Context(), func(ctx context.Context, q db.Querier) error {
		rows, err := q.Query(ctx, "select seq, at, kind, body, prev, hash from audit_entry where chain = $1 order by seq", chain)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			e := audit.Entry{Chain: chain}
			var prev, hash []byte
			if err := rows.Scan(&e.Seq, &e.At, &e.Kind, &e.Body, &prev, &hash); err != nil {
				return err
			}
			e.Prev, e.Hash = audit.Digest(prev), audit.Digest(hash)
			entries = append(entries, e)
		}
		return rows.Err()
	}))
	return entries
}

// recompute writes a chain anew, with right hashes, after change has altered
// its entries.
func (w *world) recompute(chain int64, change func(entries []audit.Entry) []audit.Entry) audit.Head {
	w.t.Helper()
	entries := change(w.entries(chain))
	var last audit.Digest
	for i := range entries {
		entries[i].Seq, entries[i].Prev = int64(i+1), last
		entries[i].Hash = entries[i].Sum()
		last = entries[i].Hash
	}
	w.must(w.db.Append(w.t.Context(), func(ctx context.Context, q db.Querier) error {
		if _, err := q.Exec(ctx, "delete from audit_entry where chain = $1", chain); err != nil {
			return err
		}
		for _, e := range entries {
			if err := audit.Insert(ctx, q, e); err != nil {
				return err
			}
		}
		return nil
	}))
	return entries[len(entries)-1].Head()
}
