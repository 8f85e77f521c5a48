package keys

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
)

// ledger is one ring's generations inside a transaction: read, changed in
// memory, and what changed written back.
type ledger struct {
	ring   Ring
	policy policy
	rows   []*row // of which a key is left
	before map[int64]row
	last   int64 // highest number given
}

func readLedger(ctx context.Context, q db.Querier, ring Ring) (*ledger, error) {
	rows, err := readRows(ctx, q, ring)
	if err != nil {
		return nil, fmt.Errorf("read generations of ring %s: %w", ring, err)
	}
	last, err := lastNumber(ctx, q, ring)
	if err != nil {
		return nil, fmt.Errorf("read last generation of ring %s: %w", ring, err)
	}
	l := &ledger{ring: ring, policy: ring.policy(), rows: rows, before: map[int64]row{}, last: last}
	for _, r := range rows {
		l.before[r.number] = *r
	}
	return l, nil
}

// kept returns the generations that take part in the ring's succession, in the
// order in which they begin.
func (l *ledger) kept() []*row {
	var kept []*row
	for _, r := range l.rows {
		if r.state == rowKept {
			kept = append(kept, r)
		}
	}
	slices.SortFunc(kept, func(a, b *row) int {
		return cmp.Or(cmp.Compare(a.notBefore, b.notBefore), cmp.Compare(a.number, b.number))
	})
	return kept
}

// add makes the next generation.
func (l *ledger) add(f *File, notBefore, now time.Time) (*row, error) {
	number := l.last + 1
	for _, r := range l.rows {
		if r.sealed != nil && uint8(r.number) == uint8(number) {
			return nil, fault.New(fault.Conflict, "generation_collision",
				"generation %d of ring %s would share its low byte with generation %d, which still opens: rotated too often", number, l.ring, r.number)
		}
	}
	r, err := newRow(f, l.ring, number, notBefore, now)
	if err != nil {
		return nil, fmt.Errorf("make generation %d of ring %s: %w", number, l.ring, err)
	}
	l.rows = append(l.rows, r)
	l.last = number
	return r, nil
}

// extend makes what the schedule wants: a first generation, and one for every
// beginning within the coverage.
func (l *ledger) extend(f *File, now time.Time, zone *time.Location) (made int, err error) {
	kept := l.kept()
	var last time.Time
	if len(kept) > 0 {
		last = time.UnixMilli(kept[len(kept)-1].notBefore)
	} else {
		if _, err := l.add(f, now, now); err != nil {
			return 0, err
		}
		last, made = now, 1
	}
	if l.policy.next == nil {
		return made, nil
	}
	for {
		from := last
		if lead := now.Add(minLead); lead.After(from) {
			from = lead
		}
		begin := l.policy.next(from.In(zone))
		if begin.After(now.Add(coverage)) {
			return made, nil
		}
		if _, err := l.add(f, begin, now); err != nil {
			return made, err
		}
		last = begin
		made++
	}
}

// succeed sets when each generation retires: when the next one begins.
func (l *ledger) succeed() {
	kept := l.kept()
	for i, r := range kept {
		r.retireAt, r.destroyAt = nil, nil
		if i+1 == len(kept) {
			continue
		}
		retire := kept[i+1].notBefore
		r.retireAt = &retire
		if !l.policy.keep {
			destroy := retire + (l.policy.opens + l.policy.archive).Milliseconds()
			r.destroyAt = &destroy
		}
	}
}

// destroyDue removes the keys whose time has come.
func (l *ledger) destroyDue(now time.Time) {
	for _, r := range l.rows {
		if r.state == rowKept && r.destroyAt != nil && *r.destroyAt <= now.UnixMilli() {
			r.state, r.sealed = rowDestroyed, nil
		}
	}
}

// compromise retires all generations at once, those made ahead included: they
// lay in the same memory and the same database. Their keys are destroyed, but
// for rings under which data lies.
func (l *ledger) compromise(now time.Time) {
	ms := now.UnixMilli()
	for _, r := range l.kept() {
		r.state = rowCompromised
		if r.retireAt == nil || *r.retireAt > ms {
			r.retireAt = &ms
		}
		if !l.policy.keep {
			r.destroyAt, r.sealed = &ms, nil
		}
	}
}

// save writes what differs from what was read.
func (l *ledger) save(ctx context.Context, q db.Querier) error {
	for _, r := range l.rows {
		old, known := l.before[r.number]
		var err error
		switch {
		case !known:
			err = insertRow(ctx, q, r)
		case !r.same(old):
			err = updateRow(ctx, q, r)
		}
		if err != nil {
			return fmt.Errorf("write generation %d of ring %s: %w", r.number, l.ring, err)
		}
	}
	return nil
}

func (r *row) same(o row) bool {
	return r.state == o.state && bytes.Equal(r.sealed, o.sealed) && sameTime(r.retireAt, o.retireAt) && sameTime(r.destroyAt, o.destroyAt)
}

func sameTime(a, b *int64) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

func random(b []byte) error {
	if _, err := rand.Read(b); err != nil {
		return fmt.Errorf("system's random source: %w", err)
	}
	return nil
}
