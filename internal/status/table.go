package status

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// table maps person handles to packed statuses: 16 bytes a slot, open
// addressing with linear probing, at most four slots of five in use. Readers
// take no lock. Writers hold the table's lock; there is one, the change feed.
//
// A slot goes through these states only, which is what makes reading without a
// lock right: empty → value written → handle written; afterwards the value
// changes in one atomic store. A person who is gone keeps the slot with value
// 0 until the shard grows.
type table struct {
	mu    sync.Mutex
	shard [shards]shard
	live  atomic.Int64 // handles with a value
}

// shards bound what one growing step copies: at 34 million people, 2.1 MB.
const shards = 256

// A shard that is fuller than maxLoad grows by an eighth. So between 0.71 and
// 0.8 of the slots are in use, 20 to 22.5 bytes a person, and adding one costs
// seven copies in the long run. Doubling would need 20 to 40 bytes.
const (
	maxLoadNum, maxLoadDen = 4, 5
	smallestShard          = 16
)

type shard struct {
	slots atomic.Pointer[[]slot]
	used  int // slots with a handle
}

// slot is read and written with sync/atomic only.
type slot struct {
	handle uint64 // 0 = empty
	value  uint64 // 0 = nobody
}

func newTable() *table {
	t := &table{}
	for i := range t.shard {
		s := make([]slot, smallestShard)
		t.shard[i].slots.Store(&s)
	}
	return t
}

// place tells the shard and, by multiplication instead of division, the slot
// of n where the search for a handle begins. Handles are random, but those of
// tests are not: the multiplier (2^64/φ) spreads both.
func place(handle uint64) (shard uint64, within uint64) {
	x := handle * 0x9E3779B97F4A7C15
	return x >> 56, x << 8
}

func start(within uint64, n int) int {
	i, _ := bits.Mul64(within, uint64(n))
	return int(i)
}

// get returns the value of a handle, 0 if there is none.
func (t *table) get(handle uint64) uint64 {
	if handle == 0 {
		return 0
	}
	sh, within := place(handle)
	slots := *t.shard[sh].slots.Load()
	for i := start(within, len(slots)); ; {
		switch atomic.LoadUint64(&slots[i].handle) {
		case handle:
			return atomic.LoadUint64(&slots[i].value)
		case 0:
			return 0
		}
		if i++; i == len(slots) {
			i = 0
		}
	}
}

// set gives a handle a value; 0 takes it out. It returns the value before.
func (t *table) set(handle, value uint64) (before uint64) {
	if handle == 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sh, within := place(handle)
	s := &t.shard[sh]
	slots := *s.slots.Load()
	i, found := find(slots, handle, within)
	switch {
	case found:
		before = atomic.SwapUint64(&slots[i].value, value)
	case value == 0:
		return 0
	default:
		if (s.used+1)*maxLoadDen > len(slots)*maxLoadNum {
			slots = s.grow(len(slots) + max(len(slots)/8, smallestShard))
			i, _ = find(slots, handle, within)
		}
		atomic.StoreUint64(&slots[i].value, value)
		atomic.StoreUint64(&slots[i].handle, handle)
		s.used++
	}
	switch {
	case before == 0 && value != 0:
		t.live.Add(1)
	case before != 0 && value == 0:
		t.live.Add(-1)
	}
	return before
}

// find returns where the handle is, or the empty slot where it belongs.
func find(slots []slot, handle, within uint64) (i int, found bool) {
	for i = start(within, len(slots)); ; {
		switch atomic.LoadUint64(&slots[i].handle) {
		case handle:
			return i, true
		case 0:
			return i, false
		}
		if i++; i == len(slots) {
			i = 0
		}
	}
}

// grow moves the shard into n slots, without those who are gone. Readers who
// hold the old slots finish there.
func (s *shard) grow(n int) []slot {
	old := *s.slots.Load()
	slots := make([]slot, n)
	s.used = 0
	for k := range old {
		handle, value := atomic.LoadUint64(&old[k].handle), atomic.LoadUint64(&old[k].value)
		if handle == 0 || value == 0 {
			continue
		}
		_, within := place(handle)
		i, _ := find(slots, handle, within)
		slots[i] = slot{handle, value}
		s.used++
	}
	s.slots.Store(&slots)
	return slots
}

// reserve makes room for n people in all, so that loading doesn't grow step by
// step. A shard gets 3 % more than its share: their numbers differ by chance.
func (t *table) reserve(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	each := n/shards*maxLoadDen/maxLoadNum*103/100 + smallestShard
	for i := range t.shard {
		if s := &t.shard[i]; len(*s.slots.Load()) < each {
			s.grow(each)
		}
	}
}

// each calls fn with every handle and value, until it returns false. Others may
// write meanwhile: what they write may or may not be seen.
func (t *table) each(fn func(handle, value uint64) bool) {
	for i := range t.shard {
		slots := *t.shard[i].slots.Load()
		for k := range slots {
			handle := atomic.LoadUint64(&slots[k].handle)
			if handle == 0 {
				continue
			}
			if value := atomic.LoadUint64(&slots[k].value); value != 0 && !fn(handle, value) {
				return
			}
		}
	}
}

// len is the number of people.
func (t *table) len() int { return int(t.live.Load()) }

// bytes is the memory that the slots take.
func (t *table) bytes() int {
	n := 0
	for i := range t.shard {
		n += len(*t.shard[i].slots.Load())
	}
	return n * 16
}
