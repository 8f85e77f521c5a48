package db

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
)

// backup copies with VACUUM INTO: one read transaction, so the copy is the
// database at one moment, and writers go on beside it.
func (e *sqliteEngine) backup(ctx context.Context, path string) (err error) {
	partial := path + ".partial"
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("backup: %w: %s", os.ErrExist, path)
	}
	// VACUUM INTO takes a file that is empty; made here for its mode.
	file, err := os.OpenFile(partial, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() {
		file.Close()
		if err != nil {
			os.Remove(partial)
		}
	}()
	pool, err := sql.Open("sqlite", sqliteDSN(e.path))
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.ExecContext(ctx, "vacuum into $1", partial); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := os.Link(partial, path); err != nil { // unlike a rename it never replaces
		return fmt.Errorf("backup: %w", err)
	}
	if err := os.Remove(partial); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
