package db

import "io/fs"

// IdleTrust is how long a connection may lie idle before it is asked.
const IdleTrust = idleTrust

// UseMigrations replaces the migrations that this binary has.
func (d *DB) UseMigrations(f fs.FS) { d.migrations = f }
