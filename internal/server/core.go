package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/feed"
	"github.com/citycode/citycode/internal/keys"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/status"
)

// CoreConfig is where a city's data lies. Its zero values are the defaults:
// SQLite and the key file in Data, now, Asia/Shanghai.
type CoreConfig struct {
	Data        string // folder, made with mode 0700 when missing
	Database    string // "" is SQLite in Data; postgres://… otherwise
	KeyFile     string // "" is Data/citycode.key
	Anchor      string // file outside the database that signed checkpoints also go to
	NodeName    string // names this process in metrics and in its files
	Now         func() time.Time
	Zone        *time.Location
	AllowSample bool // demo: region 310000, which is assigned to nobody
	// Check looks at the migrated database before anything is written to it.
	Check func(context.Context, *db.DB) error
	// Sample decides AllowSample from the database instead.
	Sample func(context.Context, *db.DB) (bool, error)
	Log    *slog.Logger
}

// Core is what every command and server shares.
type Core struct {
	Config     CoreConfig
	DB, KeysDB *db.DB
	Keys       *keys.Keeper
	Node       *commit.Node
	Feed       *feed.Reader
	Status     *status.Store
	People     *person.Store

	rest func() error // ends Beat
}

// KeyFileName is the key file's name in the data folder.
const KeyFileName = "citycode.key"

// KeyPath returns where the key file lies.
func (c CoreConfig) KeyPath() string {
	if c.KeyFile != "" {
		return c.KeyFile
	}
	return filepath.Join(c.Data, KeyFileName)
}

func (c *CoreConfig) defaults() error {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Zone == nil {
		z, err := time.LoadLocation("Asia/Shanghai")
		if err != nil {
			return err
		}
		c.Zone = z
	}
	if c.NodeName == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "node"
		}
		c.NodeName = host
	}
	return nil
}

// OpenDatabase opens and migrates both stores of the city: the main one and
// that of the person keys.
func OpenDatabase(ctx context.Context, c CoreConfig) (main, personKeys *db.DB, err error) {
	if err := c.defaults(); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, nil, fmt.Errorf("data folder: %w", err)
	}
	open := func(store db.Store) (*db.DB, error) {
		d, err := db.Open(ctx, db.Config{Dir: c.Data, URL: c.Database, Store: store, Now: c.Now, Log: c.Log})
		if err != nil {
			return nil, err
		}
		if _, err := d.Migrate(ctx); err != nil {
			_ = d.Close()
			return nil, err
		}
		return d, nil
	}
	if main, err = open(db.Main); err != nil {
		return nil, nil, err
	}
	if personKeys, err = open(db.PersonKeys); err != nil {
		_ = main.Close()
		return nil, nil, err
	}
	return main, personKeys, nil
}

// keyFile loads the key file, or makes one for a database that has none yet.
func keyFile(ctx context.Context, c CoreConfig, d *db.DB) (*keys.File, error) {
	f, err := keys.LoadFile(c.KeyPath())
	if fault.KindOf(err) != fault.NotFound || err == nil {
		return f, err
	}
	used, uerr := keys.Used(ctx, d)
	if uerr != nil {
		return nil, uerr
	}
	if used {
		// Another process that starts at this moment may have made both.
		if f, err = keys.LoadFile(c.KeyPath()); fault.KindOf(err) != fault.NotFound || err == nil {
			return f, err
		}
		return nil, fault.New(fault.NotFound, "key_file_missing",
			"this database was made with a key file, and %s isn't there: copy it from where it is kept (without it nothing in the database can be read)", c.KeyPath())
	}
	f, err = keys.CreateFile(c.KeyPath())
	if fault.CodeOf(err) == "key_file_exists" { // another process made it a moment ago
		return keys.LoadFile(c.KeyPath())
	}
	return f, err
}

