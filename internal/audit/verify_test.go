package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/internal/audit"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/keys"
	"github.com/citycode/citycode/internal/sm"
)

func TestAnUntouchedLogPasses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		w := newWorld(t, d)
		for _, anchor := range []bool{false, true} {
			r := w.verify(anchor)
			want := audit.Report{Chains: 3, Entries: 6 + 3 + 5, Checkpoints: 4 + 2 + 3, Batches: 6, Rows: 22, Unsigned: 1}
			if anchor {
				want.Anchored = 9
			}
			if diff := cmp.Diff(want, r); diff != "" {
				t.Error(diff)
			}
		}
		// The keys rotate, the next process starts, a day passes, all is purged.
		w.must(w.third.Do(t.Context(), func(ctx context.Context, tx *commit.Tx) error {
			_, err := w.keeper.Rotate(ctx, keys.Audit, true, tx)
			tx.Audit("key.rotate", nil)
			return err
		}))
		w.must(w.keeper.Reload(t.Context()))
		w.now = w.now.Add(48 * time.Hour)
		fourth := w.open()
		w.checkpoint(fourth)
		w.must(fourth.Purge(t.Context()))
		if r := w.verify(true); len(r.Findings) > 0 || r.Unsigned > 0 {
			t.Errorf("%+v", r)
		}
		w.must(fourth.Close(t.Context()))
		w.open()
		if r := w.verify(true); len(r.Findings) > 0 {
			t.Errorf("%+v", r)
		}
	})
}

func TestAnEmptyDatabasePasses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		w := newWorld(t, d)
		for _, table := range []string{"audit_entry", "audit_checkpoint", "node", "test_row"} {
			w.exec("delete from " + table)
		}
		if r := w.verify(false); len(r.Findings) > 0 {
			t.Errorf("%+v", r)
		}
	})
}

// forge signs as the attacker can: with a key of their own.
func forge(w *world) (*sm.SigningKey, func(c audit.Statement)) {
	key, err := sm.GenerateSigningKey()
	w.must(err)
	return key, func(s audit.Statement) {
		c, err := audit.Sign(key, s)
		w.must(err)
		w.exec("delete from audit_checkpoint where chain = $1 and no = $2", c.Chain, c.No)
		w.must(w.db.Append(w.t.Context(), func(ctx context.Context, q db.Querier) error { return audit.InsertCheckpoint(ctx, q, c) }))
	}
}

// rewrite computes all chains anew with one entry of the first altered, links
// included, and leaves checkpoints to then.
func rewrite(w *world, then func(head audit.Head)) {
	heads := make(map[int64]audit.Head)
	for _, n := range []*commit.Node{w.first, w.second, w.third} {
		heads[n.ID()] = w.recompute(n.ID(), func(entries []audit.Entry) []audit.Entry {
			if n == w.first {
				entries[1].Body = `{"number":2}`
				return entries
			}
			var o audit.Opening
			w.must(json.Unmarshal([]byte(entries[0].Body), &o))
			for _, e := range w.entries(o.Predecessor.Chain) {
				if e.Seq == o.Predecessor.Seq {
					o.Predecessor.Hash = e.Hash
				}
			}
			body, err := json.Marshal(o)
			w.must(err)
			entries[0].Body = string(body)
			return entries
		})
	}
	for _, h := range heads {
		then(h)
	}
}

// places names what Verify found, by the words that follow "first", "second"
// and "third".
func places(w *world, r audit.Report) []string {
	var out []string
	for _, f := range r.Findings {
		where := f.Where
		for name, n := range map[string]*commit.Node{"first": w.first, "second": w.second, "third": w.third} {
			where = strings.ReplaceAll(where, fmt.Sprint("chain ", n.ID()), name)
		}
		out = append(out, where)
	}
	return out
}

