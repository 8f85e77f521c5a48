package commit

import "time"

// How another node's clock is judged: it wrote its heartbeat h at some moment
// before this node reads it at t, so h − t is its offset less the age of the
// heartbeat, at most a second and the database's delays. The largest of the
// last few such differences comes near the offset. A difference is taken only
// when the heartbeat has changed since the last look: a dead node isn't one
// with a slow clock.
const (
	clockSamples = 8
	// sureOf is how many differences it takes to say that a clock is behind; one
	// is enough to say that it is ahead.
	sureOf = 4
	// silentAfter is how many looks without a change end a comparison.
	silentAfter = 10
)

// clock is what was seen of one other node's clock.
type clock struct {
	last    int64 // its heartbeat, Unix ms
	silent  int
	offsets []int64 // the last clockSamples, ms; positive is ahead of this node
}

// compare takes in the heartbeats of the other nodes, read at now.
func (n *Node) compare(seen map[int64]int64, now int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, c := range n.clocks {
		if _, there := seen[id]; !there {
			delete(n.clocks, id)
		} else if c.silent >= silentAfter {
			c.offsets = nil
		}
	}
	for id, beat := range seen {
		c := n.clocks[id]
		if c == nil {
			n.clocks[id] = &clock{last: beat}
			continue
		}
		if beat == c.last {
			c.silent++
			continue
		}
		c.last, c.silent = beat, 0
		c.offsets = append(c.offsets, beat-now)
		if len(c.offsets) > clockSamples {
			c.offsets = c.offsets[1:]
		}
	}
}

// ClockSkew is the largest difference found between this node's clock and that
// of another live node, without sign; 0 while there is no other. It is right to
// about the age of a fresh heartbeat: some 0.3 s and the database's delay.
func (n *Node) ClockSkew() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	var most time.Duration
	for _, c := range n.clocks {
		most = max(most, c.skew())
	}
	return most
}

func (c *clock) skew() time.Duration {
	if len(c.offsets) == 0 {
		return 0
	}
	best := c.offsets[0]
	for _, o := range c.offsets[1:] {
		best = max(best, o)
	}
	if best < 0 && len(c.offsets) < sureOf {
		return 0
	}
	return (time.Duration(best) * time.Millisecond).Abs()
}
