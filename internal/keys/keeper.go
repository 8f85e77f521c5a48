package keys

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/sm"
)

// Config says where the keys are. Now, Zone and Log may be left out.
type Config struct {
	DB   *db.DB // the main store, migrated
	File *File
	Now  func() time.Time
	Zone *time.Location // whose midnights rotate; nil: UTC+8
	Log  *slog.Logger   // nil: discarded
}

// Keeper holds every ring in memory. It is safe for concurrent use.
type Keeper struct {
	db   *db.DB
	file *File
	now  func() time.Time
	zone *time.Location
	log  *slog.Logger

	held atomic.Pointer[held]
}

// held is all generations at one reading; it is replaced, never changed.
type held struct {
	rings map[Ring]*ring
	index *sm.HMAC
}

type ring struct {
	all []*Generation    // all of which a key is left, in the order in which they begin
	seq []*Generation    // of these, those that take part in the succession
	low [256]*Generation // by low byte, those that may still open
	num map[uint32]*Generation
}

// Open checks that the key file is the database's (fault Conflict
// "key_file_wrong" otherwise), makes what generations are due, and reads all.
// An empty database takes the key file as its own. The store must be migrated.
func Open(ctx context.Context, c Config) (*Keeper, error) {
	k := &Keeper{db: c.DB, file: c.File, now: c.Now, zone: c.Zone, log: c.Log}
	if k.now == nil {
		k.now = time.Now
	}
	if k.zone == nil {
		k.zone = time.FixedZone("UTC+8", 8*60*60)
	}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	if err := k.start(ctx); err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	if err := k.Reload(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// start runs the first transaction. Another process that starts at the same
// moment may have inserted first: then its rows are there to be read.
func (k *Keeper) start(ctx context.Context) error {
	const tries = 5
	for try := 1; ; try++ {
		err := k.db.Tx(ctx, func(ctx context.Context, q db.Querier) error {
			if err := k.checkCustody(ctx, q); err != nil {
				return err
			}
			_, err := k.Ahead(ctx, q)
			return err
		})
		if !db.IsUnique(err) || try == tries {
			return err
		}
	}
}

func (k *Keeper) checkCustody(ctx context.Context, q db.Querier) error {
	id, err := custody(ctx, q)
	if err != nil {
		return fmt.Errorf("read key custody: %w", err)
	}
	switch id {
	case k.file.ID():
		return nil
	case "":
		rows, err := readRows(ctx, q, "")
		if err != nil {
			return fmt.Errorf("read generations: %w", err)
		}
		if len(rows) > 0 {
			return fault.New(fault.Conflict, "key_file_wrong", "this database has keys but doesn't say under which key file: its table key_custody was emptied")
		}
		return takeCustody(ctx, q, k.file.ID(), k.now().UnixMilli())
	}
	return fault.New(fault.Conflict, "key_file_wrong",
		"the keys in this database are sealed under key file %s, but the key file given is %s: give the one that belongs to this database", id, k.file.ID())
}

// Reload reads all generations again: when another node made or rotated some,
// and every minute in case word of that was lost. On an error the keys in
// memory stay as they were.
func (k *Keeper) Reload(ctx context.Context) error {
	var rows []*row
	err := k.db.Read(ctx, func(ctx context.Context, q db.Querier) (err error) {
		rows, err = readRows(ctx, q, "")
		return err
	})
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	h := &held{rings: map[Ring]*ring{}}
	for _, name := range rings() {
		h.rings[name] = &ring{num: map[uint32]*Generation{}}
	}
	for _, r := range rows {
		in := h.rings[r.ring]
		if in == nil {
			continue // a ring of a newer version of citycode
		}
		g, err := r.open(k.file)
		if err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		in.hold(g, r.sealed != nil)
		if r.ring == Index {
			h.index = g.index
		}
	}
	if h.index == nil {
		return fault.New(fault.Invalid, "key_damaged", "the index key is gone from the database: look-ups by document number can't work without it")
	}
	k.tell(k.held.Swap(h), h)
	return nil
}

// tell logs, for whoever runs the city, which rings have new generations.
func (k *Keeper) tell(old, held *held) {
	for _, name := range rings() {
		in := held.rings[name]
		if len(in.seq) == 0 || (old != nil && slices.EqualFunc(old.rings[name].seq, in.seq, func(a, b *Generation) bool { return a.Number == b.Number })) {
			continue
		}
		last := in.seq[len(in.seq)-1]
		k.log.Debug("key generations read", "ring", name, "held", len(in.all), "last", last.Number, "last_begins", last.NotBefore)
	}
}

// hold takes in a generation; they come in the order in which they begin.
func (r *ring) hold(g *Generation, usable bool) {
	r.all = append(r.all, g)
	r.num[g.Number] = g
	if !usable {
		return
	}
	r.low[g.Low()] = g
	if !g.Compromised {
		r.seq = append(r.seq, g)
	}
}

// Sealing returns the ring's newest generation that has begun; memory only.
// When none has, because this node's clock lags behind the one that made them,
// the first to begin is taken. The error is fault Unavailable "no_key".
func (k *Keeper) Sealing(r Ring) (*Generation, error) {
	in := k.held.Load().rings[r]
	if in == nil || len(in.seq) == 0 {
		return nil, fault.New(fault.Unavailable, "no_key", "ring %s has no generation to seal with", r)
	}
	now := k.now()
	for i := len(in.seq) - 1; i > 0; i-- {
		if !now.Before(in.seq[i].NotBefore) {
			return in.seq[i], nil
		}
	}
	return in.seq[0], nil
}

// Opening returns the generation of the ring with that low byte and what it may
// do now; nil and Unknown when none may open anything. Memory only. Archived
// ones are for batch uploads of what was scanned in their time, nothing else.
func (k *Keeper) Opening(r Ring, low uint8) (*Generation, State) {
	in := k.held.Load().rings[r]
	if in == nil {
		return nil, Unknown
	}
	g := in.low[low]
	if g == nil {
		return nil, Unknown
	}
	state := g.State(k.now())
	if state == Unknown {
		return nil, Unknown
	}
	return g, state
}

// Lookup returns HMAC-SM3(index key, label ‖ 0 ‖ part ‖ 0 ‖ part…), 32 bytes:
// what a row is found by when what it is about is sealed. The label says what
// for, so that digests of two purposes tell nothing about each other. Neither
// the label nor any part but the last may contain a zero byte.
func (k *Keeper) Lookup(label string, parts ...string) []byte {
	n := len(label)
	for _, p := range parts {
		n += 1 + len(p)
	}
	msg := append(make([]byte, 0, n), label...)
	for _, p := range parts {
		msg = append(msg, 0)
		msg = append(msg, p...)
	}
	sum := k.held.Load().index.Sum(msg)
	return sum[:]
}

// AuditPublic returns the public key of that generation of the ring Audit. Only
// the holder of the key file can have written it. Memory only; kept for ever.
func (k *Keeper) AuditPublic(number uint32) (sm.VerifyKey, bool) {
	g, ok := k.held.Load().rings[Audit].num[number]
	if !ok {
		return sm.VerifyKey{}, false
	}
	return g.public, true
}

// Generations lists the ring's generations of which a key is left, in the order
// in which they begin: those made ahead, the archived and, for the ring Audit,
// the destroyed and the compromised. Memory only.
func (k *Keeper) Generations(r Ring) []Generation {
	in := k.held.Load().rings[r]
	if in == nil {
		return nil
	}
	list := make([]Generation, len(in.all))
	for i, g := range in.all {
		list[i] = *g
	}
	return list
}

// Horizon returns when the last generation made ahead begins: with live at
// least 3 days away, unless nobody could reach the database for a day.
func (k *Keeper) Horizon(r Ring) time.Time {
	in := k.held.Load().rings[r]
	if in == nil || len(in.seq) == 0 {
		return time.Time{}
	}
	return in.seq[len(in.seq)-1].NotBefore
}