func TestEachAttackFailsAndNamesThePlace(t *testing.T) {
	type attack struct {
		name string
		do   func(w *world)
		want string // a place among the findings
		says string // part of what is said about it
	}
	id := (*commit.Node).ID
	attacks := []attack{
		{"a byte of a row changed", func(w *world) { w.exec("update test_row set content = 'contenu' where id = 3") },
			"row.batch first entry 3", "one or more of its 5 rows were changed (rows r1 to r5)"},
		{"a byte of a row in a batch of one changed", func(w *world) { w.exec("update test_row set content = 'contenu' where id = 6") },
			"row.batch first entry 4", "row r6 was changed"},
		{"two rows exchanged", func(w *world) {
			w.exec("update test_row set pos = 1 - pos where id in (1, 2)")
		}, "row.batch first entry 3", "changed"},
		{"a row deleted", func(w *world) { w.exec("delete from test_row where id = 3") },
			"row.batch first entry 3", "1 row of 5 missing"},
		{"the last row deleted", func(w *world) { w.exec("delete from test_row where id = 22") },
			"row.batch third entry 5", "1 row of 4 missing"},
		{"all rows of a batch deleted", func(w *world) { w.exec("delete from test_row where id = 6") },
			"row.batch first entry 4", "all its 1 row missing (first 06, last 06)"},
		{"all rows deleted", func(w *world) { w.exec("delete from test_row") },
			"row.batch third entry 5", "all its 4 rows missing"},
		{"a row added", func(w *world) {
			w.exec("insert into test_row (id, content, chain, seq, pos) values (99, 'x', $1, 3, 5)", id(w.first))
		}, "row.batch first entry 3", "1 row added to 5"},
		{"a row added under an entry of another kind", func(w *world) {
			w.exec("insert into test_row (id, content, chain, seq, pos) values (99, 'x', $1, 2, 0)", id(w.first))
		}, "row.batch first entry 2", "row r99 added"},
		{"a row added under no entry", func(w *world) {
			w.exec("insert into test_row (id, content, chain, seq, pos) values (99, 'x', $1, 77, 0)", id(w.second))
		}, "second", "its entry 77 is named by row r99 of row.batch"},
		{"a row added under no chain", func(w *world) {
			w.exec("insert into test_row (id, content, chain, seq, pos) values (99, 'x', 5, 1, 0)")
		}, "chain 5", "its entry 1 is named by row r99 of row.batch"},
		{"a row moved to another batch", func(w *world) { w.exec("update test_row set seq = 4 where id = 5") },
			"row.batch first entry 4", "1 row added to 1"},
		{"a batch's entry says another root", func(w *world) {
			w.recompute(id(w.third), func(entries []audit.Entry) []audit.Entry {
				entries[4].Body = strings.Replace(entries[4].Body, `"root":"`, `"root":"0`, 1)
				return entries
			})
		}, "row.batch third entry 5", "doesn't say what its rows were"},

		{"an entry changed", func(w *world) { w.exec("update audit_entry set body = '{}' where chain = $1 and seq = 2", id(w.first)) },
			"first entry 2", "changed: its hash doesn't fit"},
		{"an entry's time changed", func(w *world) {
			w.exec("update audit_entry set at = at + 1 where chain = $1 and seq = 3", id(w.second))
		},
			"second entry 3", "changed: its hash doesn't fit"},
		{"an entry changed with its hash", func(w *world) {
			e := w.entries(id(w.first))[1]
			e.Body = "{}"
			hash := e.Sum()
			w.exec("update audit_entry set body = '{}', hash = $2 where chain = $1 and seq = 2", id(w.first), hash[:])
		}, "first entry 3", "doesn't follow entry 2 as that is now"},
		{"an entry's hash cut short", func(w *world) {
			w.exec("update audit_entry set hash = $2 where chain = $1 and seq = 2", id(w.first), []byte{1})
		}, "first entry 2", "changed"},
		{"an entry deleted", func(w *world) { w.exec("delete from audit_entry where chain = $1 and seq = 2", id(w.first)) },
			"first entry 2", "missing"},
		{"entries deleted", func(w *world) { w.exec("delete from audit_entry where chain = $1 and seq in (2, 3, 4)", id(w.first)) },
			"first entries 2 to 4", "missing"},
		{"the first entry deleted", func(w *world) { w.exec("delete from audit_entry where chain = $1 and seq = 1", id(w.second)) },
			"second entry 1", "missing"},
		{"an entry added to a closed chain", func(w *world) {
			w.recompute(id(w.first), func(entries []audit.Entry) []audit.Entry {
				return append(entries, audit.Entry{Chain: id(w.first), At: entries[5].At, Kind: "thing", Body: "{}"})
			})
		}, "first entry 7", "follows the entry that closed the chain"},
		{"a batch added in the middle and the chain computed anew", func(w *world) {
			w.recompute(id(w.first), func(entries []audit.Entry) []audit.Entry {
				return append(entries[:2:2], append([]audit.Entry{entries[1]}, entries[2:]...)...)
			})
		}, "first entry 3", "not the entry that was there"},

		{"the tail cut behind a signature", func(w *world) { w.exec("delete from audit_entry where chain = $1 and seq >= 4", id(w.third)) },
			"third", "cut after entry 3"},
		{"the unsigned tail cut, its rows left", func(w *world) { w.exec("delete from audit_entry where chain = $1 and seq = 5", id(w.third)) },
			"third", "cut after entry 4: its entry 5 is named by 4 rows r19 to r22 of row.batch"},
		{"a crashed chain's tail cut, that only its successor's link names", func(w *world) {
			w.exec("delete from audit_entry where chain = $1 and seq = 3", id(w.second))
		}, "second", "cut after entry 2"},
		{"a closed chain's tail cut with its checkpoints", func(w *world) {
			w.exec("delete from audit_entry where chain = $1 and seq > 5", id(w.first))
			w.exec("delete from audit_checkpoint where chain = $1 and no > 3", id(w.first))
		}, "first", "cut after entry 5"},

		{"a chain deleted", func(w *world) { w.exec("delete from audit_entry where chain = $1", id(w.first)) },
			"first", "the whole chain is missing"},
		{"a chain deleted with checkpoints, node and rows", func(w *world) {
			w.exec("delete from audit_entry where chain = $1", id(w.first))
			w.exec("delete from audit_checkpoint where chain = $1", id(w.first))
			w.exec("delete from node where id = $1", id(w.first))
			w.exec("delete from test_row where chain = $1", id(w.first))
		}, "first", "the whole chain is missing"},
		{"the second chain deleted with all that is its own", func(w *world) {
			w.exec("delete from audit_entry where chain = $1", id(w.second))
			w.exec("delete from audit_checkpoint where chain = $1", id(w.second))
			w.exec("delete from node where id = $1", id(w.second))
			w.exec("delete from test_row where chain = $1", id(w.second))
		}, "second", "the whole chain is missing"},
		{"the newest chain deleted, its rows left", func(w *world) {
			w.exec("delete from audit_entry where chain = $1", id(w.third))
			w.exec("delete from audit_checkpoint where chain = $1", id(w.third))
			w.exec("delete from node where id = $1", id(w.third))
		}, "third", "the whole chain is missing: its entry 2 is named by 7 rows r10 to r16"},
		{"the newest chain deleted, its node left", func(w *world) {
			w.exec("delete from audit_entry where chain = $1", id(w.third))
			w.exec("delete from audit_checkpoint where chain = $1", id(w.third))
			w.exec("delete from test_row where chain = $1", id(w.third))
		}, "third", "its node is there"},
		{"a chain that isn't ours added", func(w *world) {
			w.recompute(5, func([]audit.Entry) []audit.Entry {
				return []audit.Entry{{Chain: 5, Kind: audit.KindOpen, Body: `{"name":"","predecessor":null}`}}
			})
		}, "chain 5", "no signed checkpoint"},

		{"all chains computed anew, checkpoints left", func(w *world) { rewrite(w, func(audit.Head) {}) },
			"first entry 3", "not the entry that was there"},
		{"all chains computed anew, checkpoints deleted", func(w *world) {
			rewrite(w, func(audit.Head) {})
			w.exec("delete from audit_checkpoint")
		}, "first", "no signed checkpoint"},
		{"all chains computed anew, checkpoints signed with another key", func(w *world) {
			_, sign := forge(w)
			w.exec("delete from audit_checkpoint")
			rewrite(w, func(h audit.Head) {
				sign(audit.Statement{Chain: h.Chain, No: 1, At: 1, Generation: 1, Heads: []audit.Head{h}})
			})
		}, "first checkpoint 1", "the signature is not by the audit key"},
		{"the same with the public key put in place of ours", func(w *world) {
			key, sign := forge(w)
			w.exec("delete from audit_checkpoint")
			rewrite(w, func(h audit.Head) {
				sign(audit.Statement{Chain: h.Chain, No: 1, At: 1, Generation: 1, Heads: []audit.Head{h}})
			})
			w.exec("update key_generation set public = $1 where ring = 'audit' and number = 1", key.Public().Bytes())
		}, "table key_generation", "generation 1 of ring audit"},
		{"the same under a generation of the attacker's", func(w *world) {
			key, sign := forge(w)
			w.exec("delete from audit_checkpoint")
			rewrite(w, func(h audit.Head) {
				sign(audit.Statement{Chain: h.Chain, No: 1, At: 1, Generation: 66, Heads: []audit.Head{h}})
			})
			w.exec("insert into key_generation (ring, number, not_before, state, public, made_at) values ('audit', 66, 0, 'kept', $1, 0)", key.Public().Bytes())
		}, "table key_generation", "generation 66 of ring audit"},
		{"the public key swapped", func(w *world) {
			key, _ := forge(w)
			w.exec("update key_generation set public = $1 where ring = 'audit' and number = 1", key.Public().Bytes())
		}, "table key_generation", "generation 1 of ring audit"},
		{"the audit key's row deleted", func(w *world) { w.exec("delete from key_generation where ring = 'audit'") },
			"first checkpoint 1", "isn't in key_generation"},

		{"a checkpoint removed", func(w *world) { w.exec("delete from audit_checkpoint where chain = $1 and no = 2", id(w.first)) },
			"first checkpoint 3", "1 checkpoint before it missing"},
		{"the first checkpoint removed", func(w *world) { w.exec("delete from audit_checkpoint where chain = $1 and no = 1", id(w.third)) },
			"third checkpoint 2", "1 checkpoint before it missing"},
		{"the last checkpoint of a closed chain removed", func(w *world) {
			w.exec("delete from audit_checkpoint where chain = $1 and no = 4", id(w.first))
		}, "first entry 6", "the checkpoint that goes with that is missing"},
		{"the last checkpoint of a crashed chain removed", func(w *world) {
			w.exec("delete from audit_checkpoint where chain = $1 and no = 2", id(w.second))
		}, "second checkpoint 2", "missing: named by third checkpoint 1"},
		{"all checkpoints of a chain removed", func(w *world) { w.exec("delete from audit_checkpoint where chain = $1", id(w.second)) },
			"second", "no signed checkpoint"},
		{"a checkpoint changed", func(w *world) {
			w.exec("update audit_checkpoint set body = replace(body, '\"seq\":3', '\"seq\":2') where chain = $1 and no = 2", id(w.third))
		}, "third checkpoint 2", "the signature is not by the audit key"},
		{"a checkpoint's time changed beside the signature", func(w *world) {
			w.exec("update audit_checkpoint set at = at + 1 where chain = $1 and no = 2", id(w.third))
		}, "third checkpoint 2", "say something else"},
		{"a checkpoint moved to another place", func(w *world) {
			w.exec("delete from audit_checkpoint where chain = $1 and no = 3", id(w.third))
			w.exec("update audit_checkpoint set no = 3 where chain = $1 and no = 2", id(w.third))
		}, "third checkpoint 3", "say something else"},
		{"a signature cut short", func(w *world) {
			w.exec("update audit_checkpoint set signature = $2 where chain = $1 and no = 2", id(w.third), []byte{1})
		}, "third checkpoint 2", "generation 0"},
		{"two predecessors fewer", func(w *world) {
			w.recompute(id(w.second), func(entries []audit.Entry) []audit.Entry {
				entries[0].Body = `{"name":"test","predecessor":null}`
				return entries
			})
		}, "second", "names no predecessor"},
	}
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		w := newWorld(t, d)
		before := w.save()
		for _, a := range attacks {
			t.Run(a.name, func(t *testing.T) {
				defer w.restore(before)
				a.do(w)
				check(t, w, w.verify(false), a.want, a.says)
			})
		}
		if r := w.verify(true); len(r.Findings) > 0 {
			t.Fatalf("after the attacks were undone: %v", r.Findings)
		}
	})
}

