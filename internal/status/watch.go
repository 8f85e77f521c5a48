package status

import (
	"sync"
	"sync/atomic"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/fault"
)

// maxOfOne bounds who watches one person: a few phones and forgotten windows. One
// caller alone could otherwise take every place of the node.
const maxOfOne = 16

// watchers are those who wait for a person's status to change.
type watchers struct {
	limit int
	count atomic.Int64 // so that a change costs nothing while nobody watches

	mu sync.Mutex
	by map[uint64]*watched
}

// watched is one person with all who watch them.
type watched struct {
	last entry // as they were told last, or found on coming
	ch   map[chan struct{}]struct{}
}

// Watch returns a channel that gets a value after each change of the person's
// status, several changes in short order as one. The caller then asks Current.
// stop ends it and may be called twice. More than Config.Watchers at once, or
// than 16 of one person, are refused: fault Busy "too_many_watchers".
func (s *Store) Watch(h code.Handle) (ch <-chan struct{}, stop func(), err error) {
	now := s.cfg.Now().Unix()
	e, _ := s.memory.Load().get(uint64(h))
	w := &s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if int(w.count.Load()) >= w.limit {
		return nil, nil, fault.New(fault.Busy, "too_many_watchers", "this node already has %d", w.limit)
	}
	if w.by == nil {
		w.by = make(map[uint64]*watched)
	}
	p := w.by[uint64(h)]
	if p != nil && len(p.ch) >= maxOfOne {
		return nil, nil, fault.New(fault.Busy, "too_many_watchers", "this person is already watched %d times", len(p.ch))
	}
	if p == nil {
		p = &watched{last: e.at(now), ch: make(map[chan struct{}]struct{})}
		w.by[uint64(h)] = p
	}
	c := make(chan struct{}, 1)
	p.ch[c] = struct{}{}
	w.count.Add(1)
	return c, func() { w.leave(uint64(h), c) }, nil
}

func (w *watchers) leave(handle uint64, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.by[handle]
	if p == nil {
		return
	}
	if _, in := p.ch[c]; !in {
		return
	}
	delete(p.ch, c)
	w.count.Add(-1)
	if len(p.ch) == 0 {
		delete(w.by, handle)
	}
}

// Watching is how many watch at the moment.
func (s *Store) Watching() int { return int(s.watch.count.Load()) }

// wakeChanged tells those who watch people whose status is another than they
// were told: every second, which finds changes that came due.
func (s *Store) wakeChanged() {
	w := &s.watch
	if w.count.Load() == 0 {
		return
	}
	now, m := s.cfg.Now().Unix(), s.memory.Load()
	w.mu.Lock()
	defer w.mu.Unlock()
	for h, p := range w.by {
		e, _ := m.get(h)
		p.tell(e.at(now))
	}
}

// wakePeople is wakeChanged for some people, at once.
func (s *Store) wakePeople(people []int64) {
	w := &s.watch
	if w.count.Load() == 0 {
		return
	}
	now, m := s.cfg.Now().Unix(), s.memory.Load()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range people {
		if p := w.by[uint64(h)]; p != nil {
			e, _ := m.get(uint64(h))
			p.tell(e.at(now))
		}
	}
}

func (p *watched) tell(e entry) {
	if e == p.last {
		return
	}
	p.last = e
	for c := range p.ch {
		select {
		case c <- struct{}{}:
		default: // not yet taken: one is enough
		}
	}
}
