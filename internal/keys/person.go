package keys

import (
	"context"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/sm"
)

// maxIDs is how many people one statement names: SQLite takes 32,766 arguments,
// and a transaction should stay at about 1,000 rows.
const maxIDs = 1000

// PersonKeys keeps one data key for each person, sealed under the key file's
// key. What is sealed under a person's key is gone when the key is: that is how
// a person is erased from the database and, when the last backup of this small
// store dies, from every backup of the data. It is safe for concurrent use.
type PersonKeys struct {
	db   *db.DB
	file *File
	now  func() time.Time
}

// OpenPersonKeys takes the store db.PersonKeys, migrated, and the key file that
// Open has checked.
func OpenPersonKeys(d *db.DB, f *File) *PersonKeys {
	return &PersonKeys{db: d, file: f, now: time.Now}
}

// Sealer seals and opens what belongs to one person. It is safe for concurrent
// use; the zero Sealer is of no use.
type Sealer struct {
	person int64
	aead   cipher.AEAD
}

// Seal seals under the person's key, bound to the person and to the label,
// which says what it is ("name", "photo"): sealed values can't be swapped
// between people or fields. The result is 28 bytes longer than plain.
func (s Sealer) Seal(label string, plain []byte) ([]byte, error) {
	return sm.Seal(s.aead, s.aad(label), plain)
}

// Open returns what Seal was given; sm.ErrSealed when it was changed, or sealed
// for someone or something else.
func (s Sealer) Open(label string, sealed []byte) ([]byte, error) {
	return sm.Open(s.aead, s.aad(label), sealed)
}

func (s Sealer) aad(label string) []byte {
	b := binary.BigEndian.AppendUint64([]byte("citycode person data\x00"), uint64(s.person))
	return append(b, label...)
}

func personAAD(id int64) []byte {
	return binary.BigEndian.AppendUint64([]byte("citycode person key\x00"), uint64(id))
}

// Create makes sure that every id has a key; one that exists is kept. It is
// durable when it returns, and is called before anything is sealed for them.
func (p *PersonKeys) Create(ctx context.Context, ids []int64) error {
	for len(ids) > 0 {
		n := min(len(ids), maxIDs)
		if err := p.create(ctx, ids[:n]); err != nil {
			return fmt.Errorf("make keys of %d people: %w", n, err)
		}
		ids = ids[n:]
	}
	return nil
}

func (p *PersonKeys) create(ctx context.Context, ids []int64) error {
	args := make([]any, 0, 3*len(ids))
	seen := make(map[int64]bool, len(ids)) // an upsert may meet a row only once
	var values strings.Builder
	key := make([]byte, sm.KeySize)
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		if err := random(key); err != nil {
			return err
		}
		sealed, err := sm.Seal(p.file.aead, personAAD(id), key)
		if err != nil {
			return err
		}
		if len(args) > 0 {
			values.WriteByte(',')
		}
		placeholders(&values, len(args), 3)
		args = append(args, id, sealed, p.now().UnixMilli())
	}
	// A repeat must write, even though it changes nothing: an acknowledged "do
	// nothing" can be lost with the row it relied on when a standby takes over.
	query := `insert into person_key (person, sealed, made_at) values ` + values.String() + `
		on conflict (person) do update set sealed = person_key.sealed`
	return p.db.Append(ctx, func(ctx context.Context, q db.Querier) error {
		_, err := q.Exec(ctx, query, args...)
		return err
	})
}

// placeholders writes "($1,$2,…)" with n numbers from done+1 on.
func placeholders(b *strings.Builder, done, n int) {
	for i := range n {
		b.WriteByte("(,"[min(i, 1)])
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(done + i + 1))
	}
	b.WriteByte(')')
}

// Sealer returns the person's; fault NotFound "person_key_missing" when there
// is no key: never made, or erased.
func (p *PersonKeys) Sealer(ctx context.Context, id int64) (Sealer, error) {
	var sealed []byte
	err := p.db.Read(ctx, func(ctx context.Context, q db.Querier) error {
		return q.QueryRow(ctx, `select sealed from person_key where person = $1`, id).Scan(&sealed)
	})
	if errors.Is(err, db.ErrNoRows) {
		return Sealer{}, fault.New(fault.NotFound, "person_key_missing", "a person without a data key")
	}
	if err != nil {
		return Sealer{}, fmt.Errorf("read a person's key: %w", err)
	}
	return p.open(id, sealed)
}

// Sealers returns those of the people who have a key; the others are left out.
func (p *PersonKeys) Sealers(ctx context.Context, ids []int64) (map[int64]Sealer, error) {
	all := make(map[int64]Sealer, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), maxIDs)
		if err := p.read(ctx, ids[:n], all); err != nil {
			return nil, fmt.Errorf("read keys of %d people: %w", n, err)
		}
		ids = ids[n:]
	}
	return all, nil
}

func (p *PersonKeys) read(ctx context.Context, ids []int64, into map[int64]Sealer) error {
	var in strings.Builder
	placeholders(&in, 0, len(ids))
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return p.db.Read(ctx, func(ctx context.Context, q db.Querier) error {
		rows, err := q.Query(ctx, `select person, sealed from person_key where person in `+in.String(), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			var sealed []byte
			if err := rows.Scan(&id, &sealed); err != nil {
				return err
			}
			if into[id], err = p.open(id, sealed); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func (p *PersonKeys) open(id int64, sealed []byte) (Sealer, error) {
	key, err := sm.Open(p.file.aead, personAAD(id), sealed)
	if err != nil {
		return Sealer{}, fault.Wrap(fault.Invalid, "key_damaged", err, "a person's data key doesn't open with key file %s", p.file.ID())
	}
	aead, err := sm.NewGCM(key)
	if err != nil {
		return Sealer{}, fmt.Errorf("a person's data key: %w", err)
	}
	return Sealer{person: id, aead: aead}, nil
}

// Delete destroys the person's key in the caller's transaction on the person
// key store; with q nil in one of its own. A person without a key is no error:
// erasure may be repeated.
func (p *PersonKeys) Delete(ctx context.Context, q db.Querier, id int64) error {
	if q == nil {
		return p.db.Tx(ctx, func(ctx context.Context, q db.Querier) error { return p.Delete(ctx, q, id) })
	}
	if _, err := q.Exec(ctx, `delete from person_key where person = $1`, id); err != nil {
		return fmt.Errorf("delete a person's key: %w", err)
	}
	return nil
}