func check(t *testing.T, w *world, r audit.Report, want, says string) {
	t.Helper()
	found := places(w, r)
	for i, where := range found {
		if where == want {
			text := r.Findings[i].What
			for name, n := range map[string]*commit.Node{"first": w.first, "second": w.second, "third": w.third} {
				text = strings.ReplaceAll(text, fmt.Sprint("chain ", n.ID()), name)
			}
			if strings.Contains(text, says) {
				return
			}
		}
	}
	t.Errorf("found %v in %v, want %q: … %q …", r.Findings, found, want, says)
}

func TestAnchoredCheckpointsShowWhatTheDatabaseAloneCannot(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		w := newWorld(t, d)
		before := w.save()
		for name, a := range map[string]struct {
			do         func()
			want, says string
		}{
			"the newest chain removed with all that names it": {func() {
				w.exec("delete from audit_entry where chain = $1", w.third.ID())
				w.exec("delete from audit_checkpoint where chain = $1", w.third.ID())
				w.exec("delete from node where id = $1", w.third.ID())
				w.exec("delete from test_row where chain = $1", w.third.ID())
			}, "third", "the whole chain is missing: its entry 1 is named by anchor line 7"},
			"the tail cut with its checkpoint and rows": {func() {
				w.exec("delete from audit_entry where chain = $1 and seq > 3", w.third.ID())
				w.exec("delete from audit_checkpoint where chain = $1 and no > 2", w.third.ID())
				w.exec("delete from test_row where chain = $1 and seq > 3", w.third.ID())
			}, "third", "cut after entry 3: its entry 4 is named by anchor line 9"},
			"the last checkpoint removed": {func() {
				w.exec("delete from audit_checkpoint where chain = $1 and no = 3", w.third.ID())
			}, "third checkpoint 3", "missing: anchor line 9 has it"},
			"all emptied": {func() {
				for _, table := range []string{"audit_entry", "audit_checkpoint", "node", "test_row"} {
					w.exec("delete from " + table)
				}
			}, "first", "the whole chain is missing"},
		} {
			t.Run(name, func(t *testing.T) {
				defer w.restore(before)
				a.do()
				if r := w.verify(false); len(r.Findings) > 0 {
					t.Errorf("found without the anchor, so the package comment is too modest: %v", r.Findings)
				}
				check(t, w, w.verify(true), a.want, a.says)
			})
		}
	})
}

