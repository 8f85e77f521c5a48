package person

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/intake"
	"github.com/citycode/citycode/internal/keys"
)

// Put brings people in, in transactions of at most 1,000, and returns their
// handles. Whoever is new gets the default status. Of two records with one
// document the later counts. On an error those of the transactions before are
// in; the same call again is harmless.
func (s *Store) Put(ctx context.Context, people []Record) ([]code.Handle, error) {
	ids := make([]code.Handle, 0, len(people))
	for start := 0; start < len(people); {
		n, weight := 0, 0
		for ; n < intake.MaxRows && start+n < len(people) && weight < intake.MaxBytes; n++ {
			weight += len(people[start+n].Photo)
		}
		records := make([]incoming, n)
		for i, p := range people[start : start+n] {
			if err := p.check(); err != nil {
				return ids, fmt.Errorf("person %d: %w", start+i, err)
			}
			records[i] = incoming{Record: p}
		}
		err := s.put(ctx, records, func(context.Context, *commit.Tx) error { return nil })
		if err != nil {
			return ids, fmt.Errorf("put people: %w", err)
		}
		for _, r := range records {
			ids = append(ids, r.id)
		}
		start += n
	}
	return ids, nil
}

// incoming is a Record on its way, and what becomes of it.
type incoming struct {
	Record
	keepPhone, keepBirthDate bool // the file has no such column

	id      ID
	outcome intake.Outcome
}

// contentSize is the size of person.content: a keyed digest of the record, and
// one of the photo (zero without).
const contentSize = 64

func (s *Store) content(n Record, photoBefore []byte) []byte {
	c := make([]byte, 0, contentSize)
	c = append(c, s.cfg.Keys.Lookup("person-content", string(n.Document.Kind), n.Document.Number, n.Name, n.Phone, n.BirthDate)...)
	if n.Photo == nil {
		return append(c, photoBefore...)
	}
	return append(c, s.photoDigest(n.Photo)...)
}

// errMoved says that another process wrote one of the people between the
// sealing and the transaction.
var errMoved = errors.New("people changed meanwhile")

// put brings records in, in one transaction together with also, and fills in
// their ids and outcomes. Sealing goes on outside the transaction, on what was
// read before it; the transaction finds out whether that still holds.
func (s *Store) put(ctx context.Context, records []incoming, also func(context.Context, *commit.Tx) error) error {
	for try := 1; ; try++ {
		b, err := s.prepare(ctx, records)
		if err != nil {
			return err
		}
		err = s.cfg.Node.Do(ctx, func(ctx context.Context, tx *commit.Tx) error {
			if err := s.apply(ctx, tx, b); err != nil {
				return err
			}
			return also(ctx, tx)
		})
		if !errors.Is(err, errMoved) || try == 10 {
			return err
		}
	}
}

// batch is sealed and ready to be written.
type batch struct {
	digests [][]byte         // of the documents, each once
	before  map[[32]byte]ID  // who bore them when it was sealed
	known   map[int64]row    // and how they were then
	people  []row            // to be written
	links   []link           // of those who are new
	created []code.Handle    // likewise
	photos  map[int64][]byte // sealed
	sealers map[int64]keys.Sealer
	at      int64
}

// prepare reads who is known, makes keys for who is not, and seals.
func (s *Store) prepare(ctx context.Context, records []incoming) (*batch, error) {
	b := &batch{photos: make(map[int64][]byte), known: make(map[int64]row), at: s.cfg.Now().UnixMilli()}
	of := make([][]byte, len(records)) // digest by record
	last := make(map[[32]byte]int)     // the record that counts
	for i, r := range records {
		of[i] = s.documentDigest(r.Document)
		if _, again := last[[32]byte(of[i])]; !again {
			b.digests = append(b.digests, of[i])
		}
		last[[32]byte(of[i])] = i
	}
	if err := s.readKnown(ctx, b); err != nil {
		return nil, err
	}
	ids := make(map[[32]byte]ID, len(b.digests))
	var fresh, all []int64
	for _, d := range b.digests {
		id, known := b.before[[32]byte(d)]
		if !known {
			var err error
			if id, err = newID(); err != nil {
				return nil, err
			}
			fresh = append(fresh, int64(id))
			b.created = append(b.created, id)
			b.links = append(b.links, link{d, int64(id)})
		}
		ids[[32]byte(d)] = id
		all = append(all, int64(id))
	}
	if err := s.cfg.PersonKeys.Create(ctx, fresh); err != nil {
		return nil, err
	}
	var err error
	if b.sealers, err = s.cfg.PersonKeys.Sealers(ctx, all); err != nil {
		return nil, err
	}
	for i := range records {
		r := &records[i]
		r.id, r.outcome = ids[[32]byte(of[i])], intake.Unchanged
		if last[[32]byte(of[i])] != i {
			continue
		}
		if err := s.seal(b, r); err != nil {
			return nil, fmt.Errorf("person %s: %w", FormatID(r.id), err)
		}
	}
	return b, nil
}

