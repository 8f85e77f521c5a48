package limit

import (
	"hash/maphash"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// shards keeps lock contention low; 64 locks cost nothing and two cores never
// meet on one.
const shards = 64

// Rate allows each key so many events a minute, with a burst of one minute's
// worth.
type Rate struct {
	perMinute int
	now       func() time.Time
	seed      maphash.Seed
	shard     [shards]rateShard
}

type rateShard struct {
	mu   sync.Mutex
	seen map[string]*bucket
}

type bucket struct {
	limiter *rate.Limiter
	used    time.Time
}

// maxKeys bounds the memory of one shard: 64 × 4,096 keys are some 50 MB.
const maxKeys = 4096

// NewRate returns a limiter of perMinute events a key.
func NewRate(perMinute int, now func() time.Time) *Rate {
	r := &Rate{perMinute: perMinute, now: now, seed: maphash.MakeSeed()}
	for i := range r.shard {
		r.shard[i].seen = make(map[string]*bucket)
	}
	return r
}

// Allow takes one event of the key. When there is none left it says after how
// long there will be.
func (r *Rate) Allow(key string) (ok bool, retryAfter time.Duration) {
	now := r.now()
	s := &r.shard[maphash.String(r.seed, key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.seen[key]
	if b == nil {
		if len(s.seen) >= maxKeys {
			s.drop(now)
		}
		b = &bucket{limiter: rate.NewLimiter(rate.Limit(float64(r.perMinute)/60), r.perMinute)}
		s.seen[key] = b
	}
	b.used = now
	res := b.limiter.ReserveN(now, 1)
	if wait := res.DelayFrom(now); wait > 0 {
		res.CancelAt(now)
		return false, wait
	}
	return true, 0
}

// drop forgets keys unused for a minute: their buckets are full again, so that
// nothing is lost. Under a flood of fresh keys it forgets the longest unused
// half, which gives those at most one more burst.
func (s *rateShard) drop(now time.Time) {
	for _, age := range []time.Duration{time.Minute, 10 * time.Second, time.Second} {
		for k, b := range s.seen {
			if now.Sub(b.used) >= age {
				delete(s.seen, k)
			}
		}
		if len(s.seen) < maxKeys/2 {
			return
		}
	}
	for k := range s.seen {
		if len(s.seen) < maxKeys/2 {
			return
		}
		delete(s.seen, k)
	}
}
