package status

import (
	"slices"
	"sync"
	"sync/atomic"
)

// The layout of a packed status; see the package comment.
const (
	epoch = 1577836800 // 2020-01-01T00:00:00Z, Unix s

	meaningBits = 10
	changesBits = 24
	sinceBits   = 30

	changesShift = meaningBits
	sinceShift   = meaningBits + changesBits

	elsewhere = 1<<meaningBits - 1 // the side map has it
)

// memory is the statuses of all people, packed. Reading takes no lock but for
// those in the side map.
type memory struct {
	table    *table
	meanings atomic.Pointer[[]meaning] // by index; 0 is not used

	mu    sync.RWMutex
	index map[meaning]uint64
	aside map[uint64]entry // by handle
}

func newMemory() *memory {
	m := &memory{table: newTable(), index: make(map[meaning]uint64), aside: make(map[uint64]entry)}
	m.meanings.Store(&[]meaning{{}})
	return m
}

// get returns a person's entry as stored, and whether there is one.
func (m *memory) get(handle uint64) (entry, bool) {
	v := m.table.get(handle)
	if v == 0 {
		return entry{}, false
	}
	return m.unpack(handle, v)
}

// unpack reads a packed value. The side map is asked for those who are there;
// everybody else costs no lock.
func (m *memory) unpack(handle, v uint64) (entry, bool) {
	x, since, changesAt := m.refer(v)
	if x != nil {
		return entry{*x, since, changesAt}, true
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	e, ok := m.aside[handle]
	return e, ok
}

// refer is unpack without copying, and without the side map: nil for those who
// are there.
func (m *memory) refer(v uint64) (x *meaning, since, changesAt int64) {
	all := *m.meanings.Load()
	k := v & (1<<meaningBits - 1)
	if k >= uint64(len(all)) {
		return nil, 0, 0 // elsewhere, or of a damaged snapshot
	}
	since = epoch + int64(v>>sinceShift)
	if in := int64(v >> changesShift & (1<<changesBits - 1)); in != 0 {
		changesAt = since + in
	}
	return &all[k], since, changesAt
}

// put stores an entry.
func (m *memory) put(handle uint64, e entry) {
	v, fits := m.pack(e)
	if !fits {
		// The side map first: whoever finds the mark in the table must find the
		// entry there.
		m.mu.Lock()
		m.aside[handle] = e
		m.mu.Unlock()
		v = elsewhere
	}
	if before := m.table.set(handle, v); before == elsewhere && fits {
		m.forget(handle)
	}
}

// remove takes a person out.
func (m *memory) remove(handle uint64) {
	if m.table.set(handle, 0) == elsewhere {
		m.forget(handle)
	}
}

func (m *memory) forget(handle uint64) {
	m.mu.Lock()
	delete(m.aside, handle)
	m.mu.Unlock()
}

func (m *memory) pack(e entry) (uint64, bool) {
	since, in := e.since-epoch, int64(0)
	if e.changesAt != 0 {
		if in = e.changesAt - e.since; in <= 0 {
			return 0, false
		}
	}
	if since < 0 || since >= 1<<sinceBits || in >= 1<<changesBits {
		return 0, false
	}
	k, ok := m.meaning(e.meaning)
	if !ok {
		return 0, false
	}
	return uint64(since)<<sinceShift | uint64(in)<<changesShift | k, true
}

// meaning returns the index of a meaning, given out on first use.
func (m *memory) meaning(x meaning) (uint64, bool) {
	m.mu.RLock()
	k, ok := m.index[x]
	m.mu.RUnlock()
	if ok {
		return k, true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.index[x]; ok {
		return k, true
	}
	all := *m.meanings.Load()
	if len(all) == elsewhere {
		return 0, false
	}
	// A copy: readers hold the slice without a lock.
	k = uint64(len(all))
	all = append(slices.Clip(all), x)
	m.meanings.Store(&all)
	m.index[x] = k
	return k, true
}

// Counts are people by what they are now.
type Counts struct {
	None, Green, Yellow, Red int
	Suspended, Deceased      int // among them
}

func (m *memory) count(now int64) Counts {
	var by [4]int
	var c Counts
	m.table.each(func(handle, value uint64) bool {
		e, ok := m.unpack(handle, value)
		if !ok {
			return true
		}
		e = e.at(now)
		by[e.Color&3]++
		if e.Suspended {
			c.Suspended++
		}
		if e.Deceased {
			c.Deceased++
		}
		return true
	})
	c.None, c.Green, c.Yellow, c.Red = by[None], by[Green], by[Yellow], by[Red]
	return c
}

// bytes is the memory taken, near enough.
func (m *memory) bytes() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	const asideBytes = 200
	return m.table.bytes() + asideBytes*len(m.aside)
}
