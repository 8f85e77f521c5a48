package session

import (
	"context"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
)

// keepEnded is how long an ended session must be remembered: its tokens could
// open until then. Later ones are refused by their expiry.
const keepEnded = AccessLifetime + Outage

// Check asks memory whether the session goes on: Unauthenticated "session_ended"
// otherwise.
func (s *Store) Check(id int64) error {
	s.mu.RLock()
	_, ended := s.ended[id]
	s.mu.RUnlock()
	if ended {
		return fault.New(fault.Unauthenticated, "session_ended", "the session was ended")
	}
	return nil
}

func (s *Store) markEnded(id, at int64) {
	cutoff := s.cfg.Now().Add(-keepEnded).UnixMilli()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[id] = at
	if len(s.ended)%1024 == 0 { // now and then, forget what no token can reach
		for old, when := range s.ended {
			if when < cutoff {
				delete(s.ended, old)
			}
		}
	}
}

// Ended returns how many ended sessions this node remembers, for metrics.
func (s *Store) Ended() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.ended)
}

// Load reads all endings that matter, by pages: at the start, and when the
// change feed has lost its place.
func (s *Store) Load(ctx context.Context) error {
	const page = 10_000
	after := int64(-1)
	cutoff := s.cfg.Now().Add(-keepEnded).UnixMilli()
	fresh := make(map[int64]int64)
	for {
		n := 0
		err := s.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) error {
			rows, err := q.Query(ctx, `select id, ended_at from session where ended_at >= $1 and id > $2 order by id limit $3`, cutoff, after, int64(page))
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id, at int64
				if err := rows.Scan(&id, &at); err != nil {
					return err
				}
				fresh[id], after = at, id
				n++
			}
			return rows.Err()
		})
		if err != nil {
			return err
		}
		if n < page {
			break
		}
	}
	s.mu.Lock()
	s.ended = fresh
	s.mu.Unlock()
	return nil
}
