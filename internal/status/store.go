package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/feed"
)

// topic carries the handles of people whose status was written.
const topic = "status"

// Config is what a Store needs. DB is required; Node only for Import. Without a
// Feed (commands that end at once) memory stays as Load left it, and without
// Dir no snapshot is kept.
type Config struct {
	DB       *db.DB
	Node     *commit.Node
	Feed     *feed.Reader
	Dir      string // data folder
	NodeName string // tells the snapshots of processes that share a folder apart
	Now      func() time.Time
	Log      *slog.Logger
	Watchers int // at most so many at once; 0 is 20,000
}

// Store keeps statuses. It is safe for concurrent use.
type Store struct {
	cfg    Config
	memory atomic.Pointer[memory]
	filled atomic.Bool  // memory holds everybody, as of some time
	asOf   atomic.Int64 // Unix ms, of a memory that no feed keeps fresh

	writing sync.Mutex       // one writer of memory at a time; guards what follows
	reasons map[int64]string // code by id, as far as they have been met
	dirty   bool             // memory differs from the last snapshot
	saved   time.Time        // when that was written; for the goroutine in Run

	watch    watchers
	counting sync.Mutex
	counts   Counts
	counted  time.Time
}

// New registers with the change feed; call it before the feed runs.
func New(c Config) *Store {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Watchers == 0 {
		c.Watchers = 20_000
	}
	s := &Store{cfg: c, reasons: make(map[int64]string)}
	s.memory.Store(newMemory())
	s.watch.limit = c.Watchers
	if c.Feed != nil {
		c.Feed.Handle(topic, s.apply)
		c.Feed.OnReload(s.reload)
	}
	return s
}

// Load fills memory: from the snapshot file and the changes since, or from the
// database. With a Feed it polls that once, so everything else that listens to
// the feed must be registered, and what they keep may be read anew or not: a
// feed that goes on from the snapshot doesn't ask others to reload. With the
// database gone, a snapshot is enough, and AsOf says how old it is.
func (s *Store) Load(ctx context.Context) error {
	loaded := s.loadSnapshot()
	if s.cfg.Feed == nil {
		return s.reload(ctx)
	}
	if err := s.cfg.Feed.Poll(ctx); err != nil {
		if !loaded {
			return fmt.Errorf("load statuses: %w", err)
		}
		s.cfg.Log.Warn("statuses are those of the snapshot", slog.Time("as_of", s.AsOf()), slog.Any("error", err))
	}
	s.cfg.Log.Info("statuses loaded", slog.Int("people", s.Len()), slog.Bool("snapshot", loaded))
	return nil
}

// Run keeps the snapshot fresh and wakes those who watch a person whose change
// comes due, until the context ends; then it writes a last snapshot and returns
// nil.
func (s *Store) Run(ctx context.Context) error {
	wake := time.NewTicker(time.Second)
	defer wake.Stop()
	snapshot := time.NewTicker(time.Minute)
	defer snapshot.Stop()
	for {
		select {
		case <-ctx.Done():
			s.saveSnapshot()
			return nil
		case <-wake.C:
			s.wakeChanged()
		case <-snapshot.C:
			s.saveSnapshot()
		}
	}
}

// Current returns a person's status now; false when there is no such person. It
// reads memory. Somebody who isn't there is asked of the database, whose
// failure is the only error.
func (s *Store) Current(ctx context.Context, h code.Handle) (Status, bool, error) {
	m := s.memory.Load()
	v := m.table.get(uint64(h))
	if v == 0 {
		return s.fromDatabase(ctx, h)
	}
	// Most people have no change ahead. For them the entry isn't copied and the
	// clock not read, each of which costs as much as the look-up.
	if x, since, changesAt := m.refer(v); x != nil && changesAt == 0 {
		return Status{
			Scheme: Health, Color: x.Color, ReasonCode: x.Reason, Since: time.Unix(since, 0),
			AsOf: s.AsOf(), Suspended: x.Suspended, Deceased: x.Deceased,
		}, true, nil
	}
	if e, ok := m.unpack(uint64(h), v); ok {
		return e.at(s.cfg.Now().Unix()).status(s.AsOf()), true, nil
	}
	return s.fromDatabase(ctx, h)
}

func (s *Store) fromDatabase(ctx context.Context, h code.Handle) (Status, bool, error) {
	now := s.cfg.Now()
	var e entry
	err := s.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) (err error) {
		e, err = readOne(ctx, q, h)
		return err
	})
	if errors.Is(err, db.ErrNoRows) {
		return Status{}, false, nil
	}
	if err != nil {
		return Status{}, false, fmt.Errorf("status: %w", err)
	}
	return e.at(now.Unix()).status(now), true, nil
}

