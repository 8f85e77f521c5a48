package keys

import (
	"context"
	"errors"
	"fmt"

	"github.com/citycode/citycode/internal/db"
)

// maxRows limits a reading of generations: ten rings' worth of a year's days
// would be 3,650, and destroyed ones are not read.
const maxRows = 10000

const rowColumns = "ring, number, not_before, retire_at, destroy_at, state, public, sealed, made_at"

// readRows reads the generations of which a key is left: of one ring, or of all
// when ring is "".
func readRows(ctx context.Context, q db.Querier, ring Ring) ([]*row, error) {
	rows, err := q.Query(ctx, `select `+rowColumns+` from key_generation
		where (ring = $1 or $1 = '') and (sealed is not null or public is not null)
		order by ring, not_before, number limit $2`, string(ring), maxRows)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []*row
	for rows.Next() {
		r, name := new(row), ""
		if err := rows.Scan(&name, &r.number, &r.notBefore, &r.retireAt, &r.destroyAt, &r.state, &r.public, &r.sealed, &r.madeAt); err != nil {
			return nil, err
		}
		r.ring = Ring(name)
		all = append(all, r)
	}
	return all, rows.Err()
}

// lastNumber returns the highest number ever given in the ring, 0 for none.
func lastNumber(ctx context.Context, q db.Querier, ring Ring) (n int64, err error) {
	err = q.QueryRow(ctx, `select coalesce(max(number), 0) from key_generation where ring = $1`, string(ring)).Scan(&n)
	return n, err
}

func insertRow(ctx context.Context, q db.Querier, r *row) error {
	_, err := q.Exec(ctx, `insert into key_generation (`+rowColumns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		string(r.ring), r.number, r.notBefore, r.retireAt, r.destroyAt, r.state, r.public, r.sealed, r.madeAt)
	return err
}

func updateRow(ctx context.Context, q db.Querier, r *row) error {
	_, err := q.Exec(ctx, `update key_generation set retire_at = $3, destroy_at = $4, state = $5, sealed = $6
		where ring = $1 and number = $2`,
		string(r.ring), r.number, r.retireAt, r.destroyAt, r.state, r.sealed)
	return err
}

// custody returns the id of the key file that the database belongs to, "" when
// it belongs to none yet.
func custody(ctx context.Context, q db.Querier) (kekID string, err error) {
	err = q.QueryRow(ctx, `select kek_id from key_custody where id = 1`).Scan(&kekID)
	if errors.Is(err, db.ErrNoRows) {
		return "", nil
	}
	return kekID, err
}

func takeCustody(ctx context.Context, q db.Querier, kekID string, at int64) error {
	if _, err := q.Exec(ctx, `insert into key_custody (id, kek_id, made_at) values (1, $1, $2)`, kekID, at); err != nil {
		return fmt.Errorf("write key custody: %w", err)
	}
	return nil
}