func TestTheAnchorFileItselfIsChecked(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, db.SQLite))
	before := w.save()
	lines := bytes.SplitAfter(before.anchor, []byte{'\n'})
	whole := len(lines) - 1
	for name, a := range map[string]struct {
		text       []byte
		want, says string // "" passes
	}{
		"as it is":                 {before.anchor, "", ""},
		"torn at its end":          {before.anchor[:len(before.anchor)-30], "", ""},
		"torn in the middle":       {append(append(bytes.Clone(lines[0][:40]), '\n'), before.anchor...), "", ""},
		"begun later":              {bytes.Join(lines[3:], nil), "", ""},
		"empty lines":              {append([]byte("\n\n"), before.anchor...), "", ""},
		"rubbish":                  {append([]byte("rubbish\n"), before.anchor...), "anchor line 1", "not a checkpoint"},
		"a signature changed":      {bytes.Replace(before.anchor, []byte(`"signature":"`), []byte(`"signature":"00`), 1), "anchor line 1", "not a checkpoint"},
		"a statement changed":      {bytes.Replace(before.anchor, []byte(`\"seq\":1`), []byte(`\"seq\":2`), 1), "anchor line 1", "the signature is not by the audit key"},
		"another generation's key": {bytes.Replace(before.anchor, []byte(`"generation":1,"sig`), []byte(`"generation":9,"sig`), 1), "anchor line 1", "isn't in key_generation"},
	} {
		w.must(os.WriteFile(w.anchor, a.text, 0o600))
		r := w.verify(true)
		if a.want == "" {
			if len(r.Findings) > 0 {
				t.Errorf("%s: %v", name, r.Findings)
			}
			continue
		}
		t.Run(name, func(t *testing.T) { check(t, w, r, a.want, a.says) })
	}
	w.restore(before)
	if r := w.verify(true); r.Anchored != whole {
		t.Errorf("%d lines of %d", r.Anchored, whole)
	}
	w.must(os.Remove(w.anchor))
	_, err := audit.Verify(t.Context(), audit.VerifyConfig{DB: w.db, Keys: w.keeper, Anchor: w.anchor})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing anchor file: %v", err)
	}
}

