package keys

import (
	"context"

	"github.com/citycode/citycode/internal/db"
)

// Used reports whether a key file already belongs to the database. A database
// that has one can't be read with another, so none may be made for it.
func Used(ctx context.Context, d *db.DB) (used bool, err error) {
	err = d.Read(ctx, func(ctx context.Context, q db.Querier) error {
		id, err := custody(ctx, q)
		used = id != ""
		return err
	})
	return used, err
}