// AsOf is how fresh memory is; zero before Load.
func (s *Store) AsOf() time.Time {
	if s.cfg.Feed != nil {
		return s.cfg.Feed.AsOf()
	}
	if ms := s.asOf.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

// Staleness is how long ago AsOf is: the longest duration before Load.
func (s *Store) Staleness() time.Duration {
	t := s.AsOf()
	if t.IsZero() {
		return math.MaxInt64
	}
	return s.cfg.Now().Sub(t)
}

// Loaded tells whether memory has been filled.
func (s *Store) Loaded() bool { return s.filled.Load() }

// Len is the number of people in memory.
func (s *Store) Len() int { return s.memory.Load().table.len() }

// Bytes is the memory that their statuses take.
func (s *Store) Bytes() int { return s.memory.Load().bytes() }

// countsLast is how long counts are good: counting 34 million takes some 0.2 s.
const countsLast = 15 * time.Second

// Counts are the people in memory by what they are, at most 15 s old.
func (s *Store) Counts() Counts {
	s.counting.Lock()
	defer s.counting.Unlock()
	now := s.cfg.Now()
	if age := now.Sub(s.counted); s.counted.IsZero() || age < 0 || age >= countsLast {
		s.counts, s.counted = s.memory.Load().count(now.Unix()), now
	}
	return s.counts
}

// pageSize is how many rows a reload reads at a time.
const pageSize = 5000

// reload reads everybody anew. The memory before serves until it is done.
func (s *Store) reload(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	start := s.cfg.Now()
	m := newMemory()
	reasons, people, err := s.readPreface(ctx)
	if err != nil {
		return fmt.Errorf("statuses: %w", err)
	}
	m.table.reserve(int(people))
	after := int64(math.MinInt64)
	for more := true; more; {
		var page []row
		err := s.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) (err error) {
			page, err = readPage(ctx, q, after, pageSize)
			return err
		})
		if err == nil {
			err = s.learn(ctx, reasons, page)
		}
		if err != nil {
			return fmt.Errorf("statuses: %w", err)
		}
		for _, r := range page {
			m.put(uint64(r.person), r.entry(reasons))
			after = r.person
		}
		more = len(page) == pageSize
	}
	s.reasons, s.dirty = reasons, true
	s.memory.Store(m)
	s.asOf.Store(start.UnixMilli())
	s.filled.Store(true)
	s.wakeChanged()
	return nil
}

func (s *Store) readPreface(ctx context.Context) (reasons map[int64]string, people int64, err error) {
	err = s.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) (err error) {
		if reasons, err = readReasons(ctx, q); err != nil {
			return err
		}
		people, err = countPeople(ctx, q)
		return err
	})
	return reasons, people, err
}

// learn adds the codes of reasons that rows name and reasons doesn't: rows may
// be younger than what was read of the dictionary before.
func (s *Store) learn(ctx context.Context, reasons map[int64]string, rows []row) error {
	known := func(r row) bool {
		_, a := reasons[r.reason]
		_, b := reasons[r.nextReason]
		return a && (b || r.nextReason == 0)
	}
	for _, r := range rows {
		if known(r) {
			continue
		}
		return s.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) error {
			fresh, err := readReasons(ctx, q)
			for id, c := range fresh {
				reasons[id] = c
			}
			return err
		})
	}
	return nil
}

// apply handles a change: it reads the rows of those named, and puts what the
// database says now in place of what memory says.
func (s *Store) apply(ctx context.Context, c feed.Change) error {
	handles, err := parsePayload(c.Payload)
	if err != nil {
		// Of a later version that this one doesn't understand: everything may
		// have changed.
		return s.reload(ctx)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	var rows []row
	err = s.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) (err error) {
		rows, err = readMany(ctx, q, Health, handles)
		return err
	})
	if err == nil {
		err = s.learn(ctx, s.reasons, rows)
	}
	if err != nil {
		return fmt.Errorf("statuses: %w", err)
	}
	m := s.memory.Load()
	gone := make(map[int64]bool, len(handles))
	for _, h := range handles {
		gone[h] = true
	}
	for _, r := range rows {
		delete(gone, r.person)
		m.put(uint64(r.person), r.entry(s.reasons))
	}
	for h := range gone {
		m.remove(uint64(h))
	}
	s.dirty = true
	s.wakePeople(handles)
	return nil
}
