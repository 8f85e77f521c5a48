package person

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/keys"
	"github.com/citycode/citycode/internal/status"
)

// Config is what a Store needs, all of it but Now and AllowSample.
type Config struct {
	DB          *db.DB
	Keys        *keys.Keeper
	PersonKeys  *keys.PersonKeys
	Node        *commit.Node
	Status      *status.Store
	Now         func() time.Time
	AllowSample bool // demo: documents of region 310000, which is assigned to nobody
}

// Store keeps people. It is safe for concurrent use.
type Store struct{ cfg Config }

// New returns a Store.
func New(c Config) *Store {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Store{cfg: c}
}

// What is sealed under a person's key, by label.
const (
	labelDetails = "details"
	labelPhoto   = "photo"
)

// details are what is sealed as one value.
type details struct {
	Name      string `json:"name"`
	Number    string `json:"number"`
	Phone     string `json:"phone,omitempty"`
	BirthDate string `json:"birth_date,omitempty"`
}

func unseal(s keys.Sealer, sealed []byte) (d details, err error) {
	plain, err := s.Open(labelDetails, sealed)
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(plain, &d)
}

func unknown() error {
	return fault.New(fault.NotFound, "unknown_person", "no such person")
}

// Get returns a person; NotFound "unknown_person" when there is none.
func (s *Store) Get(ctx context.Context, id ID) (Person, error) {
	p := Person{ID: id}
	var sealed []byte
	var photos int64
	err := s.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) error {
		return q.QueryRow(ctx, `select p.state, p.document_kind, p.sealed, (select count(*) from person_photo f where f.person = p.id)
			from person p where p.id = $1`, int64(id)).Scan((*string)(&p.State), (*string)(&p.Document.Kind), &sealed, &photos)
	})
	if errors.Is(err, db.ErrNoRows) {
		return Person{}, unknown()
	}
	if err != nil {
		return Person{}, fmt.Errorf("person: %w", err)
	}
	sealer, err := s.sealer(ctx, id)
	if err != nil {
		return Person{}, err
	}
	d, err := unseal(sealer, sealed)
	if err != nil {
		return Person{}, fmt.Errorf("person %s: %w", FormatID(id), err)
	}
	p.Name, p.Document.Number, p.Phone, p.BirthDate, p.HasPhoto = d.Name, d.Number, d.Phone, d.BirthDate, photos > 0
	return p, nil
}

// sealer returns a person's; somebody without a key has been erased.
func (s *Store) sealer(ctx context.Context, id ID) (keys.Sealer, error) {
	sealer, err := s.cfg.PersonKeys.Sealer(ctx, int64(id))
	if fault.KindOf(err) == fault.NotFound {
		return sealer, unknown()
	}
	if err != nil {
		return sealer, fmt.Errorf("person: %w", err)
	}
	return sealer, nil
}

// Photo returns a person's photo, a JPEG; NotFound "no_photo" without one.
func (s *Store) Photo(ctx context.Context, id ID) ([]byte, error) {
	var sealed []byte
	err := s.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) error {
		return q.QueryRow(ctx, `select sealed from person_photo where person = $1`, int64(id)).Scan(&sealed)
	})
	if errors.Is(err, db.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "no_photo", "no photo of this person")
	}
	if err != nil {
		return nil, fmt.Errorf("photo: %w", err)
	}
	sealer, err := s.sealer(ctx, id)
	if err != nil {
		return nil, err
	}
	photo, err := sealer.Open(labelPhoto, sealed)
	if err != nil {
		return nil, fmt.Errorf("photo of %s: %w", FormatID(id), err)
	}
	return photo, nil
}

// Find returns who bears a document; NotFound "unknown_person" when nobody
// does.
func (s *Store) Find(ctx context.Context, d idnum.Document) (id ID, err error) {
	err = s.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) error {
		found, err := s.FindAll(ctx, q, []idnum.Document{d})
		if err == nil {
			id = found[0]
		}
		return err
	})
	if err == nil && id == 0 {
		err = unknown()
	}
	return id, err
}

// FindAll returns who bears each of the documents, 0 for nobody, with the
// caller's Querier.
func (s *Store) FindAll(ctx context.Context, q db.Querier, documents []idnum.Document) ([]code.Handle, error) {
	digests := make([][]byte, len(documents))
	for i, d := range documents {
		digests[i] = s.documentDigest(d)
	}
	found, err := readIndex(ctx, q, digests)
	if err != nil {
		return nil, fmt.Errorf("find people: %w", err)
	}
	ids := make([]code.Handle, len(documents))
	for i, d := range digests {
		ids[i] = found[[32]byte(d)]
	}
	return ids, nil
}

// documentDigest is what a person is found by.
func (s *Store) documentDigest(d idnum.Document) []byte {
	return s.cfg.Keys.Lookup("person-document", string(d.Kind), d.Number)
}

// Names returns the clear names of those of the people who are known.
func (s *Store) Names(ctx context.Context, ids []ID) (map[ID]string, error) {
	numbers := make([]int64, len(ids))
	for i, id := range ids {
		numbers[i] = int64(id)
	}
	var rows []row
	err := s.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) (err error) {
		rows, err = readPeople(ctx, q, numbers)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	sealers, err := s.cfg.PersonKeys.Sealers(ctx, numbers)
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	names := make(map[ID]string, len(rows))
	for _, r := range rows {
		sealer, ok := sealers[r.id]
		if !ok {
			continue // erased a moment ago
		}
		d, err := unseal(sealer, r.sealed)
		if err != nil {
			return nil, fmt.Errorf("name of %s: %w", FormatID(ID(r.id)), err)
		}
		names[ID(r.id)] = d.Name
	}
	return names, nil
}

// SetState says whether a person's codes are good. It is audited, and every
// node knows within 2 s, by the status.
func (s *Store) SetState(ctx context.Context, id ID, to State) error {
	if to != Active && to != Suspended && to != Deceased {
		return fault.New(fault.Invalid, "invalid_state", "want active, suspended or deceased")
	}
	now := s.cfg.Now().UnixMilli()
	return s.cfg.Node.Do(ctx, func(ctx context.Context, tx *commit.Tx) error {
		var from State
		err := tx.QueryRow(ctx, `select state from person where id = $1`, int64(id)).Scan((*string)(&from))
		if errors.Is(err, db.ErrNoRows) {
			return unknown()
		}
		if err != nil || from == to {
			return err
		}
		if _, err := tx.Exec(ctx, `update person set state = $2, updated_at = $3 where id = $1`, int64(id), string(to), now); err != nil {
			return err
		}
		tx.Audit("person.state", map[string]any{"person": FormatID(id), "from": from, "to": to})
		return s.cfg.Status.SetFlags(ctx, tx, id, to == Suspended, to == Deceased)
	})
}
