package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// backup copies with VACUUM INTO: one read transaction, so the copy is the
// database at one moment, and writers go on beside it.
func (e *sqliteEngine) backup(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("backup: %w: %s", os.ErrExist, path)
	}
	// VACUUM INTO takes a file that is empty; made here for its mode, 0600.
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".partial-*")
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	partial := file.Name()
	defer func() {
		file.Close()
		os.Remove(partial)
	}()
	pool, err := sql.Open("sqlite", sqliteDSN(e.path))
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.ExecContext(ctx, "vacuum into $1", partial); err != nil {
		return fmt.Errorf("backup: %w", classifySQLite(err))
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	err = os.Link(partial, path) // unlike a rename it never replaces
	if errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		err = os.Rename(partial, path) // a file system without links, as on a stick
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
