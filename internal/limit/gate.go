package limit

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/citycode/citycode/internal/fault"
)

// Gate admits so many at once, lets some wait a little, and turns the rest away
// at once: a server that queues without a bound answers everybody too late.
type Gate struct {
	places  chan struct{}
	waiting atomic.Int64
	queue   int64
	wait    time.Duration
	shed    atomic.Int64
}

// NewGate returns a gate with so many places, a queue as long as queue, and a
// longest wait in it.
func NewGate(places, queue int, wait time.Duration) *Gate {
	return &Gate{places: make(chan struct{}, places), queue: int64(queue), wait: wait}
}

// Enter takes a place; the caller gives it back with Leave. When the gate is
// full it answers fault.Busy "overloaded".
func (g *Gate) Enter(ctx context.Context) error {
	select {
	case g.places <- struct{}{}:
		return nil
	default:
	}
	if g.waiting.Add(1) > g.queue {
		g.waiting.Add(-1)
		return g.turnAway()
	}
	defer g.waiting.Add(-1)
	t := time.NewTimer(g.wait)
	defer t.Stop()
	select {
	case g.places <- struct{}{}:
		return nil
	case <-t.C:
		return g.turnAway()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Leave gives the place back.
func (g *Gate) Leave() { <-g.places }

// Inside, Waiting and Shed are for metrics.
func (g *Gate) Inside() int    { return len(g.places) }
func (g *Gate) Waiting() int64 { return g.waiting.Load() }
func (g *Gate) Shed() int64    { return g.shed.Load() }

func (g *Gate) turnAway() error {
	g.shed.Add(1)
	return &fault.Error{Kind: fault.Unavailable, Code: "overloaded", Detail: "too many requests at once", RetryAfter: time.Second}
}
