package demo

import (
	"context"
	"errors"
	"time"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
)

// A demo's database bears a mark that is never taken off: `serve` refuses it,
// and `demo` refuses a database in use without it, so that invented and real
// people never meet.

// IsMarked reports whether the database is a demo's.
func IsMarked(ctx context.Context, d *db.DB) (marked bool, err error) {
	err = d.Read(ctx, func(ctx context.Context, q db.Querier) error {
		marked, err = readMark(ctx, q)
		return err
	})
	return marked, err
}

func readMark(ctx context.Context, q db.Querier) (bool, error) {
	var id int64
	err := q.QueryRow(ctx, `select id from demo_mark where id = 1`).Scan(&id)
	if errors.Is(err, db.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// RefuseMarked is serve's check: Conflict "demo_database".
func RefuseMarked(ctx context.Context, d *db.DB) error {
	marked, err := IsMarked(ctx, d)
	if err == nil && marked {
		return fault.New(fault.Conflict, "demo_database", "this database was made by `citycode demo` and holds invented people: use another for serve")
	}
	return err
}

// Mark is demo's check: it marks an empty database, accepts a marked one, and
// refuses any other with Conflict "not_a_demo".
func Mark(ctx context.Context, d *db.DB) error {
	return d.Tx(ctx, func(ctx context.Context, q db.Querier) error {
		marked, err := readMark(ctx, q)
		if err != nil || marked {
			return err
		}
		var used int64
		err = q.QueryRow(ctx, `select count(*) from (select 1 as x from key_custody union all select 1 from node union all select 1 from person) as t`).Scan(&used)
		if err != nil {
			return err
		}
		if used > 0 {
			return fault.New(fault.Conflict, "not_a_demo", "this database is in use and was not made by `citycode demo`: give the demo an empty one")
		}
		_, err = q.Exec(ctx, `insert into demo_mark (id, made_at) values (1, $1) on conflict (id) do nothing`, time.Now().UnixMilli())
		return err
	})
}
