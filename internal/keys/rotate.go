package keys

import (
	"context"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
)

// Ahead destroys what is due and makes what the schedule wants, in every ring:
// live and session generations for each local midnight of the next 4 days, the
// audit key of the new year, and the first of each. It is called at start and
// by a job once an hour, with q in a serialisable transaction. It tells how many it
// made; after the commit every node has to Reload.
func (k *Keeper) Ahead(ctx context.Context, q db.Querier) (made int, err error) {
	now := k.now()
	for _, name := range rings() {
		l, err := readLedger(ctx, q, name)
		if err != nil {
			return 0, err
		}
		l.destroyDue(now)
		n, err := l.extend(k.file, now, k.zone)
		if err != nil {
			return 0, err
		}
		l.succeed()
		if err := l.save(ctx, q); err != nil {
			return 0, err
		}
		made += n
	}
	return made, nil
}

// Rotate makes a new generation that seals from 10 s ahead on, when every node
// has read it. The scheduled ones stay as they are.
//
// Compromised: the new generation seals at once, and every other of the ring is
// retired at once and opens nothing any more, those made ahead and archived
// included; they are replaced. A verifier then calls codes under them unknown,
// and whoever was signed in signs in again. The ring Row only stops sealing
// with them, because rows lie under them.
//
// It only writes, with q in a serialisable transaction; the caller records the
// act in the same transaction and tells the nodes. Its errors are fault
// Conflict "generation_collision" and "ring_not_rotated", and Invalid
// "unknown_ring".
func (k *Keeper) Rotate(ctx context.Context, r Ring, compromised bool, q db.Querier) (Generation, error) {
	p := r.policy()
	switch {
	case !p.known():
		return Generation{}, fault.New(fault.Invalid, "unknown_ring", "no such key ring")
	case p.once:
		return Generation{}, fault.New(fault.Conflict, "ring_not_rotated", "ring %s has one generation: rows are found by digests under it", r)
	}
	now := k.now()
	l, err := readLedger(ctx, q, r)
	if err != nil {
		return Generation{}, err
	}
	l.destroyDue(now)
	begin := now.Add(notice)
	if compromised {
		l.compromise(now)
		begin = now
	}
	made, err := l.add(k.file, begin, now)
	if err != nil {
		return Generation{}, err
	}
	if _, err := l.extend(k.file, now, k.zone); err != nil {
		return Generation{}, err
	}
	l.succeed()
	if err := l.save(ctx, q); err != nil {
		return Generation{}, err
	}
	g, err := made.open(k.file)
	if err != nil {
		return Generation{}, err
	}
	return *g, nil
}
