package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/citycode/citycode/internal/db"
)

// Config says what a Reader reads. Every, Now and Log may be left out.
type Config struct {
	DB    *db.DB
	Now   func() time.Time
	Every time.Duration // between polls; 0 is 200 ms
	Log   *slog.Logger
}

const (
	pageSize     = 1000
	queryTimeout = 5 * time.Second
	// longestPause is how long polls may fail before the reader no longer trusts
	// that it saw each stream: one may have begun, ended and been purged meanwhile.
	longestPause = Kept / 2
)

// stamp is the key in a position under which its time stands (Unix ms); ids of
// streams are positive.
const stamp = 0

// Reader follows all streams of a database.
type Reader struct {
	cfg  Config
	asOf atomic.Int64 // Unix ms; 0 before the first poll that succeeded

	polling  sync.Mutex // one poll at a time; guards handlers, reloads
	handlers map[string][]func(context.Context, Change) error
	reloads  []func(context.Context) error

	mu       sync.Mutex // guards what follows
	position map[int64]int64
	identity string
	loaded   bool // position stands for something
}

// NewReader returns a Reader that starts with a reload, unless Start gives it
// something to go on from.
func NewReader(c Config) *Reader {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Every <= 0 {
		c.Every = 200 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Reader{cfg: c, handlers: make(map[string][]func(context.Context, Change) error)}
}

// Handle calls fn with each change of the topic. Call it before the first poll.
func (r *Reader) Handle(topic string, fn func(context.Context, Change) error) {
	r.polling.Lock()
	defer r.polling.Unlock()
	r.handlers[topic] = append(r.handlers[topic], fn)
}

// OnReload calls fn when changes may have been missed: fn reads everything
// again. Call it before the first poll.
func (r *Reader) OnReload(fn func(context.Context) error) {
	r.polling.Lock()
	defer r.polling.Unlock()
	r.reloads = append(r.reloads, fn)
}

// Position says up to which change of each stream the handlers have run, for
// a snapshot of what they built: take the position first, then the snapshot.
// It is to be kept whole, as Start wants it. It is nil before the first poll.
func (r *Reader) Position() map[int64]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.loaded {
		return nil
	}
	p := maps.Clone(r.position)
	p[stamp] = r.asOf.Load()
	return p
}

// Identity names the database that Position belongs to.
func (r *Reader) Identity() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.identity
}

// Start takes up where a snapshot was taken, instead of a reload. Whether that
// is possible is found out by the next poll: it isn't when the database has
// another identity or the snapshot is older than half of Kept. Whoever has no
// snapshot of their own loads by themselves, after Start: there is no reload.
func (r *Reader) Start(position map[int64]int64, identity string) {
	r.polling.Lock()
	defer r.polling.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.position, r.identity = maps.Clone(position), identity
	at := r.position[stamp]
	delete(r.position, stamp)
	r.loaded = position != nil && at > 0
	r.asOf.Store(0)
	if r.loaded {
		r.asOf.Store(at)
	}
}

