package status

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/sm"
)

// row is a row of the table status, of one scheme.
type row struct {
	person     int64 // a handle; its high bit is the sign
	color      int64
	reason     int64
	since      int64 // Unix ms, whole seconds
	changesAt  int64 // 0 for null, as are those that follow
	nextColor  int64
	nextReason int64
	flags      int64
	updatedAt  int64
}

const columns = `person, color, reason, since, coalesce(changes_at, 0), coalesce(next_color, 0), coalesce(next_reason, 0), flags, updated_at`

func (r *row) scan(from db.Row) error {
	return from.Scan(&r.person, &r.color, &r.reason, &r.since, &r.changesAt, &r.nextColor, &r.nextReason, &r.flags, &r.updatedAt)
}

func (r row) entry(reasons map[int64]string) entry {
	e := entry{since: r.since / 1000, changesAt: r.changesAt / 1000}
	e.Color, e.Reason = Color(r.color), reasons[r.reason]
	e.Suspended, e.Deceased = r.flags&flagSuspended != 0, r.flags&flagDeceased != 0
	if e.changesAt != 0 {
		e.Next, e.NextReason = Color(r.nextColor), reasons[r.nextReason]
	}
	return e
}

// same tells whether two rows say the same.
func (r row) same(o row) bool {
	r.updatedAt = o.updatedAt
	return r == o
}

// reasonID is the number of a reason in its scheme: from its digest, so that two
// nodes that meet a new code at once give it one number without asking.
func reasonID(scheme, code string) int64 {
	sum := sm.SM3([]byte(scheme), []byte{0}, []byte(code))
	return int64(binary.BigEndian.Uint64(sum[:])>>1) | 1
}

func readReasons(ctx context.Context, q db.Querier) (map[int64]string, error) {
	// Imports may add at most maxNewReasons each; a city has some dozens.
	const most = 1_000_000
	rows, err := q.Query(ctx, `select id, code from status_reason where scheme = $1 limit $2`, Health, most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	reasons := make(map[int64]string)
	for rows.Next() {
		var id int64
		var c string
		if err := rows.Scan(&id, &c); err != nil {
			return nil, err
		}
		reasons[id] = c
	}
	return reasons, rows.Err()
}

func countPeople(ctx context.Context, q db.Querier) (n int64, err error) {
	err = q.QueryRow(ctx, `select count(*) from status where scheme = $1`, Health).Scan(&n)
	return n, err
}

func readPage(ctx context.Context, q db.Querier, after int64, limit int) ([]row, error) {
	rows, err := q.Query(ctx, `select `+columns+` from status where scheme = $1 and person > $2 order by person limit $3`, Health, after, limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, make([]row, 0, limit))
}

func collect(rows db.Rows, into []row) ([]row, error) {
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := r.scan(rows); err != nil {
			return nil, err
		}
		into = append(into, r)
	}
	return into, rows.Err()
}

// readOne gives ErrNoRows for a stranger.
func readOne(ctx context.Context, q db.Querier, h code.Handle) (entry, error) {
	var r row
	err := r.scan(q.QueryRow(ctx, `select `+columns+` from status where person = $1 and scheme = $2`, int64(h), Health))
	if err != nil {
		return entry{}, err
	}
	reasons := map[int64]string{r.reason: "", r.nextReason: ""}
	for id := range reasons {
		if id == 0 {
			continue
		}
		var c string
		if err := q.QueryRow(ctx, `select code from status_reason where scheme = $1 and id = $2`, Health, id).Scan(&c); err != nil {
			return entry{}, fmt.Errorf("reason %d: %w", id, err)
		}
		reasons[id] = c
	}
	return r.entry(reasons), nil
}

// pieces cuts a list into pieces whose lengths are powers of two, so that there
// are ten texts of a statement to prepare and not a thousand.
func pieces[T any](list []T, most int, each func([]T) error) error {
	for size := most; size > 0; size /= 2 {
		for len(list) >= size {
			if err := each(list[:size]); err != nil {
				return err
			}
			list = list[size:]
		}
	}
	return nil
}

// placeholders is "($from, …)" for count values.
func placeholders(from, count int) string {
	var b strings.Builder
	for i := range count {
		b.WriteByte("(,"[min(i, 1)])
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(from + i))
	}
	b.WriteByte(')')
	return b.String()
}

// readMany reads the rows of the people in one scheme; who has none is left out.
func readMany(ctx context.Context, q db.Querier, scheme string, people []int64) ([]row, error) {
	out := make([]row, 0, len(people))
	err := pieces(people, 256, func(some []int64) error {
		args := make([]any, 0, 1+len(some))
		args = append(args, scheme)
		for _, p := range some {
			args = append(args, p)
		}
		rows, err := q.Query(ctx, `select `+columns+` from status where scheme = $1 and person in `+placeholders(2, len(some)), args...)
		if err != nil {
			return err
		}
		out, err = collect(rows, out)
		return err
	})
	return out, err
}

// write upserts rows; each person may be among them once.
func write(ctx context.Context, q db.Querier, scheme string, rows []row) error {
	null := func(v int64) any {
		if v == 0 {
			return nil
		}
		return v
	}
	return pieces(rows, 256, func(some []row) error {
		args := make([]any, 0, 10*len(some))
		var values strings.Builder
		for i, r := range some {
			if i > 0 {
				values.WriteByte(',')
			}
			values.WriteString(placeholders(10*i+1, 10))
			args = append(args, r.person, scheme, r.color, r.reason, r.since, null(r.changesAt), null(r.nextColor), null(r.nextReason), r.flags, r.updatedAt)
		}
		_, err := q.Exec(ctx, `insert into status (person, scheme, color, reason, since, changes_at, next_color, next_reason, flags, updated_at)
			values `+values.String()+` on conflict (person, scheme) do update set
			color = excluded.color, reason = excluded.reason, since = excluded.since, changes_at = excluded.changes_at,
			next_color = excluded.next_color, next_reason = excluded.next_reason, flags = excluded.flags, updated_at = excluded.updated_at`, args...)
		return err
	})
}

// writeReasons makes sure that the codes are in the dictionary.
func writeReasons(ctx context.Context, q db.Querier, scheme string, codes map[string]int64) (added int, err error) {
	for c, id := range codes {
		var found string
		err := q.QueryRow(ctx, `select code from status_reason where scheme = $1 and id = $2`, scheme, id).Scan(&found)
		switch {
		case err == nil && found == c:
			continue
		case err == nil:
			return added, fmt.Errorf("reasons %q and %q have one number", found, c)
		case !isNoRows(err):
			return added, err
		}
		if _, err := q.Exec(ctx, `insert into status_reason (scheme, id, code) values ($1, $2, $3)
			on conflict (scheme, id) do update set code = excluded.code`, scheme, id, c); err != nil {
			return added, err
		}
		added++
	}
	return added, nil
}
