package db_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
)

// TestABackupIsOneMomentWhileWritersRun keeps two rows equal in every
// transaction: a copy made of several moments would show them apart.
func TestABackupIsOneMomentWhileWritersRun(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	addMark(t, d.Main, 1, 0)
	addMark(t, d.Main, 2, 0)
	write(t, d.Main, "create table filler (id bigint primary key, y bytea)")
	for i := range 200 { // enough pages that copying takes a while
		write(t, d.Main, "insert into filler (id, y) values ($1, $2)", i, make([]byte, 20_000))
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	writers := make(chan error)
	for _, handle := range []*db.DB{d.Main, d.Open().Main} {
		go func() {
			for ctx.Err() == nil {
				err := handle.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
					if _, err := q.Exec(ctx, "update demo_mark set made_at = made_at + 1 where id = 1"); err != nil {
						return err
					}
					if _, err := q.Exec(ctx, "update filler set y = $2 where id = (select made_at % 200 from demo_mark where id = $1)", 1, make([]byte, 19_000)); err != nil {
						return err
					}
					_, err := q.Exec(ctx, "update demo_mark set made_at = made_at + 1 where id = 2")
					return err
				})
				if err != nil {
					writers <- err
					return
				}
			}
			writers <- nil
		}()
	}
	identity, err := d.Main.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		dir := t.TempDir()
		path := filepath.Join(dir, "citycode.db")
		before, _ := mark(t, d.Main, 1)
		if err := d.Main.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		if s, err := os.Stat(path); err != nil || s.Mode() != 0o600 {
			t.Errorf("%v %v", s.Mode(), err)
		}
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 1 {
			t.Errorf("beside it: %v %v", left, err)
		}
		copied := dbtest.OpenAt(t, dir, "").Main
		one, _ := mark(t, copied, 1)
		two, _ := mark(t, copied, 2)
		if one != two || one < before {
			t.Errorf("rows %d and %d, at least %d expected", one, two, before)
		}
		var check string
		err = copied.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
			return q.QueryRow(ctx, "pragma integrity_check").Scan(&check)
		})
		if err != nil || check != "ok" {
			t.Errorf("%s %v", check, err)
		}
		if id, err := copied.Identity(t.Context()); err != nil || id != identity {
			t.Errorf("identity %s, %v", id, err)
		}
	}
	stop()
	for range 2 {
		if err := <-writers; err != nil {
			t.Error(err)
		}
	}
}

func TestABackupReplacesNothing(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Main.Backup(t.Context(), path); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("%q", b)
	}
	if err := d.Main.Backup(t.Context(), filepath.Join(t.TempDir(), "no", "such", "folder")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestPostgresIsBackedUpByItsOwnTools(t *testing.T) {
	d := dbtest.Open(t, db.PostgreSQL)
	err := d.PersonKeys.Backup(t.Context(), filepath.Join(t.TempDir(), "b"))
	if fault.CodeOf(err) != "backup_postgresql" || !strings.Contains(err.Error(), "pg_dump") || !strings.Contains(err.Error(), "_person_keys") {
		t.Errorf("got %v", err)
	}
}
