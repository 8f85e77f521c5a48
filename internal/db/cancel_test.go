package db_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
)

func TestACallerWhoGoesAwayAtAnyMomentLeavesNoTransactionOpen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		rounds := 3000
		if d.URL != "" { // each costs a connection
			rounds = 10
		}
		kinds := map[string]func(context.Context, func(context.Context, db.Querier) error) error{"Tx": d.Main.Tx, "Append": d.Main.Append, "Snapshot": d.Main.Snapshot}
		for name, run := range kinds {
			for i := range rounds {
				ctx, cancel := context.WithCancel(t.Context())
				left := make(chan struct{})
				go func() {
					for end := time.Now().Add(rand.N(60 * time.Microsecond)); time.Now().Before(end); {
					}
					cancel()
					close(left)
				}()
				_ = run(ctx, func(ctx context.Context, q db.Querier) error { // came through, or was cancelled
					var n int64
					return q.QueryRow(ctx, "select count(*) from node").Scan(&n)
				})
				<-left
				err := run(t.Context(), func(ctx context.Context, q db.Querier) error {
					var n int64
					return q.QueryRow(ctx, "select count(*) from node").Scan(&n)
				})
				if err != nil {
					t.Fatalf("%s after %d callers went away: %v", name, i+1, err)
				}
			}
		}
	})
}