func TestATornAnchorLineIsNotJoinedByTheNext(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, db.SQLite))
	text, err := os.ReadFile(w.anchor)
	w.must(err)
	w.must(os.WriteFile(w.anchor, text[:len(text)-30], 0o600))
	w.checkpoint(w.third)
	r := w.verify(true)
	if len(r.Findings) > 0 || r.Anchored != 9 { // nine written, one of them torn, and the new one
		t.Errorf("%+v", r)
	}
}

func TestEntriesThatNobodySignsForLongAreFound(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, db.SQLite))
	w.now = w.now.Add(9 * time.Minute)
	w.act(w.third)
	if r := w.verify(true); len(r.Findings) > 0 || r.Unsigned != 2 {
		t.Errorf("%+v", r)
	}
	w.now = w.now.Add(time.Minute)
	w.act(w.third)
	check(t, w, w.verify(true), "third entry 5", "nothing signed from here on for 10m")
	w.checkpoint(w.third)
	if r := w.verify(true); len(r.Findings) > 0 || r.Unsigned != 0 {
		t.Errorf("%+v", r)
	}
}

func TestEntriesAddedToAProcessLongGoneAreFound(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, db.SQLite))
	w.now = w.now.Add(48 * time.Hour)
	fourth := w.open()
	w.must(fourth.Purge(t.Context()))
	w.recompute(w.second.ID(), func(entries []audit.Entry) []audit.Entry {
		return append(entries, audit.Entry{Chain: w.second.ID(), At: entries[2].At, Kind: "thing", Body: "{}"})
	})
	w.checkpoint(fourth)
	check(t, w, w.verify(true), "second entry 4", "signed by nobody")
}