// Open opens everything. Close gives it back; on an error nothing stays open.
func Open(ctx context.Context, c CoreConfig) (_ *Core, err error) {
	if err := c.defaults(); err != nil {
		return nil, err
	}
	k := &Core{Config: c}
	defer func() {
		if err != nil {
			k.closeDatabases()
		}
	}()
	if k.DB, k.KeysDB, err = OpenDatabase(ctx, c); err != nil {
		return nil, err
	}
	if c.Check != nil {
		if err = c.Check(ctx, k.DB); err != nil {
			return nil, err
		}
	}
	if c.Sample != nil {
		if c.AllowSample, err = c.Sample(ctx, k.DB); err != nil {
			return nil, err
		}
	}
	file, err := keyFile(ctx, c, k.DB)
	if err != nil {
		return nil, err
	}
	if k.Keys, err = keys.Open(ctx, keys.Config{DB: k.DB, File: file, Now: c.Now, Zone: c.Zone, Log: c.Log}); err != nil {
		return nil, err
	}
	if k.Node, err = commit.Open(ctx, commit.Config{DB: k.DB, Keys: k.Keys, Name: c.NodeName, Now: c.Now, Anchor: c.Anchor, Log: c.Log}); err != nil {
		return nil, err
	}
	k.Feed = feed.NewReader(feed.Config{DB: k.DB, Now: c.Now, Log: c.Log})
	k.Feed.Handle(keysTopic, func(ctx context.Context, _ feed.Change) error { return k.Keys.Reload(ctx) })
	k.Feed.OnReload(k.Keys.Reload)
	k.Status = status.New(status.Config{DB: k.DB, Node: k.Node, Feed: k.Feed, Dir: c.Data, Now: c.Now, NodeName: c.NodeName, Log: c.Log})
	k.People = person.New(person.Config{DB: k.DB, Keys: k.Keys, PersonKeys: keys.OpenPersonKeys(k.KeysDB, file), Node: k.Node, Status: k.Status, Now: c.Now, AllowSample: c.AllowSample})
	return k, nil
}

// keysTopic announces new or retired key generations.
const keysTopic = "keys"

// RotateKeys makes a new generation of the ring and tells every node. With
// compromised, the present ones stop at once and open nothing any more.
func (k *Core) RotateKeys(ctx context.Context, ring keys.Ring, compromised bool) (keys.Generation, error) {
	var made keys.Generation
	err := k.Node.Do(ctx, func(ctx context.Context, tx *commit.Tx) error {
		g, err := k.Keys.Rotate(ctx, ring, compromised, tx)
		if err != nil {
			return err
		}
		made = g
		tx.Change(keysTopic, []byte(ring))
		tx.Audit("key.rotate", map[string]any{"ring": string(ring), "number": g.Number, "compromised": compromised})
		return nil
	})
	if err != nil {
		return keys.Generation{}, err
	}
	return made, k.Keys.Reload(ctx)
}

// makeKeysAhead keeps the rings filled and destroys what is due. It reads them
// all anew, in case word of another node's change was lost.
func (k *Core) makeKeysAhead(ctx context.Context) error {
	err := k.Node.Do(ctx, func(ctx context.Context, tx *commit.Tx) error {
		n, err := k.Keys.Ahead(ctx, tx)
		if err != nil {
			return err
		}
		if n > 0 {
			tx.Change(keysTopic, nil)
			tx.Audit("key.ahead", map[string]any{"changed": n})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return k.Keys.Reload(ctx)
}

// Beat keeps the process alive in the database, beside a command, until Close.
func (k *Core) Beat(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- k.Node.Run(ctx) }()
	k.rest = func() error { stop(); return <-done }
}

// Close signs off and closes the database.
func (k *Core) Close(ctx context.Context) error {
	var err error
	if k.rest != nil {
		err = k.rest()
	}
	err = errors.Join(err, k.Node.Close(ctx))
	k.closeDatabases()
	return err
}

func (k *Core) closeDatabases() {
	for _, d := range []*db.DB{k.DB, k.KeysDB} {
		if d != nil {
			_ = d.Close() // nothing is pending: every write was acknowledged or refused
		}
	}
}
