package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/keys"
)

// Copies of the two stores, in folders of their own: the person keys are kept
// apart from the data, and for at most 30 days, so that an erased person's key
// dies with its last copy.
const (
	sqliteMain, sqliteKeys     = "citycode.db", "person-keys.db"
	postgresMain, postgresKeys = "citycode.dump", "person-keys.dump"
)

// Backup writes consistent copies while the city is in use: the data first, the
// person keys after it, so that no copied person lacks their key. The files get
// mode 0600; one that is there already is not overwritten (fault Conflict
// "backup_exists"). On an error no copy is left.
func Backup(ctx context.Context, c CoreConfig, dataTo, keysTo string) (err error) {
	mainName, keysName := sqliteMain, sqliteKeys
	if c.Database != "" {
		mainName, keysName = postgresMain, postgresKeys
	}
	files := [2]string{filepath.Join(dataTo, mainName), filepath.Join(keysTo, keysName)}
	for _, file := range files {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		if _, err := os.Lstat(file); err == nil {
			return fault.New(fault.Conflict, "backup_exists", "%s is there already and is not overwritten", file)
		}
	}
	write := func(i int) error { return backupSQLite(ctx, c, [2]db.Store{db.Main, db.PersonKeys}[i], files[i]) }
	if c.Database != "" {
		s, err := openServer(ctx, c.Database)
		if err != nil {
			return err
		}
		write = func(i int) error { return s.dump(ctx, [2]string{s.schema, s.schema + "_person_keys"}[i], files[i]) }
	}
	for i, file := range files {
		if err := write(i); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		defer func() {
			if err != nil { // the keys could not be copied: half a backup is none
				os.Remove(file)
			}
		}()
	}
	return nil
}

func backupSQLite(ctx context.Context, c CoreConfig, store db.Store, to string) error {
	from := filepath.Join(c.Data, map[db.Store]string{db.Main: sqliteMain, db.PersonKeys: sqliteKeys}[store])
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) { // opening would make it
		return fault.New(fault.NotFound, "no_database", "there is no database %s", from)
	}
	d, err := db.Open(ctx, db.Config{Dir: c.Data, Store: store, Now: c.Now, Log: c.Log})
	if err != nil {
		return err
	}
	return errors.Join(d.Backup(ctx, to), d.Close())
}

// Restore puts copies into an empty place: a data folder without a database, or
// a PostgreSQL database whose two schemas aren't there or are empty (fault
// Conflict "not_empty" otherwise). The key file must be in its place first, and
// be the one that the copy was made under. What is refused changes nothing, and
// neither does a restore that fails. The restored database gets a new identity,
// so that every node that kept a snapshot of the lost one reads all again.
func Restore(ctx context.Context, c CoreConfig, dataFrom, keysFrom string) error {
	file, err := keys.LoadFile(c.KeyPath())
	if err != nil {
		return err
	}
	if c.Database != "" {
		s, err := openServer(ctx, c.Database)
		if err != nil {
			return err
		}
		if err := s.load(ctx, filepath.Join(dataFrom, postgresMain), filepath.Join(keysFrom, postgresKeys), file.ID()); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		return identify(ctx, c)
	}
	return restoreSQLite(ctx, c, filepath.Join(dataFrom, sqliteMain), filepath.Join(keysFrom, sqliteKeys))
}

// identify opens what was restored, which checks that the key file fits and
// that the schema is whole, and gives it identities of its own.
func identify(ctx context.Context, c CoreConfig) error {
	r, err := OpenToRead(ctx, c)
	if err != nil {
		return err
	}
	defer r.Close()
	return errors.Join(r.DB.RenewIdentity(ctx), r.KeysDB.RenewIdentity(ctx))
}

func restoreSQLite(ctx context.Context, c CoreConfig, mainFrom, keysFrom string) (err error) {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	var made []string
	// Also what SQLite keeps beside a database: a log that was left behind would
	// be applied to the restored one.
	for _, name := range []string{sqliteMain, sqliteKeys} {
		for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
			path := filepath.Join(c.Data, name+suffix)
			if _, err := os.Lstat(path); err == nil {
				return fault.New(fault.Conflict, "not_empty", "%s is there already: restore into a folder without a database", path)
			}
			made = append(made, path)
		}
	}
	defer func() {
		if err != nil {
			for _, path := range made {
				os.Remove(path)
			}
		}
	}()
	// The keys first: a killed restore leaves nothing that could be served.
	for _, part := range [][2]string{{keysFrom, sqliteKeys}, {mainFrom, sqliteMain}} {
		if err := copyWhole(part[0], filepath.Join(c.Data, part[1])); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	for _, store := range []db.Store{db.Main, db.PersonKeys} {
		if err := checkSQLite(ctx, c, store); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	return identify(ctx, c)
}

// checkSQLite reads the whole file: a copy that was cut or damaged on its way
// opens without complaint.
func checkSQLite(ctx context.Context, c CoreConfig, store db.Store) error {
	d, err := db.Open(ctx, db.Config{Dir: c.Data, Store: store, Now: c.Now, Log: c.Log})
	if err != nil {
		return err
	}
	var says string
	err = d.Read(ctx, func(ctx context.Context, q db.Querier) error {
		return q.QueryRow(ctx, "pragma quick_check(1)").Scan(&says)
	})
	if err == nil && says != "ok" {
		err = fault.New(fault.Invalid, "backup_damaged", "the copy of the store %s is damaged", store)
	}
	if err == nil {
		var have int
		if have, _, err = d.Version(ctx); err == nil && have == 0 {
			err = fault.New(fault.Invalid, "backup_empty", "the copy of the store %s is empty", store)
		}
	}
	return errors.Join(err, d.Close())
}

// copyWhole copies a file, mode 0600, under another name first: it appears
// whole and on disk, or not at all.
func copyWhole(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".partial-*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	return settle(out.Name(), to)
}

// settle gives a finished file its name, which nobody may have taken meanwhile.
func settle(partial, to string) error {
	err := os.Link(partial, to) // unlike a rename it never replaces
	if errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		err = os.Rename(partial, to) // a file system without links, as on a stick
	}
	if err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
