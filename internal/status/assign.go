package status

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
)

// Assignment gives a person a colour. A person's being suspended or deceased is
// not its business, and stays.
type Assignment struct {
	Person     code.Handle
	Scheme     string // "" is Health
	Color      Color
	ReasonCode string
	Since      time.Time // zero: when the colour began if it stays, else now

	// The change that is already known to come; zero ChangesAt = none.
	ChangesAt      time.Time
	NextColor      Color
	NextReasonCode string
}

// MaxBatch is how many people one change row names, and one transaction should
// write.
const MaxBatch = 1000

var reasonForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// ValidReason tells whether a text can be the code of a reason: a lower-case
// letter, then letters, digits and underscores, 64 in all.
func ValidReason(s string) bool { return reasonForm.MatchString(s) }

func (a Assignment) check() error {
	switch {
	case a.Person == 0:
		return fault.New(fault.Invalid, "no_person", "an assignment to nobody")
	case a.Color < Green || a.Color > Red:
		return fault.New(fault.Invalid, "invalid_color", "want green, yellow or red")
	case !ValidReason(a.ReasonCode):
		return fault.New(fault.Invalid, "invalid_reason_code", "want lower-case letters, digits and underscores")
	case a.ChangesAt.IsZero():
		return nil
	case a.NextColor < Green || a.NextColor > Red || !ValidReason(a.NextReasonCode):
		return fault.New(fault.Invalid, "invalid_change", "the colour or reason to come is missing")
	}
	return nil
}

// Set gives people their statuses and announces those that differ from what
// they had. Of two assignments to one person the later counts.
func (s *Store) Set(ctx context.Context, tx *commit.Tx, list []Assignment) error {
	_, _, err := s.set(ctx, tx, list)
	return err
}

// set is Set; it tells for each assignment whether it changed anything, and how
// many reasons were new.
func (s *Store) set(ctx context.Context, tx *commit.Tx, list []Assignment) (changed []bool, newReasons int, err error) {
	changed = make([]bool, len(list))
	bySchemes := make(map[string][]int)
	for i, a := range list {
		if err := a.check(); err != nil {
			return nil, 0, err
		}
		scheme := a.Scheme
		if scheme == "" {
			scheme = Health
		}
		bySchemes[scheme] = append(bySchemes[scheme], i)
	}
	var touched []int64
	for scheme, at := range bySchemes {
		rows, n, err := s.compare(ctx, tx, scheme, list, at, changed)
		if err != nil {
			return nil, 0, fmt.Errorf("set statuses: %w", err)
		}
		newReasons += n
		if err := write(ctx, tx, scheme, rows); err != nil {
			return nil, 0, fmt.Errorf("set statuses: %w", err)
		}
		if scheme == Health {
			for _, r := range rows {
				touched = append(touched, r.person)
			}
		}
	}
	announce(tx, touched)
	return changed, newReasons, nil
}

// compare returns the rows to be written for the assignments list[at].
func (s *Store) compare(ctx context.Context, q db.Querier, scheme string, list []Assignment, at []int, changed []bool) ([]row, int, error) {
	now := s.cfg.Now()
	codes := make(map[string]int64)
	people := make([]int64, 0, len(at))
	for _, i := range at {
		people = append(people, int64(list[i].Person))
		codes[list[i].ReasonCode] = reasonID(scheme, list[i].ReasonCode)
		if !list[i].ChangesAt.IsZero() {
			codes[list[i].NextReasonCode] = reasonID(scheme, list[i].NextReasonCode)
		}
	}
	newReasons, err := writeReasons(ctx, q, scheme, codes)
	if err != nil {
		return nil, 0, err
	}
	before, err := readMany(ctx, q, scheme, people)
	if err != nil {
		return nil, 0, err
	}
	present := make(map[int64]row, len(before))
	for _, r := range before {
		present[r.person] = r
	}
	written := make(map[int64]int)
	var rows []row
	for _, i := range at {
		old, known := present[int64(list[i].Person)]
		r := list[i].row(old, known, now, codes)
		if known && r.same(old) {
			continue
		}
		changed[i] = true
		present[r.person] = r
		if k, again := written[r.person]; again {
			rows[k] = r
			continue
		}
		written[r.person] = len(rows)
		rows = append(rows, r)
	}
	return rows, newReasons, nil
}

