package db

import "io/fs"

// UseMigrations replaces the migrations that this binary has.
func (d *DB) UseMigrations(f fs.FS) { d.migrations = f }
