package db_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
)

// engines runs a benchmark on both.
func engines(b *testing.B, f func(b *testing.B, d *dbtest.Pair)) {
	for _, e := range []db.Engine{db.SQLite, db.PostgreSQL} {
		b.Run(string(e), func(b *testing.B) { f(b, dbtest.Open(b, e)) })
	}
}

// BenchmarkInsert compares ways to insert durable rows of the scan log's shape:
// each in a transaction of its own, 512 in one transaction one by one, and 512
// in one statement (SQLite: many values; PostgreSQL: unnest).
func BenchmarkInsert(b *testing.B) {
	engines(b, func(b *testing.B, d *dbtest.Pair) {
		if d.Main.Engine() == db.PostgreSQL {
			write(b, d.Main, "create table scan_all partition of scan default")
		}
		var n int64
		b.Run("alone", func(b *testing.B) {
			for b.Loop() {
				n++
				err := d.Main.Append(b.Context(), func(ctx context.Context, q db.Querier) error {
					_, err := q.Exec(ctx, insertScan, scanRow(n)...)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("grouped", func(b *testing.B) {
			for b.Loop() {
				err := d.Main.Append(b.Context(), func(ctx context.Context, q db.Querier) error {
					for range 512 {
						n++
						if _, err := q.Exec(ctx, insertScan, scanRow(n)...); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*512/b.Elapsed().Seconds(), "rows/s")
		})
		for _, size := range []int{16, 64, 512} {
			b.Run(fmt.Sprintf("one statement of %d", size), func(b *testing.B) {
				for b.Loop() {
					rows := make([][]any, size)
					for i := range rows {
						n++
						rows[i] = scanRow(n)
					}
					err := d.Main.Append(b.Context(), func(ctx context.Context, q db.Querier) error {
						if d.Main.Engine() == db.PostgreSQL {
							_, err := q.Exec(ctx, unnestScan, columns(rows)...)
							return err
						}
						args := make([]any, 0, size*18)
						for _, r := range rows {
							args = append(args, r...)
						}
						_, err := q.Exec(ctx, valuesScan(size), args...)
						return err
					})
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)*float64(size)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	})
}

// BenchmarkLookup reads one row by its key.
func BenchmarkLookup(b *testing.B) {
	engines(b, func(b *testing.B, d *dbtest.Pair) {
		write(b, d.Main, "insert into code_use (nonce, owner, until, tries) values ($1, $2, $3, $4)", []byte("n"), []byte("o"), 1, 2)
		read := func(ctx context.Context) error {
			return d.Main.Read(ctx, func(ctx context.Context, q db.Querier) error {
				var owner []byte
				var until, tries int64
				return q.QueryRow(ctx, "select owner, until, tries from code_use where nonce = $1", []byte("n")).Scan(&owner, &until, &tries)
			})
		}
		b.Run("one", func(b *testing.B) {
			for b.Loop() {
				if err := read(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("parallel", func(b *testing.B) {
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := read(b.Context()); err != nil {
						b.Error(err)
					}
				}
			})
		})
	})
}

// BenchmarkTx increments one counter, alone and with seven others.
func BenchmarkTx(b *testing.B) {
	engines(b, func(b *testing.B, d *dbtest.Pair) {
		write(b, d.Main, "insert into demo_mark (id, made_at) values (1, 0)")
		for _, workers := range []int{1, 8} {
			b.Run(fmt.Sprintf("%d at once", workers), func(b *testing.B) {
				var left atomic.Int64
				left.Store(int64(b.N))
				done := make(chan error, workers)
				for range workers {
					go func() {
						for left.Add(-1) >= 0 {
							if err := increment(b.Context(), d.Main); err != nil {
								done <- err
								return
							}
						}
						done <- nil
					}()
				}
				for range workers {
					if err := <-done; err != nil {
						b.Error(err)
					}
				}
			})
		}
	})
}

const scanColumns = "id, at, verifier, scene, place, method, outcome, admission, kind, subject, holder, color, disclosed, scanned_at, chain, seq, pos, channel"

const insertScan = "insert into scan (" + scanColumns + ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"

const unnestScan = "insert into scan (" + scanColumns + ") select * from unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[]," +
	" $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::text[])"

func valuesScan(rows int) string {
	var s strings.Builder
	s.WriteString("insert into scan (" + scanColumns + ") values ")
	for i := range rows {
		if i > 0 {
			s.WriteString(", ")
		}
		for k := range 18 {
			s.WriteString([]string{"(", ", "}[min(k, 1)])
			fmt.Fprintf(&s, "$%d", i*18+k+1)
		}
		s.WriteString(")")
	}
	return s.String()
}

func scanRow(n int64) []any {
	id := fmt.Appendf(nil, "%016d", n)
	return []any{id, n, 7 * n, "venue-entry", "", "camera", "valid", "admitted", "live", n, nil, int64(1), "name", n, int64(1), n, int64(0), "app"}
}

// columns turns rows into one slice for each column.
func columns(rows [][]any) []any {
	out := make([]any, len(rows[0]))
	for k := range out {
		switch rows[0][k].(type) {
		case string:
			c := make([]string, len(rows))
			for i, r := range rows {
				c[i] = r[k].(string)
			}
			out[k] = c
		case []byte:
			c := make([][]byte, len(rows))
			for i, r := range rows {
				c[i] = r[k].([]byte)
			}
			out[k] = c
		default:
			c := make([]*int64, len(rows))
			for i, r := range rows {
				if v, ok := r[k].(int64); ok {
					c[i] = &v
				}
			}
			out[k] = c
		}
	}
	return out
}

func write(t testing.TB, d *db.DB, text string, args ...any) {
	t.Helper()
	err := d.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
		_, err := q.Exec(ctx, text, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// increment reads, then writes what it read plus one.
func increment(ctx context.Context, d *db.DB) error {
	return d.Tx(ctx, func(ctx context.Context, q db.Querier) error {
		var n int64
		if err := q.QueryRow(ctx, "select made_at from demo_mark where id = $1", 1).Scan(&n); err != nil {
			return err
		}
		_, err := q.Exec(ctx, "update demo_mark set made_at = $2 where id = $1", 1, n+1)
		return err
	})
}
