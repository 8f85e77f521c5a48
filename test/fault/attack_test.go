package fault

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/citycode/citycode/internal/audit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/scan"
	"github.com/citycode/citycode/internal/sm"
)

// watched are the tables that the attacks change, and that are put back after
// each.
var watched = []string{"node", "audit_entry", "audit_checkpoint", "key_generation", "scan"}

// scene is a city with some history, and what an intruder knows of it.
type scene struct {
	t     *testing.T
	d     *db.DB
	chain int64 // of the demo that was stopped in order
	last  int64 // of the command that ran after it
	batch int64 // an entry of chain that stands for scans
	tail  int64 // the last such
	row   string
	hex   string // id of a scan of batch, in the forms of the API and of SQL
	next  string // id of a scan of tail, for the API
}

func (s *scene) rows(sql string, each func(db.Rows) error) {
	s.t.Helper()
	err := s.d.Read(s.t.Context(), func(ctx context.Context, q db.Querier) error {
		rows, err := q.Query(ctx, sql)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := each(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// bytes writes a value for SQL.
func (s *scene) bytes(b []byte) string {
	if s.d.Engine() == db.SQLite {
		return fmt.Sprintf("x'%x'", b)
	}
	return fmt.Sprintf(`'\x%x'::bytea`, b)
}

// history makes a city: people, scans in several batches, an orderly stop, and
// a command that began a chain of its own.
func history(t *testing.T, p place) *scene {
	t.Helper()
	server := serving(t, p.demo("--people", "10")...)
	text, verifier := server.signIn("resident-green").show(), server.signIn("verifier")
	var ids []string
	for range 6 {
		ids = append(ids, verifier.scan(text).ID)
	}
	server.stop()
	succeed(t, p.at("key", "rotate", "--ring", "session")...)
	p.auditHolds(t)

	s := &scene{t: t, d: p.open(t).Main, row: ids[2], next: ids[5]}
	ask(t, s.d, "select id from node order by started_at, id limit 1", &s.chain)
	ask(t, s.d, "select id from node order by started_at desc, id desc limit 1", &s.last)
	id, err := scan.ParseID(s.row)
	if err != nil {
		t.Fatal(err)
	}
	s.hex = s.bytes(id[:])
	ask(t, s.d, "select seq from scan where id = "+s.hex, &s.batch)
	ask(t, s.d, "select max(seq) from scan", &s.tail)
	for _, table := range watched {
		change(t, s.d, "create table saved_"+table+" as select * from "+table)
	}
	return s
}

// restore puts everything back.
func (s *scene) restore() {
	s.t.Helper()
	for _, table := range watched {
		change(s.t, s.d, "delete from "+table, "insert into "+table+" select * from saved_"+table)
	}
}

// recompute makes the hashes of a chain fit again from one entry on, as whoever
// knows docs/formats.md can, and returns the new heads by entry.
func (s *scene) recompute(chain int64, edit func(*audit.Entry)) map[int64]audit.Head {
	s.t.Helper()
	var entries []audit.Entry
	s.rows(fmt.Sprintf("select seq, at, kind, body from audit_entry where chain = %d order by seq", chain), func(r db.Rows) error {
		e := audit.Entry{Chain: chain}
		err := r.Scan(&e.Seq, &e.At, &e.Kind, &e.Body)
		entries = append(entries, e)
		return err
	})
	heads := map[int64]audit.Head{}
	var statements []string
	var before audit.Digest
	for _, e := range entries {
		edit(&e)
		e.Prev = before
		e.Hash = e.Sum()
		before = e.Hash
		heads[e.Seq] = e.Head()
		statements = append(statements, fmt.Sprintf("update audit_entry set body = '%s', prev = %s, hash = %s where chain = %d and seq = %d",
			strings.ReplaceAll(e.Body, "'", "''"), s.bytes(e.Prev[:]), s.bytes(e.Hash[:]), chain, e.Seq))
	}
	change(s.t, s.d, statements...)
	return heads
}

// recomputeAll turns the scan into another outcome, and makes its batch, its
// chain and every later chain fit again: everything but the signatures.
func (s *scene) recomputeAll() map[int64]map[int64]audit.Head {
	s.t.Helper()
	change(s.t, s.d, "update scan set outcome = 'expired' where id = "+s.hex)
	var root audit.Batch
	err := s.d.Read(s.t.Context(), func(ctx context.Context, q db.Querier) error {
		var leaves [][32]byte
		var ids []string
		err := scan.Batches().Leaves(ctx, q, func(chain, seq int64, leaf [32]byte, id string) error {
			if chain == s.chain && seq == s.batch {
				leaves, ids = append(leaves, leaf), append(ids, id)
			}
			return nil
		})
		if err != nil {
			return err
		}
		first, _ := scan.ParseID(ids[0])
		last, _ := scan.ParseID(ids[len(ids)-1])
		root = audit.NewBatch(leaves, first[:], last[:])
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	body, err := json.Marshal(root)
	if err != nil {
		s.t.Fatal(err)
	}
	heads := map[int64]map[int64]audit.Head{}
	heads[s.chain] = s.recompute(s.chain, func(e *audit.Entry) {
		if e.Seq == s.batch {
			e.Body = string(body)
		}
	})
	heads[s.last] = s.recompute(s.last, func(e *audit.Entry) {
		var o audit.Opening
		if e.Kind == audit.KindOpen && json.Unmarshal([]byte(e.Body), &o) == nil && o.Predecessor.Chain == s.chain {
			h := heads[s.chain][o.Predecessor.Seq]
			o.Predecessor = &h
			b, err := json.Marshal(o)
			if err != nil {
				s.t.Fatal(err)
			}
			e.Body = string(b)
		}
	})
	return heads
}

// resign makes every checkpoint anew with a key of the intruder's own, which
// takes the place of the city's public key.
func (s *scene) resign(heads map[int64]map[int64]audit.Head) {
	s.t.Helper()
	key, err := sm.GenerateSigningKey()
	if err != nil {
		s.t.Fatal(err)
	}
	var statements []string
	marks := map[[2]int64]audit.Checkmark{}
	s.rows(fmt.Sprintf("select chain, no, at, generation, body from audit_checkpoint order by case chain when %d then 0 else 1 end, no", s.chain), func(r db.Rows) error {
		var c audit.Checkpoint
		var generation int64
		if err := r.Scan(&c.Chain, &c.No, &c.At, &generation, &c.Body); err != nil {
			return err
		}
		var st audit.Statement
		if err := json.Unmarshal([]byte(c.Body), &st); err != nil {
			return err
		}
		for i, h := range st.Heads {
			st.Heads[i] = heads[h.Chain][h.Seq]
		}
		if st.Previous != nil {
			m := marks[[2]int64{st.Previous.Chain, st.Previous.No}]
			st.Previous = &m
		}
		made, err := audit.Sign(key, st)
		if err != nil {
			return err
		}
		marks[[2]int64{c.Chain, c.No}] = made.Mark()
		statements = append(statements, fmt.Sprintf("update audit_checkpoint set body = '%s', signature = %s where chain = %d and no = %d",
			made.Body, s.bytes(made.Signature[:]), c.Chain, c.No))
		return nil
	})
	change(s.t, s.d, statements...)
	public := key.Public().Bytes()
	change(s.t, s.d, "update key_generation set public = "+s.bytes(public)+" where ring = 'audit'")
}

func TestAuditVerifyNamesThePlaceOfEveryAttack(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		s := history(t, p)
		for _, attack := range []struct {
			name string
			do   func()
			says []string // all of them
		}{
			{"a byte changed in a scan", func() {
				change(t, s.d, "update scan set outcome = 'walid' where id = "+s.hex)
			}, []string{s.row}},
			{"a colour changed in a scan", func() {
				change(t, s.d, "update scan set color = 3 where id = "+s.hex)
			}, []string{s.row}},
			{"the moment of a scan moved by a millisecond", func() {
				change(t, s.d, "update scan set at = at + 1 where id = "+s.hex)
			}, []string{s.row}},
			{"a scan deleted", func() {
				change(t, s.d, "delete from scan where id = "+s.hex)
			}, []string{fmt.Sprintf("chain %d entry %d", s.chain, s.batch)}},
			{"a scan copied", func() {
				change(t, s.d, strings.ReplaceAll("insert into scan (id, C) select "+s.bytes(make([]byte, 16))+", C from scan where id = "+s.hex, "C",
					"at, verifier, scene, place, method, outcome, admission, kind, subject, holder, color, disclosed, scanned_at, chain, seq, pos, channel"))
			}, []string{fmt.Sprintf("chain %d entry %d", s.chain, s.batch)}},
			{"a scan moved to another batch", func() {
				change(t, s.d, fmt.Sprintf("update scan set seq = %d, pos = 9 where id = %s", s.tail, s.hex))
			}, []string{fmt.Sprintf("entry %d", s.batch), fmt.Sprintf("entry %d", s.tail)}},
			{"an entry's text changed", func() {
				change(t, s.d, fmt.Sprintf("update audit_entry set body = body || ' ' where chain = %d and seq = 2", s.chain))
			}, []string{fmt.Sprintf("chain %d entry 2", s.chain)}},
			{"an entry removed", func() {
				change(t, s.d, fmt.Sprintf("delete from audit_entry where chain = %d and seq = 2", s.chain))
			}, []string{fmt.Sprintf("chain %d entry 2: missing", s.chain)}},
			{"the tail cut with its scans", func() {
				change(t, s.d, fmt.Sprintf("delete from audit_entry where chain = %d and seq >= %d", s.chain, s.tail),
					fmt.Sprintf("delete from scan where chain = %d and seq >= %d", s.chain, s.tail))
			}, []string{fmt.Sprintf("chain %d: cut after entry %d", s.chain, s.tail-1)}},
			{"the tail cut with its scans and signatures", func() {
				change(t, s.d, fmt.Sprintf("delete from audit_entry where chain = %d and seq >= %d", s.chain, s.tail),
					fmt.Sprintf("delete from scan where chain = %d and seq >= %d", s.chain, s.tail),
					fmt.Sprintf("delete from audit_checkpoint where chain = %d and no > 1", s.chain))
			}, []string{fmt.Sprintf("chain %d: cut after entry %d", s.chain, s.tail-1)}},
			{"a chain deleted, with its node, scans and signatures", func() {
				change(t, s.d, fmt.Sprintf("delete from audit_entry where chain = %d", s.chain), fmt.Sprintf("delete from audit_checkpoint where chain = %d", s.chain),
					fmt.Sprintf("delete from scan where chain = %d", s.chain), fmt.Sprintf("delete from node where id = %d", s.chain))
			}, []string{fmt.Sprintf("chain %d: the whole chain is missing", s.chain)}},
			{"a chain deleted, its node left", func() {
				change(t, s.d, fmt.Sprintf("delete from audit_entry where chain = %d", s.last), fmt.Sprintf("delete from audit_checkpoint where chain = %d", s.last))
			}, []string{fmt.Sprintf("chain %d", s.last)}},
			{"everything computed anew but the signatures", func() { s.recomputeAll() }, []string{fmt.Sprintf("chain %d", s.chain), "not the entry that was there"}},
			{"everything computed anew and signed with another key", func() { s.resign(s.recomputeAll()) }, []string{"generation 1 of ring audit", "does not open"}},
			{"a checkpoint removed", func() {
				change(t, s.d, fmt.Sprintf("delete from audit_checkpoint where chain = %d and no = 1", s.chain))
			}, []string{fmt.Sprintf("chain %d checkpoint 2: 1 checkpoint before it missing", s.chain)}},
			{"a signature changed", func() {
				change(t, s.d, fmt.Sprintf("update audit_checkpoint set signature = %s where chain = %d and no = 1", s.bytes(make([]byte, 64)), s.chain))
			}, []string{fmt.Sprintf("chain %d checkpoint 1", s.chain)}},
		} {
			attack.do()
			r := command(t, p.at("audit", "verify")...)
			if r.exit != 1 {
				t.Errorf("%s: %s", attack.name, r)
			}
			for _, words := range attack.says {
				if !strings.Contains(r.out+r.err, words) {
					t.Errorf("%s: %q isn't said in\n%s", attack.name, words, r)
				}
			}
			s.restore()
		}
		p.auditHolds(t)
	})
}

// The newest chain with everything that names it can be removed without a trace
// in the database: that is what the anchor file is for.
func TestTheAnchorFileShowsARemovedChain(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		s := history(t, p)
		anchor := filepath.Join(t.TempDir(), "anchor.jsonl")
		succeed(t, append(p.at("key", "rotate"), "--audit-anchor", anchor)...)
		var chain int64
		ask(t, s.d, "select id from node order by started_at desc, id desc limit 1", &chain)
		succeed(t, append(p.at("audit", "verify"), "--audit-anchor", anchor)...)
		if info, err := os.Stat(anchor); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("anchor file: %v %v", info.Mode(), err)
		}
		change(t, s.d, fmt.Sprintf("delete from audit_entry where chain = %d", chain), fmt.Sprintf("delete from audit_checkpoint where chain = %d", chain),
			fmt.Sprintf("delete from node where id = %d", chain))
		r := command(t, append(p.at("audit", "verify"), "--audit-anchor", anchor)...)
		if r.exit != 1 || !strings.Contains(r.out, fmt.Sprintf("chain %d", chain)) {
			t.Errorf("%s", r)
		}
	})
}
