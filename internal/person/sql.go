package person

import (
	"context"
	"strconv"
	"strings"

	"github.com/citycode/citycode/internal/db"
)

// row is a row of the table person.
type row struct {
	id           int64 // a handle; its high bit is the sign
	documentKind string
	sealed       []byte
	content      []byte // contentSize bytes; see digests
	birthYear    int64  // 0 = unknown
	district     string
	at           int64 // Unix ms: created when it is new, updated in any case
}

// pieces cuts a list into pieces whose lengths are powers of two, so that there
// are nine texts of a statement to prepare and not a thousand.
func pieces[T any](list []T, each func([]T) error) error {
	for size := 256; size > 0; size /= 2 {
		for len(list) >= size {
			if err := each(list[:size]); err != nil {
				return err
			}
			list = list[size:]
		}
	}
	return nil
}

// tuples is "($1,$2),($3,$4)…": rows of so many values.
func tuples(rows, values int) string {
	var b strings.Builder
	for i := range rows * values {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%values == 0:
			b.WriteString("),(")
		default:
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteByte(')')
	return b.String()
}

// readIndex returns who is found by the digests.
func readIndex(ctx context.Context, q db.Querier, digests [][]byte) (map[[32]byte]ID, error) {
	found := make(map[[32]byte]ID, len(digests))
	err := pieces(digests, func(some [][]byte) error {
		args := make([]any, len(some))
		for i, d := range some {
			args[i] = d
		}
		rows, err := q.Query(ctx, `select digest, person from person_index where digest in `+tuples(1, len(some)), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var digest []byte
			var id int64
			if err := rows.Scan(&digest, &id); err != nil {
				return err
			}
			found[[32]byte(digest)] = ID(id)
		}
		return rows.Err()
	})
	return found, err
}

// readPeople returns the rows of those of the people who are there: id, sealed
// and content.
func readPeople(ctx context.Context, q db.Querier, ids []int64) ([]row, error) {
	out := make([]row, 0, len(ids))
	err := pieces(ids, func(some []int64) error {
		args := make([]any, len(some))
		for i, id := range some {
			args[i] = id
		}
		rows, err := q.Query(ctx, `select id, sealed, content from person where id in `+tuples(1, len(some)), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r row
			if err := rows.Scan(&r.id, &r.sealed, &r.content); err != nil {
				return err
			}
			out = append(out, r)
		}
		return rows.Err()
	})
	return out, err
}

// writePeople upserts; a person who is there keeps state and creation.
func writePeople(ctx context.Context, q db.Querier, people []row) error {
	return pieces(people, func(some []row) error {
		args := make([]any, 0, 9*len(some))
		for _, r := range some {
			var year any
			if r.birthYear != 0 {
				year = r.birthYear
			}
			args = append(args, r.id, string(Active), r.documentKind, r.sealed, r.content, year, r.district, r.at, r.at)
		}
		_, err := q.Exec(ctx, `insert into person (id, state, document_kind, sealed, content, birth_year, district, created_at, updated_at)
			values `+tuples(len(some), 9)+` on conflict (id) do update set sealed = excluded.sealed, content = excluded.content,
			birth_year = excluded.birth_year, district = excluded.district, updated_at = excluded.updated_at`, args...)
		return err
	})
}

// link is a row of person_index.
type link struct {
	digest []byte
	id     int64
}

func writeIndex(ctx context.Context, q db.Querier, links []link) error {
	return pieces(links, func(some []link) error {
		args := make([]any, 0, 2*len(some))
		for _, l := range some {
			args = append(args, l.digest, l.id)
		}
		// No upsert: a document that somebody else bears is a mistake to stop at.
		_, err := q.Exec(ctx, `insert into person_index (digest, person) values `+tuples(len(some), 2), args...)
		return err
	})
}

func writePhoto(ctx context.Context, q db.Querier, id int64, sealed []byte, at int64) error {
	_, err := q.Exec(ctx, `insert into person_photo (person, sealed, updated_at) values ($1, $2, $3)
		on conflict (person) do update set sealed = excluded.sealed, updated_at = excluded.updated_at`, id, sealed, at)
	return err
}
