package commit

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/feed"
)

const (
	beatEvery       = time.Second
	checkpointEvery = time.Minute
	purgeEvery      = 10 * time.Minute
	// stepTimeout bounds each piece of Run's work: a database that doesn't answer
	// must not keep the process from ending.
	stepTimeout = 10 * time.Second
	purgeBatch  = 1000
)

// Run keeps the node alive in the database until the context ends, and then
// returns nil; it doesn't Close. It returns early only with Unavailable
// "node_forgotten".
func (n *Node) Run(ctx context.Context) error {
	steps := []struct {
		what  string
		every time.Duration
		do    func(ctx context.Context) error

		next    time.Time
		failing bool
	}{
		{what: "heartbeat", every: beatEvery, do: n.Beat},
		{what: "audit checkpoint", every: checkpointEvery, do: n.Checkpoint},
		{what: "purge of old changes", every: purgeEvery, do: n.Purge},
	}
	start := time.Now()
	for i := range steps {
		steps[i].next = start.Add(steps[i].every)
	}
	steps[0].next = start
	for {
		due := 0
		for i := range steps {
			if steps[i].next.Before(steps[due].next) {
				due = i
			}
		}
		s := &steps[due]
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(s.next)):
		}
		stepCtx, cancel := context.WithTimeout(ctx, stepTimeout)
		err := s.do(stepCtx)
		cancel()
		switch {
		case ctx.Err() != nil || fault.CodeOf(err) == "closing":
			return nil
		case fault.CodeOf(err) == "node_forgotten":
			return err
		case err != nil && !s.failing:
			n.cfg.Log.Warn(s.what+" fails", slog.Any("error", err))
		case err == nil && s.failing:
			n.cfg.Log.Info(s.what + " works again")
		}
		s.failing = err != nil
		// Up to a quarter sooner, so that two nodes don't beat in step: reading
		// each other always at the same moment would make the clocks' comparison
		// worse by that much.
		s.next = time.Now().Add(s.every - rand.N(s.every/4))
	}
}

// Beat writes the heartbeat and compares clocks with the other live nodes, once.
func (n *Node) Beat(ctx context.Context) error {
	if err := n.enter(ctx); err != nil {
		return err
	}
	defer n.leave()
	if n.closed {
		return errClosing()
	}
	seen := make(map[int64]int64)
	err := n.cfg.DB.Append(ctx, func(ctx context.Context, q db.Querier) error {
		clear(seen)
		count, err := q.Exec(ctx, `update node set heartbeat_at = $2 where id = $1`, n.id, n.cfg.Now().UnixMilli())
		if err != nil {
			return err
		}
		if count == 0 {
			return errForgotten()
		}
		rows, err := q.Query(ctx, `select id, heartbeat_at from node where ended_at is null and id <> $1`, n.id)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, at int64
			if err := rows.Scan(&id, &at); err != nil {
				return err
			}
			seen[id] = at
		}
		return rows.Err()
	})
	if err != nil {
		return fmt.Errorf("commit: heartbeat: %w", err)
	}
	n.compare(seen, n.cfg.Now().UnixMilli())
	return nil
}

// Purge deletes changes older than feed.Kept and the nodes that ended, or fell
// silent, longer ago than that.
func (n *Node) Purge(ctx context.Context) error {
	for {
		var count int64
		err := n.cfg.DB.Append(ctx, func(ctx context.Context, q db.Querier) (err error) {
			count, err = feed.Purge(ctx, q, n.cfg.Now(), purgeBatch)
			return err
		})
		if err != nil {
			return fmt.Errorf("commit: purge: %w", err)
		}
		if count < purgeBatch {
			break
		}
	}
	return n.purgeNodes(ctx)
}

// purgeNodes deletes a node only when a checkpoint of this one, or a link,
// vouches for its whole chain, and when all its changes are gone.
func (n *Node) purgeNodes(ctx context.Context) error {
	if err := n.enter(ctx); err != nil {
		return err
	}
	defer n.leave()
	if n.closed {
		return errClosing()
	}
	cutoff := n.cfg.Now().Add(-feed.Kept).UnixMilli()
	err := n.cfg.DB.Append(ctx, func(ctx context.Context, q db.Querier) error {
		rows, err := q.Query(ctx, `select n.id, coalesce((select max(e.seq) from audit_entry e where e.chain = n.id), 0) from node n
			where n.heartbeat_at < $1 and n.id <> $2 and not exists (select 1 from change c where c.stream = n.id)
			order by n.heartbeat_at limit $3`, cutoff, n.id, purgeBatch)
		if err != nil {
			return err
		}
		defer rows.Close()
		var gone []int64
		for rows.Next() {
			var id, head int64
			if err := rows.Scan(&id, &head); err != nil {
				return err
			}
			if head > 0 && n.listed[id] == head {
				gone = append(gone, id)
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		rows.Close()
		for _, id := range gone {
			if _, err := q.Exec(ctx, `delete from node where id = $1 and heartbeat_at < $2`, id, cutoff); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("commit: purge nodes: %w", err)
	}
	return nil
}
