package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

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
// mode 0600; one that is there already is not overwritten.
func Backup(ctx context.Context, c CoreConfig, dataTo, keysTo string) error {
	for _, dir := range []string{dataTo, keysTo} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
	}
	if c.Database != "" {
		conn, schema, err := libpq(c.Database)
		if err != nil {
			return err
		}
		for _, part := range []struct{ schema, file string }{{schema, filepath.Join(dataTo, postgresMain)}, {schema + "_person_keys", filepath.Join(keysTo, postgresKeys)}} {
			if err := dump(ctx, conn, part.schema, part.file); err != nil {
				return err
			}
		}
		return nil
	}
	for _, part := range []struct {
		store db.Store
		file  string
	}{{db.Main, filepath.Join(dataTo, sqliteMain)}, {db.PersonKeys, filepath.Join(keysTo, sqliteKeys)}} {
		d, err := db.Open(ctx, db.Config{Dir: c.Data, Store: part.store})
		if err != nil {
			return err
		}
		if err := errors.Join(d.Backup(ctx, part.file), d.Close()); err != nil {
			return err
		}
	}
	return nil
}

func dump(ctx context.Context, conn connection, schema, file string) error {
	partial := file + ".partial"
	if _, err := os.Lstat(file); err == nil {
		return fault.New(fault.Conflict, "backup_exists", "%s is there already", file)
	}
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer os.Remove(partial) // after the link below only the name goes
	defer f.Close()
	if err := conn.run(ctx, f, nil, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--schema="+schema); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return os.Link(partial, file)
}

// Restore puts copies into an empty place: a data folder without a database, or
// a PostgreSQL database whose schemas are not there or empty. The key file must
// be in its place first. The restored database gets a new identity, so that
// every node that kept a snapshot of the lost one reads all again.
func Restore(ctx context.Context, c CoreConfig, dataFrom, keysFrom string) error {
	if _, err := keys.LoadFile(c.KeyPath()); err != nil {
		return err
	}
	if c.Database != "" {
		conn, schema, err := libpq(c.Database)
		if err != nil {
			return err
		}
		for _, part := range []struct{ schema, file string }{{schema, filepath.Join(dataFrom, postgresMain)}, {schema + "_person_keys", filepath.Join(keysFrom, postgresKeys)}} {
			if err := conn.load(ctx, part.schema, part.file); err != nil {
				return err
			}
		}
	} else {
		if err := os.MkdirAll(c.Data, 0o700); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		for _, part := range [][2]string{{filepath.Join(dataFrom, sqliteMain), sqliteMain}, {filepath.Join(keysFrom, sqliteKeys), sqliteKeys}} {
			if err := copyNew(part[0], filepath.Join(c.Data, part[1])); err != nil {
				return err
			}
		}
	}
	// Opening checks that the key file fits and that the schema is whole.
	r, err := OpenToRead(ctx, c)
	if err != nil {
		return err
	}
	defer r.Close()
	return errors.Join(r.DB.RenewIdentity(ctx), r.KeysDB.RenewIdentity(ctx))
}

func copyNew(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.Conflict, "not_empty", "%s is there already: restore into an empty folder", to)
	}
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return out.Sync()
}

// connection is how PostgreSQL's own tools are told where to go: the password
// in the environment, where other users of the machine don't see it.
type connection struct {
	url      string
	password string
}

// libpq takes apart a URL as citycode has it: search_path is ours, the tools
// don't know it.
func libpq(database string) (connection, string, error) {
	u, err := url.Parse(database)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return connection{}, "", fault.New(fault.Invalid, "database_url", "the database is not an address like postgres://user@host/name")
	}
	q := u.Query()
	schema := "public"
	if s := q.Get("search_path"); s != "" {
		schema = s
	}
	q.Del("search_path")
	u.RawQuery = q.Encode()
	c := connection{}
	if u.User != nil {
		c.password, _ = u.User.Password()
		u.User = url.User(u.User.Username())
	}
	c.url = u.String()
	return c, schema, nil
}

func (c connection) run(ctx context.Context, out io.Writer, in io.Reader, tool string, args ...string) error {
	cmd := exec.CommandContext(ctx, tool, append(args, "--dbname="+c.url)...)
	cmd.Env = os.Environ()
	if c.password != "" {
		cmd.Env = append(cmd.Env, "PGPASSWORD="+c.password)
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stdin, cmd.Stderr = out, in, &said
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return fault.New(fault.NotFound, "tool_missing", "%s isn't installed (Debian: postgresql-client)", tool)
		}
		return fmt.Errorf("%s: %w: %s", tool, err, strings.TrimSpace(said.String()))
	}
	return nil
}

// load restores one schema in one transaction. An empty schema that is there
// already (public always is) is taken; one with tables is refused.
func (c connection) load(ctx context.Context, schema, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer f.Close()
	var answer bytes.Buffer
	count := fmt.Sprintf(`select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = '%s'`, strings.ReplaceAll(schema, "'", "''"))
	if err := c.run(ctx, &answer, nil, "psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command="+count); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if strings.TrimSpace(answer.String()) != "0" {
		return fault.New(fault.Conflict, "not_empty", "schema %s has tables already: restore into an empty database", schema)
	}
	if err := c.run(ctx, io.Discard, f, "pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", "--clean", "--if-exists"); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}
