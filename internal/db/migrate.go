package db

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/citycode/citycode/internal/fault"
)

//go:embed migration
var embedded embed.FS

func migrationFiles(s Store) (fs.FS, error) {
	if s != Main && s != PersonKeys {
		return nil, fmt.Errorf("no store %q", s)
	}
	return fs.Sub(embedded, "migration/"+string(s))
}

// migration is one file: a step from the schema before it.
type migration struct {
	version      int64
	name, digest string
	text         string
}

// migrations reads the files and insists on 1, 2, 3, … without a gap.
func (d *DB) files() ([]migration, error) {
	names, err := fs.Glob(d.migrations, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var out []migration
	for i, name := range names {
		number, _, ok := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if !ok || err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s: expected number %04d and a name", name, i+1)
		}
		b, err := fs.ReadFile(d.migrations, name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(b)
		text, err := section(string(b), d.kind)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
		out = append(out, migration{int64(version), name, hex.EncodeToString(sum[:]), text})
	}
	return out, nil
}

// section keeps the lines of a migration that are for the engine.
func section(text string, kind Engine) (string, error) {
	var b strings.Builder
	wanted := true
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "-- engine:"); ok {
			switch e := Engine(strings.TrimSpace(name)); e {
			case "all":
				wanted = true
			case SQLite, PostgreSQL:
				wanted = e == kind
			default:
				return "", fmt.Errorf("no engine %q", e)
			}
			continue
		}
		if wanted {
			b.WriteString(line)
		}
	}
	return b.String(), nil
}

// Migrate brings the schema up to this binary's, each file in a transaction of
// its own, and says how many were applied. Processes that migrate at once wait
// for each other. A file that was applied with another content is refused. A
// database that is newer than the binary is left alone: migrations only add
// what the binary before them can live with.
func (d *DB) Migrate(ctx context.Context) (applied int, err error) {
	files, err := d.files()
	if err != nil {
		return 0, err
	}
	for {
		var one *migration
		err := d.Append(ctx, func(ctx context.Context, q Querier) error {
			one = nil
			var err error
			one, err = d.step(ctx, q, files)
			return err
		})
		if err != nil {
			return applied, err
		}
		if one == nil {
			return applied, nil
		}
		applied++
		d.log.Info("database migrated", slog.String("store", string(d.store)), slog.String("file", one.name))
	}
}

// step applies the next file, or gives nil when there is none.
func (d *DB) step(ctx context.Context, q Querier, files []migration) (*migration, error) {
	if err := d.engine.lockMigration(ctx, q); err != nil {
		return nil, fmt.Errorf("locking the schema: %w", err)
	}
	for _, text := range []string{
		"create table if not exists schema_migration (version bigint primary key, name text not null, digest text not null, applied_at bigint not null)",
		"create table if not exists database_identity (id text primary key, made_at bigint not null)",
	} {
		if err := d.engine.script(ctx, q, text); err != nil {
			return nil, fmt.Errorf("making the tables of the migrator: %w", err)
		}
	}
	have, err := d.check(ctx, q, files)
	if err != nil {
		return nil, err
	}
	if have == 0 {
		if err := d.newIdentity(ctx, q); err != nil {
			return nil, err
		}
	}
	if have > int64(len(files)) {
		d.log.Warn("the database is newer than this program", slog.String("store", string(d.store)), slog.Int64("database", have), slog.Int("program", len(files)))
	}
	if have >= int64(len(files)) {
		return nil, nil
	}
	m := files[have]
	if err := d.engine.script(ctx, q, m.text); err != nil {
		return nil, fmt.Errorf("migration %s: %w", m.name, err)
	}
	_, err = q.Exec(ctx, "insert into schema_migration (version, name, digest, applied_at) values ($1, $2, $3, $4)",
		m.version, m.name, m.digest, d.now().UnixMilli())
	return &m, err
}

// check compares what was applied with the files and gives the last version.
func (d *DB) check(ctx context.Context, q Querier, files []migration) (have int64, err error) {
	rows, err := q.Query(ctx, "select version, name, digest from schema_migration order by version limit 100000")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var m migration
		if err := rows.Scan(&m.version, &m.name, &m.digest); err != nil {
			return 0, err
		}
		if m.version != have+1 {
			return 0, fault.New(fault.Conflict, "database_migrations", "migration %d was applied without %d before it", m.version, have+1)
		}
		if have = m.version; have <= int64(len(files)) && files[have-1].digest != m.digest {
			return 0, fault.New(fault.Conflict, "database_migrations", "migration %s was applied with another content than this program has", m.name)
		}
	}
	return have, rows.Err()
}

// Version gives the number of the last migration applied and of the last that
// this program has; have is 0 before the first.
func (d *DB) Version(ctx context.Context) (have, want int, err error) {
	files, err := d.files()
	if err != nil {
		return 0, 0, err
	}
	err = d.Read(ctx, func(ctx context.Context, q Querier) error {
		have = 0
		exists, err := d.engine.hasTable(ctx, q, "schema_migration")
		if err != nil || !exists {
			return err
		}
		n, err := d.check(ctx, q, files)
		have = int(n)
		return err
	})
	return have, len(files), err
}

// Identity names this database: 32 hexadecimal digits, made at random by the
// first migration and again by RenewIdentity. Whoever keeps a copy of the data
// keeps the identity with it, and drops the copy when it has changed.
func (d *DB) Identity(ctx context.Context) (id string, err error) {
	err = d.Read(ctx, func(ctx context.Context, q Querier) error {
		return q.QueryRow(ctx, "select id from database_identity").Scan(&id)
	})
	return id, err
}

// RenewIdentity gives the database a new identity, as after it was restored
// from a backup: its past isn't the one that others remember.
func (d *DB) RenewIdentity(ctx context.Context) error {
	return d.Tx(ctx, func(ctx context.Context, q Querier) error { return d.newIdentity(ctx, q) })
}

func (d *DB) newIdentity(ctx context.Context, q Querier) error {
	if _, err := q.Exec(ctx, "delete from database_identity"); err != nil {
		return err
	}
	id := make([]byte, 16)
	rand.Read(id)
	_, err := q.Exec(ctx, "insert into database_identity (id, made_at) values ($1, $2)", hex.EncodeToString(id), d.now().UnixMilli())
	return err
}