// AsOf is how fresh the handlers' state is: all that was committed before this
// time has been handed over. It is the start of the last poll that succeeded,
// or the time of the snapshot given to Start; zero before either.
func (r *Reader) AsOf() time.Time {
	if ms := r.asOf.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

// Run polls until the context ends, and then returns nil. Polls that fail are
// logged when they begin and cease to.
func (r *Reader) Run(ctx context.Context) error {
	ticker := time.NewTicker(r.cfg.Every)
	defer ticker.Stop()
	failing := false
	for {
		err := r.Poll(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !failing {
			r.cfg.Log.Warn("the change feed can't be read", slog.Any("error", err))
		} else if err == nil && failing {
			r.cfg.Log.Info("the change feed is read again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Poll reads what is new and runs the handlers, once.
func (r *Reader) Poll(ctx context.Context) error {
	r.polling.Lock()
	defer r.polling.Unlock()
	start := r.cfg.Now()
	identity, heads, err := r.heads(ctx)
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	why := r.lost(start, identity, heads)
	if why == "" {
		err := r.follow(ctx, heads)
		if err != nil && !errors.Is(err, errGap) {
			return fmt.Errorf("feed: %w", err)
		}
		if err != nil {
			why = err.Error()
		}
	}
	if why != "" {
		// The heads were read before: whatever is committed during the reload
		// comes again as a change.
		if err := r.reload(ctx, why, identity, heads); err != nil {
			return fmt.Errorf("feed: %w", err)
		}
	}
	// Streams that are gone from node were read to their end long ago.
	r.mu.Lock()
	maps.DeleteFunc(r.position, func(stream, _ int64) bool { _, ok := heads[stream]; return !ok })
	r.mu.Unlock()
	r.asOf.Store(start.UnixMilli())
	return nil
}

// heads reads how far each stream goes.
func (r *Reader) heads(ctx context.Context) (identity string, heads map[int64]int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if identity, err = r.cfg.DB.Identity(ctx); err != nil {
		return "", nil, err
	}
	err = r.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) error {
		heads = make(map[int64]int64)
		rows, err := q.Query(ctx, "select id, head from node")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var stream, head int64
			if err := rows.Scan(&stream, &head); err != nil {
				return err
			}
			heads[stream] = head
		}
		return rows.Err()
	})
	return identity, heads, err
}

// lost says why the position is of no use, or "".
func (r *Reader) lost(now time.Time, identity string, heads map[int64]int64) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.loaded:
		return "first start"
	case r.identity != identity:
		return "another database, or the same restored"
	case now.Sub(r.AsOf()) > longestPause:
		return "no successful poll for too long"
	}
	for stream, at := range r.position {
		if head, ok := heads[stream]; ok && at > head {
			return fmt.Sprintf("stream %d goes to %d, but %d was seen", stream, head, at)
		}
	}
	return ""
}

func (r *Reader) reload(ctx context.Context, why, identity string, heads map[int64]int64) error {
	r.cfg.Log.Info("reading everything again", slog.String("why", why))
	r.mu.Lock()
	r.loaded = false // until it has been done
	r.mu.Unlock()
	for _, fn := range r.reloads {
		if err := fn(ctx); err != nil {
			return fmt.Errorf("reload: %w", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.position, r.identity, r.loaded = maps.Clone(heads), identity, true
	return nil
}

var errGap = errors.New("changes that weren't seen have been purged")

// follow hands over what lies between the position and the heads.
func (r *Reader) follow(ctx context.Context, heads map[int64]int64) error {
	for stream, head := range heads {
		for {
			r.mu.Lock()
			at := r.position[stream]
			r.mu.Unlock()
			if at >= head {
				break
			}
			changes, err := r.page(ctx, stream, at, head)
			if err != nil {
				return err
			}
			if len(changes) == 0 {
				return fmt.Errorf("stream %d after %d: %w", stream, at, errGap)
			}
			for _, c := range changes {
				if at++; c.Seq != at {
					return fmt.Errorf("stream %d after %d: %w", stream, at-1, errGap)
				}
				for _, fn := range r.handlers[c.Topic] {
					if err := fn(ctx, c); err != nil {
						return fmt.Errorf("topic %s, stream %d, change %d: %w", c.Topic, stream, c.Seq, err)
					}
				}
				r.mu.Lock()
				r.position[stream] = at
				r.mu.Unlock()
			}
		}
	}
	return nil
}

func (r *Reader) page(ctx context.Context, stream, after, head int64) (changes []Change, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	err = r.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) error {
		changes = changes[:0]
		rows, err := q.Query(ctx, `select seq, at, topic, payload from change
			where stream = $1 and seq > $2 and seq <= $3 order by seq limit $4`, stream, after, head, pageSize)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			c := Change{Stream: stream}
			if err := rows.Scan(&c.Seq, &c.At, &c.Topic, &c.Payload); err != nil {
				return err
			}
			changes = append(changes, c)
		}
		return rows.Err()
	})
	return changes, err
}
