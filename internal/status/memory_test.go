package status

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/code"
)

var allowEntry = cmp.AllowUnexported(entry{})

func TestEveryEntryComesBackAsItWasPut(t *testing.T) {
	const day = 86400
	base := entry{meaning: meaning{Color: Yellow, Reason: "close_contact"}, since: 1_795_327_385}
	with := func(change func(*entry)) entry {
		e := base
		change(&e)
		return e
	}
	soon := func(e *entry) { e.changesAt, e.Next, e.NextReason = e.since+7*day, Green, "ended" }
	for name, c := range map[string]struct {
		e     entry
		aside bool
	}{
		"plain":                    {base, false},
		"suspended":                {with(func(e *entry) { e.Suspended = true }), false},
		"deceased":                 {with(func(e *entry) { e.Deceased = true }), false},
		"with a change":            {with(soon), false},
		"a change at once":         {with(func(e *entry) { soon(e); e.changesAt = e.since + 1 }), false},
		"a change after 194 days":  {with(func(e *entry) { soon(e); e.changesAt = e.since + 1<<24 - 1 }), false},
		"a change after 195 days":  {with(func(e *entry) { soon(e); e.changesAt = e.since + 195*day }), true},
		"a change before it began": {with(func(e *entry) { soon(e); e.changesAt = e.since - 1 }), true},
		"the first second":         {with(func(e *entry) { e.since = epoch }), false},
		"before it":                {with(func(e *entry) { e.since = epoch - 1 }), true},
		"the last second":          {with(func(e *entry) { e.since = epoch + 1<<30 - 1 }), false},
		"after it":                 {with(func(e *entry) { e.since = epoch + 1<<30 }), true},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			// Over an entry of either sort.
			for _, before := range []entry{base, with(func(e *entry) { e.since = 0 })} {
				m.put(7, before)
				m.put(7, c.e)
				got, ok := m.get(7)
				if diff := cmp.Diff(c.e, got, allowEntry); diff != "" || !ok {
					t.Errorf("%v %s", ok, diff)
				}
				if aside := len(m.aside) == 1; aside != c.aside {
					t.Errorf("in the side map: %v, want %v", aside, c.aside)
				}
			}
			m.remove(7)
			if _, ok := m.get(7); ok || len(m.aside) != 0 || m.table.len() != 0 {
				t.Error("something is left")
			}
		})
	}
}

func TestMoreMeaningsThanASlotCanNameAreKeptAside(t *testing.T) {
	m := newMemory()
	entryOf := func(i int) entry {
		return entry{meaning: meaning{Color: Green, Reason: fmt.Sprint("reason_", i)}, since: epoch + int64(i)}
	}
	const people = 1500
	for i := range people {
		m.put(uint64(i+1), entryOf(i))
	}
	for i := range people {
		if got, ok := m.get(uint64(i + 1)); !ok || got != entryOf(i) {
			t.Fatalf("person %d: %+v", i+1, got)
		}
	}
	if len(m.aside) != people-1022 {
		t.Errorf("%d aside, want %d", len(m.aside), people-1022)
	}
	if c := m.count(epoch); c.Green != people {
		t.Errorf("%+v", c)
	}
}

func BenchmarkCurrent(b *testing.B) {
	for _, people := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(people, " people"), func(b *testing.B) {
			s := New(Config{Now: time.Now})
			m := s.memory.Load()
			handles := make([]code.Handle, people)
			r := rand.New(rand.NewPCG(1, 2))
			for i := range handles {
				handles[i] = code.Handle(r.Uint64() | 1)
				m.put(uint64(handles[i]), entry{meaning: meaning{Color: Green, Reason: DefaultReason}, since: epoch + int64(i)})
			}
			ctx := b.Context()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok, _ := s.Current(ctx, handles[i]); !ok {
					b.Fatal("missing")
				}
				if i++; i == people {
					i = 0
				}
			}
		})
	}
}

func TestReadingAStatusAllocatesNothing(t *testing.T) {
	s := New(Config{Now: time.Now})
	s.memory.Load().put(1, entry{meaning: meaning{Color: Green, Reason: DefaultReason}, since: epoch + 1})
	s.memory.Load().put(2, entry{meaning: meaning{Color: Yellow, Reason: "x", Next: Green, NextReason: "y"}, since: epoch + 1, changesAt: epoch + 2})
	for h := range code.Handle(3) {
		if h == 0 {
			continue
		}
		if n := testing.AllocsPerRun(100, func() { s.Current(t.Context(), h) }); n != 0 {
			t.Errorf("person %d: %v allocations", h, n)
		}
	}
}