func TestFindingsAreBounded(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, db.SQLite))
	w.must(w.third.Do(t.Context(), func(_ context.Context, tx *commit.Tx) error {
		for range 1500 {
			tx.Audit("thing", nil)
		}
		return nil
	}))
	w.exec("update audit_entry set kind = 'another'  where kind = 'thing'")
	r := w.verify(false)
	if len(r.Findings) != 1000 || r.More < 500 {
		t.Errorf("%d findings and %d more", len(r.Findings), r.More)
	}
}

func TestVerifyPassesBesideWorkingNodes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		w := newWorld(t, d)
		nodes := []*commit.Node{w.third, w.open()}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		for i, n := range nodes {
			go func() {
				next := int64(1_000_000 * (i + 1))
				done <- func() error {
					for round := 0; ctx.Err() == nil; round++ {
						err := n.DoAppend(context.WithoutCancel(ctx), func(ctx context.Context, tx *commit.Tx) error {
							seq := tx.Audit(batchKind, audit.NewBatch([][32]byte{leaf(next, "content")}, nil, nil))
							_, err := tx.Exec(ctx, "insert into test_row (id, content, chain, seq, pos) values ($1, 'content', $2, $3, 0)", next, n.ID(), seq)
							return err
						})
						if err == nil && round%5 == 0 {
							err = n.Checkpoint(context.WithoutCancel(ctx))
						}
						if err != nil {
							return err
						}
						next++
					}
					return nil
				}()
			}()
		}
		for range 10 {
			if r := w.verify(true); len(r.Findings) > 0 {
				t.Errorf("%+v", r.Findings)
			}
		}
		cancel()
		for range nodes {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if r := w.verify(true); len(r.Findings) > 0 || r.Rows < 22+2 {
			t.Errorf("%+v", r)
		}
	})
}

func TestProgressIsToldAndTheContextObeyed(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, db.SQLite))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := 0
	_, err := audit.Verify(ctx, audit.VerifyConfig{DB: w.db, Keys: w.keeper, Progress: func(audit.Report) {
		if told++; told == 2 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || told != 2 {
		t.Errorf("told %d times, then %v", told, err)
	}
}

func TestAProcessStartsOnATamperedLogAndTheFindingStays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		w := newWorld(t, d)
		w.exec("delete from audit_entry where chain = $1", w.third.ID())
		fourth := w.open()
		w.act(fourth)
		w.must(fourth.Close(t.Context()))
		check(t, w, w.verify(false), "third", "the whole chain is missing")
	})
}