// row is what the assignment makes of the row before it.
func (a Assignment) row(old row, known bool, now time.Time, ids map[string]int64) row {
	since := a.Since
	if since.IsZero() {
		since = now
		if present := old.due(now); known && Color(present.color) == a.Color {
			since = time.UnixMilli(present.since)
		}
	}
	r := row{
		person: int64(a.Person), color: int64(a.Color), reason: ids[a.ReasonCode],
		since: since.Unix() * 1000, flags: old.flags, updatedAt: now.UnixMilli(),
	}
	if !a.ChangesAt.IsZero() {
		// The second after a fraction: no colour may end early.
		r.changesAt = a.ChangesAt.Add(time.Second-time.Nanosecond).Unix() * 1000
		r.nextColor, r.nextReason = int64(a.NextColor), ids[a.NextReasonCode]
	}
	return r
}

// due is the row with the change applied that has come due.
func (r row) due(now time.Time) row {
	if r.changesAt == 0 || now.UnixMilli() < r.changesAt {
		return r
	}
	if r.nextColor != r.color {
		r.since = r.changesAt
	}
	r.color, r.reason = r.nextColor, r.nextReason
	r.changesAt, r.nextColor, r.nextReason = 0, 0, 0
	return r
}

// Create gives people who have no status the default. Whoever has one keeps it.
func (s *Store) Create(ctx context.Context, tx *commit.Tx, people []code.Handle) error {
	now := s.cfg.Now()
	ids := make([]int64, len(people))
	for i, p := range people {
		ids[i] = int64(p)
	}
	reason := reasonID(Health, DefaultReason)
	if _, err := writeReasons(ctx, tx, Health, map[string]int64{DefaultReason: reason}); err != nil {
		return fmt.Errorf("create statuses: %w", err)
	}
	have, err := readMany(ctx, tx, Health, ids)
	if err != nil {
		return fmt.Errorf("create statuses: %w", err)
	}
	skip := make(map[int64]bool, len(have))
	for _, r := range have {
		skip[r.person] = true
	}
	var rows []row
	var made []int64
	for _, id := range ids {
		if skip[id] || id == 0 {
			continue
		}
		skip[id] = true
		rows = append(rows, row{person: id, color: int64(DefaultColor), reason: reason, since: now.Unix() * 1000, updatedAt: now.UnixMilli()})
		made = append(made, id)
	}
	if err := write(ctx, tx, Health, rows); err != nil {
		return fmt.Errorf("create statuses: %w", err)
	}
	announce(tx, made)
	return nil
}

// SetFlags says whether a person is suspended or deceased, in every scheme.
func (s *Store) SetFlags(ctx context.Context, tx *commit.Tx, h code.Handle, suspended, deceased bool) error {
	var flags int64
	if suspended {
		flags |= flagSuspended
	}
	if deceased {
		flags |= flagDeceased
	}
	n, err := tx.Exec(ctx, `update status set flags = $2, updated_at = $3 where person = $1`, int64(h), flags, s.cfg.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("set flags: %w", err)
	}
	if n == 0 {
		return fault.New(fault.NotFound, "unknown_person", "nobody with this handle has a status")
	}
	announce(tx, []int64{int64(h)})
	return nil
}

// payloadVersion is the first byte of a change; 8 bytes a handle follow.
const payloadVersion = 1

func announce(tx *commit.Tx, people []int64) {
	for len(people) > 0 {
		n := min(len(people), MaxBatch)
		payload := make([]byte, 1, 1+8*n)
		payload[0] = payloadVersion
		for _, p := range people[:n] {
			payload = binary.BigEndian.AppendUint64(payload, uint64(p))
		}
		tx.Change(topic, payload)
		people = people[n:]
	}
}

func parsePayload(b []byte) ([]int64, error) {
	if len(b) == 0 || b[0] != payloadVersion || len(b)%8 != 1 {
		return nil, errors.New("a change of another version")
	}
	people := make([]int64, 0, len(b)/8)
	for b = b[1:]; len(b) > 0; b = b[8:] {
		people = append(people, int64(binary.BigEndian.Uint64(b)))
	}
	return people, nil
}

func isNoRows(err error) bool { return errors.Is(err, db.ErrNoRows) }