func (s *Store) readKnown(ctx context.Context, b *batch) error {
	return s.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) (err error) {
		if b.before, err = readIndex(ctx, q, b.digests); err != nil {
			return err
		}
		ids := make([]int64, 0, len(b.before))
		for _, id := range b.before {
			ids = append(ids, int64(id))
		}
		people, err := readPeople(ctx, q, ids)
		for _, p := range people {
			b.known[p.id] = p
		}
		return err
	})
}

// seal adds to the batch what has to be written for one record.
func (s *Store) seal(b *batch, r *incoming) error {
	id := int64(r.id)
	sealer, ok := b.sealers[id]
	if !ok {
		return errors.New("the person's key is missing: the store of person keys doesn't belong to this database")
	}
	before, known := b.known[id]
	n := r.Record
	photoBefore := make([]byte, contentSize/2)
	if known {
		if len(before.content) == contentSize {
			photoBefore = before.content[contentSize/2:]
		}
		if err := r.keep(&n, sealer, before); err != nil {
			return err
		}
	}
	content := s.content(n, photoBefore)
	if known && bytes.Equal(content, before.content) {
		return nil
	}
	r.outcome = intake.Updated
	if !known {
		r.outcome = intake.Created
	}
	plain, err := json.Marshal(details{n.Name, n.Document.Number, n.Phone, n.BirthDate})
	if err != nil {
		return err
	}
	sealed, err := sealer.Seal(labelDetails, plain)
	if err != nil {
		return err
	}
	b.people = append(b.people, row{
		id: id, documentKind: string(n.Document.Kind), sealed: sealed, content: content,
		birthYear: birthYear(n), district: n.Document.District(), at: b.at,
	})
	if n.Photo != nil && !bytes.Equal(content[contentSize/2:], photoBefore) {
		if b.photos[id], err = sealer.Seal(labelPhoto, n.Photo); err != nil {
			return err
		}
	}
	return nil
}

// keep fills in what the record's file has no column for.
func (r *incoming) keep(n *Record, sealer keys.Sealer, before row) error {
	if !r.keepPhone && !r.keepBirthDate {
		return nil
	}
	d, err := unseal(sealer, before.sealed)
	if err != nil {
		return err
	}
	if r.keepPhone {
		n.Phone = d.Phone
	}
	if r.keepBirthDate && n.BirthDate == "" {
		n.BirthDate = d.BirthDate
	}
	return nil
}

func birthYear(n Record) int64 {
	if len(n.BirthDate) < 4 {
		return 0
	}
	year, err := strconv.ParseInt(n.BirthDate[:4], 10, 64)
	if err != nil {
		return 0
	}
	return year
}

// apply writes the batch, if what it was made from still holds.
func (s *Store) apply(ctx context.Context, tx *commit.Tx, b *batch) error {
	found, err := readIndex(ctx, tx, b.digests)
	if err != nil {
		return err
	}
	if len(found) != len(b.before) {
		return errMoved
	}
	for d, id := range b.before {
		if found[d] != id {
			return errMoved
		}
	}
	var old []int64
	for _, p := range b.people {
		if _, known := b.known[p.id]; known {
			old = append(old, p.id)
		}
	}
	present, err := readPeople(ctx, tx, old)
	if err != nil {
		return err
	}
	for _, p := range present {
		if !bytes.Equal(p.sealed, b.known[p.id].sealed) {
			return errMoved
		}
	}
	if err := writePeople(ctx, tx, b.people); err != nil {
		return err
	}
	if err := writeIndex(ctx, tx, b.links); err != nil {
		return err
	}
	for id, sealed := range b.photos {
		if err := writePhoto(ctx, tx, id, sealed, b.at); err != nil {
			return err
		}
	}
	if len(b.created) == 0 {
		return nil
	}
	return s.cfg.Status.Create(ctx, tx, b.created)
}
