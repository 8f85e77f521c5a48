package scan

import (
	"context"
	"fmt"
	"time"

	"github.com/citycode/citycode/internal/audit"
	"github.com/citycode/citycode/internal/db"
)

// BatchKind is the kind of the audit entries that cover scans.
const BatchKind = "scan.batch"

// partitionsAhead is how many days of partitions lie ready, so that midnight
// needs no new table.
const partitionsAhead = 3

// claimGrace keeps claims a little longer than they count, so that a repeat at
// the very end still finds its record.
const claimGrace = time.Hour

// Housekeeping makes the next days' partitions and forgets claims that no
// longer count, some thousands at a time.
func (l *Log) Housekeeping(ctx context.Context) error {
	now := l.cfg.Now()
	if l.cfg.DB.Engine() == db.PostgreSQL {
		for d := range partitionsAhead {
			if err := l.partition(ctx, now.Add(time.Duration(d)*24*time.Hour)); err != nil {
				return err
			}
		}
	}
	return l.cfg.DB.Append(ctx, func(ctx context.Context, q db.Querier) error {
		if _, err := q.Exec(ctx, `delete from scan_key where (caller, key) in
			(select caller, key from scan_key where at < $1 order by at limit 5000)`, now.Add(-KeyLifetime-claimGrace).UnixMilli()); err != nil {
			return err
		}
		_, err := q.Exec(ctx, `delete from code_use where nonce in (select nonce from code_use where until < $1 limit 5000)`,
			now.Add(-claimGrace).UnixMilli())
		return err
	})
}

// Batches lets the audit recompute every batch from its rows.
func Batches() audit.Batches {
	return audit.Batches{Kind: BatchKind, Leaves: func(ctx context.Context, q db.Querier, yield func(chain, seq int64, leaf [32]byte, rowID string) error) error {
		rows, err := q.Query(ctx, `select `+columns+`, chain, seq from scan order by chain, seq, pos`) // streamed: an audit reads all
		if err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		defer rows.Close()
		var buf []byte
		for rows.Next() {
			var r row
			var chain, seq int64
			if err := rows.Scan(append(r.dest(), &chain, &seq)...); err != nil {
				return err
			}
			buf = r.canonical(buf[:0])
			if err := yield(chain, seq, audit.Leaf(buf), r.scan().ID.String()); err != nil {
				return err
			}
		}
		return rows.Err()
	}}
}
