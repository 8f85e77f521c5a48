package scan

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
)

// Filter narrows a list; its zero value is everything.
type Filter struct {
	From, To time.Time // From <= at < To
	Outcome  Outcome
}

// Page says which part of a list: a cursor of the page before, and how many.
type Page struct {
	Cursor string
	Limit  int // 1 to 200; 0 is 50
}

const (
	defaultLimit = 50
	maxLimit     = 200
)

// ByVerifier lists a verifier's own scans, newest first, and the cursor of the
// next page ("" on the last). A scan added meanwhile makes none skipped or
// doubled, because the cursor is a place in the order and not a count.
func (l *Log) ByVerifier(ctx context.Context, who code.Handle, f Filter, p Page) ([]Scan, string, error) {
	return l.list(ctx, "verifier", who, f, p)
}

// BySubject lists who looked at a person, newest first.
func (l *Log) BySubject(ctx context.Context, who code.Handle, f Filter, p Page) ([]Scan, string, error) {
	return l.list(ctx, "subject", who, f, p)
}

func (l *Log) list(ctx context.Context, column string, who code.Handle, f Filter, p Page) ([]Scan, string, error) {
	limit := p.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	if limit < 1 || limit > maxLimit {
		return nil, "", fault.New(fault.Invalid, "invalid_limit", "limit is 1 to %d", maxLimit)
	}
	sql := strings.Builder{}
	fmt.Fprintf(&sql, `select %s from scan where %s = $1`, columns, column)
	args := []any{int64(who)}
	add := func(clause string, vals ...any) {
		for _, v := range vals {
			args = append(args, v)
			clause = strings.Replace(clause, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		sql.WriteString(" and " + clause)
	}
	if !f.From.IsZero() {
		add("at >= ?", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		add("at < ?", f.To.UnixMilli())
	}
	if f.Outcome == NotValid {
		add("outcome in (?, ?)", string(RelationEnded), string(HolderSuspended))
	} else if f.Outcome != "" {
		add("outcome = ?", string(f.Outcome))
	}
	if p.Cursor != "" {
		at, id, err := readCursor(p.Cursor)
		if err != nil {
			return nil, "", err
		}
		add("(at, id) < (?, ?)", at, id)
	}
	args = append(args, int64(limit+1))
	fmt.Fprintf(&sql, " order by at desc, id desc limit $%d", len(args))

	var out []Scan
	err := l.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) error {
		out = nil
		rows, err := q.Query(ctx, sql.String(), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r row
			if err := rows.Scan(r.dest()...); err != nil {
				return err
			}
			out = append(out, r.scan())
		}
		return rows.Err()
	})
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(out) > limit {
		out = out[:limit]
		next = cursor(out[limit-1])
	}
	return out, next, nil
}

func cursor(s Scan) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(s.At.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(append(b, s.ID[:]...))
}

func readCursor(text string) (int64, []byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != 8+len(ID{}) {
		return 0, nil, fault.New(fault.Invalid, "invalid_cursor", "not a cursor of this list")
	}
	return int64(binary.BigEndian.Uint64(b)), b[8:], nil
}

// Get finds a scan by its id: NotFound "no_such_scan" otherwise.
func (l *Log) Get(ctx context.Context, id ID) (Scan, error) {
	var r row
	err := l.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) error {
		// The id carries its time, which finds the partition.
		return q.QueryRow(ctx, `select `+columns+` from scan where id = $1 and at = $2`, id[:], id.Time().UnixMilli()).Scan(r.dest()...)
	})
	if errors.Is(err, db.ErrNoRows) {
		return Scan{}, fault.New(fault.NotFound, "no_such_scan", "no scan with this id")
	}
	if err != nil {
		return Scan{}, err
	}
	return r.scan(), nil
}

// Counts says how many scans a verifier made in a time, by what they were told.
type Counts struct {
	Total       int64
	ByOutcome   map[string]int64 // as told to a verifier
	ByAdmission map[string]int64
	ByColor     map[string]int64 // of valid scans that showed one
}

// Count counts a verifier's scans with from <= at < to.
func (l *Log) Count(ctx context.Context, who code.Handle, from, to time.Time) (Counts, error) {
	c := Counts{ByOutcome: map[string]int64{}, ByAdmission: map[string]int64{}, ByColor: map[string]int64{}}
	err := l.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) error {
		rows, err := q.Query(ctx, `select outcome, admission, color, count(*) from scan
			where verifier = $1 and at >= $2 and at < $3 group by outcome, admission, color limit 1000`,
			int64(who), from.UnixMilli(), to.UnixMilli())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r row
			var n int64
			if err := rows.Scan(&r.outcome, &r.admission, &r.color, &n); err != nil {
				return err
			}
			s := r.scan()
			c.Total += n
			c.ByOutcome[string(s.Outcome.ForVerifier())] += n
			c.ByAdmission[r.admission] += n
			if s.Color != 0 {
				c.ByColor[s.Color.String()] += n
			}
		}
		return rows.Err()
	})
	return c, err
}
