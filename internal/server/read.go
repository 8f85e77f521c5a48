package server

import (
	"context"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/keys"
)

// Reading is a core for commands that only look: no committer, no audit chain
// of its own.
type Reading struct {
	DB, KeysDB *db.DB
	Keys       *keys.Keeper
}

// OpenToRead opens an existing city's data with its key file.
func OpenToRead(ctx context.Context, c CoreConfig) (*Reading, error) {
	if err := c.defaults(); err != nil {
		return nil, err
	}
	file, err := keys.LoadFile(c.KeyPath())
	if err != nil {
		return nil, err
	}
	r := &Reading{}
	if r.DB, r.KeysDB, err = OpenDatabase(ctx, c); err != nil {
		return nil, err
	}
	if r.Keys, err = keys.Open(ctx, keys.Config{DB: r.DB, File: file, Now: c.Now, Zone: c.Zone, Log: c.Log}); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close closes both stores.
func (r *Reading) Close() {
	for _, d := range []*db.DB{r.DB, r.KeysDB} {
		_ = d.Close() // nothing was written
	}
}
