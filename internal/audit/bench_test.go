package audit_test

import (
	"context"
	"testing"

	"github.com/citycode/citycode/internal/audit"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
)

// BenchmarkVerify reads a log of 20,000 batches of five rows.
func BenchmarkVerify(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		b.Run(string(engine), func(b *testing.B) {
			w := newWorld(b, dbtest.Open(b, engine))
			for range 20 {
				w.must(w.third.Do(b.Context(), func(ctx context.Context, tx *commit.Tx) error {
					for range 1000 {
						var leaves [][32]byte
						seq := tx.Audit("thing", nil) + 1
						for range 5 {
							w.rows++
							leaves = append(leaves, leaf(w.rows, "content"))
							if _, err := tx.Exec(ctx, "insert into test_row (id, content, chain, seq, pos) values ($1, 'content', $2, $3, $1)", w.rows, w.third.ID(), seq); err != nil {
								return err
							}
						}
						tx.Audit(batchKind, audit.NewBatch(leaves, nil, nil))
					}
					return nil
				}))
			}
			w.exec("create index test_row_by_batch on test_row (chain, seq, pos)")
			b.ResetTimer()
			var r audit.Report
			for b.Loop() {
				if r = w.verify(false); len(r.Findings) > 0 {
					b.Fatal(r.Findings)
				}
			}
			b.ReportMetric(float64(b.N)*float64(r.Entries)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(float64(b.N)*float64(r.Rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
