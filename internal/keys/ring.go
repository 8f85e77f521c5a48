package keys

import (
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/sm"
)

// Ring names a purpose. No key serves two.
type Ring string

// The rings.
const (
	Live    Ring = "live"    // live codes
	Session Ring = "session" // session tokens
	Audit   Ring = "audit"   // signatures of audit checkpoints
	Row     Ring = "row"     // rows that belong to no person
	Index   Ring = "index"   // keyed look-ups; one generation
)

// rings lists all, in the order in which they are made and read.
func rings() []Ring { return []Ring{Live, Session, Audit, Row, Index} }

// State says what a generation may still do.
type State uint8

// The states. The zero State is Unknown: not held, not made, or destroyed.
const (
	Unknown  State = iota
	Active         // seals, or will; opens
	Retired        // a newer one seals; still opens
	Archived       // opens batch uploads only
)

// String returns "unknown", "active", "retired" or "archived".
func (s State) String() string {
	return [...]string{"unknown", "active", "retired", "archived"}[s]
}

// ahead is how long before it begins a scheduled generation is made at the
// latest; coverage adds the day that a yearly or daily job may be away.
const (
	ahead    = 3 * 24 * time.Hour
	coverage = ahead + 24*time.Hour
)

// notice is how far ahead an ordinary rotation begins: the change feed reaches
// every node within 2 s.
const notice = 10 * time.Second

// minLead keeps a late job from making a generation that begins before every
// node has read it; nodes read all again every minute.
const minLead = 2 * time.Minute

// policy is what sets a ring apart.
type policy struct {
	keySize int
	next    func(t time.Time) time.Time // the next scheduled beginning after t, in t's zone; nil: none
	opens   time.Duration               // how long a retired generation opens
	archive time.Duration               // how long it is kept for batches after that
	keep    bool                        // never destroyed: data lies under it
	once    bool                        // one generation, never rotated
}

func (r Ring) policy() policy {
	switch r {
	case Live:
		return policy{keySize: code.LiveKeySize, next: nextMidnight, opens: 2 * code.LiveLifetime, archive: 7 * 24 * time.Hour}
	case Session:
		return policy{keySize: sm.KeySize, next: nextMidnight, opens: 24 * time.Hour}
	case Audit:
		// A checkpoint that was begun before the turn of the year is signed with
		// the old key; a day is plenty.
		return policy{keySize: sm.SigningKeySize, next: nextNewYear, opens: 24 * time.Hour}
	case Row:
		return policy{keySize: sm.KeySize, keep: true}
	case Index:
		return policy{keySize: 32, keep: true, once: true}
	}
	return policy{}
}

func (p policy) known() bool { return p.keySize != 0 }

// nextMidnight returns the first local midnight after t. Where a clock change
// skips midnight, Date may answer an hour before it: hence the loop.
func nextMidnight(t time.Time) time.Time {
	y, m, d := t.Date()
	for {
		d++
		if b := time.Date(y, m, d, 0, 0, 0, 0, t.Location()); b.After(t) {
			return b
		}
	}
}

func nextNewYear(t time.Time) time.Time {
	return time.Date(t.Year()+1, 1, 1, 0, 0, 0, 0, t.Location())
}
