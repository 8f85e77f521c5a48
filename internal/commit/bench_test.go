package commit_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
)

// BenchmarkDurableInserts compares a row in a transaction of its own with rows
// of 512 waiting callers in one, each with an audit entry, each durable when
// its caller returns.
func BenchmarkDurableInserts(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		setup := func(b *testing.B) (*commit.Node, func(ctx context.Context, ids []int64) error) {
			d := dbtest.Open(b, engine)
			c := newCity(b, d)
			c.exec("create table bench_row (id bigint primary key, content text not null, chain bigint not null, seq bigint not null)")
			n := c.open("bench")
			return n, func(ctx context.Context, ids []int64) error {
				return n.DoAppend(ctx, func(ctx context.Context, tx *commit.Tx) error {
					seq := tx.Audit("bench", len(ids))
					if engine == db.PostgreSQL {
						_, err := tx.Exec(ctx, "insert into bench_row (id, content, chain, seq) select i, $2, $3, $4 from unnest($1::bigint[]) as u(i)", ids, "content of a row", n.ID(), seq)
						return err
					}
					for _, id := range ids {
						if _, err := tx.Exec(ctx, "insert into bench_row (id, content, chain, seq) values ($1, $2, $3, $4)", id, "content of a row", n.ID(), seq); err != nil {
							return err
						}
					}
					return nil
				})
			}
		}
		b.Run(fmt.Sprintf("%s/one by one", engine), func(b *testing.B) {
			_, write := setup(b)
			var id int64
			for b.Loop() {
				id++
				if err := write(b.Context(), []int64{id}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
		b.Run(fmt.Sprintf("%s/group", engine), func(b *testing.B) {
			_, write := setup(b)
			g := commit.NewGroup(commit.GroupConfig{}, write)
			defer g.Close()
			var id atomic.Int64
			b.SetParallelism(512)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := g.Do(b.Context(), id.Add(1)); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkAct(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		for _, name := range []string{"Do", "DoAppend"} {
			b.Run(fmt.Sprintf("%s/%s", engine, name), func(b *testing.B) {
				n := newCity(b, dbtest.Open(b, engine)).open("bench")
				for b.Loop() {
					if err := do[name](n, b.Context(), thing); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
