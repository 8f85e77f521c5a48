package dbtest_test

import (
	"context"
	"testing"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
)

func TestEachGivesAMigratedPair(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		for _, one := range []*db.DB{d.Main, d.PersonKeys} {
			have, want, err := one.Version(t.Context())
			if err != nil || have != want || want == 0 {
				t.Fatalf("version %d of %d, %v", have, want, err)
			}
		}
		err := d.Main.Tx(t.Context(), func(ctx context.Context, q db.Querier) error {
			_, err := q.Exec(ctx, "insert into demo_mark (id, made_at) values ($1, $2)", 1, 2)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		err = d.Open().Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
			var at int64
			var seeded *int64
			if err := q.QueryRow(ctx, "select made_at, seeded_at from demo_mark where id = $1", 1).Scan(&at, &seeded); err != nil {
				return err
			}
			if at != 2 || seeded != nil {
				t.Errorf("%d %v", at, seeded)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
