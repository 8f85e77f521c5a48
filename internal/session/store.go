package session

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/feed"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/keys"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/scene"
)

// topic carries ended sessions in the change feed: 8 bytes of id, 8 of the
// Unix ms at which it ended.
const topic = "session"

// Config is what a Store needs; all but Feed are required. Without a Feed
// (commands that end at once) other processes' endings are not seen.
type Config struct {
	DB     *db.DB
	Keys   *keys.Keeper
	Node   *commit.Node
	Feed   *feed.Reader
	People *person.Store
	Now    func() time.Time
}

// Store starts, renews and ends sessions.
type Store struct {
	cfg   Config
	mu    sync.RWMutex
	ended map[int64]int64 // session → when it ended, Unix ms
}

// New registers with the change feed; call it before the feed runs.
func New(cfg Config) *Store {
	s := &Store{cfg: cfg, ended: make(map[int64]int64)}
	if cfg.Feed != nil {
		cfg.Feed.Handle(topic, func(_ context.Context, c feed.Change) error {
			if len(c.Payload) == 16 {
				s.markEnded(int64(binary.BigEndian.Uint64(c.Payload)), int64(binary.BigEndian.Uint64(c.Payload[8:])))
			}
			return nil
		})
		cfg.Feed.OnReload(s.Load)
	}
	return s
}

// Tokens is what a signed-in client holds.
type Tokens struct {
	Access, Refresh string
	ExpiresIn       time.Duration
}

// Start describes who has been proven to be there.
type Start struct {
	Person       code.Handle
	Channel      string // the client's kind: "web", "demo", …
	Level        int
	SteppedUpFor time.Duration // zero: not stepped up
}

// Start opens a session. It takes a suspended person for what they are:
// Denied "suspended".
func (s *Store) Start(ctx context.Context, st Start) (Tokens, *Principal, error) {
	var raw [8]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return Tokens{}, nil, fmt.Errorf("session: %w", err)
	}
	id := int64(binary.BigEndian.Uint64(raw[:]) >> 1)
	now := s.cfg.Now().UnixMilli()
	until := now + st.SteppedUpFor.Milliseconds()
	p, err := s.principal(ctx, id, st.Person, st.Channel, st.Level, until)
	if err != nil {
		return Tokens{}, nil, err
	}
	err = s.cfg.DB.Append(ctx, func(ctx context.Context, q db.Querier) error {
		_, err := q.Exec(ctx, `insert into session (id, person, channel, created_at, last_used_at, counter, rotated_at, level, stepped_up_until)
			values ($1, $2, $3, $4, $4, 1, $4, $5, $6)`, id, int64(st.Person), st.Channel, now, int64(st.Level), until)
		return err
	})
	if err != nil {
		return Tokens{}, nil, err
	}
	return s.tokens(p, 1)
}

// Refresh moves the session on. An unknown, ended or re-used token is
// Unauthenticated "session_ended"; a re-used one ends the session too.
func (s *Store) Refresh(ctx context.Context, token string) (Tokens, *Principal, error) {
	gone := fault.New(fault.Unauthenticated, "session_ended", "sign in again")
	id, counter, ok := s.readRefresh(token)
	if !ok {
		return Tokens{}, nil, gone
	}
	var (
		who     int64
		channel string
		level   int64
		until   int64
		next    int64
		reused  bool
	)
	err := s.cfg.DB.Tx(ctx, func(ctx context.Context, q db.Querier) error {
		reused = false
		now := s.cfg.Now().UnixMilli()
		var current, rotated, used int64
		var ended *int64
		err := q.QueryRow(ctx, `select person, channel, level, stepped_up_until, counter, rotated_at, last_used_at, ended_at
			from session where id = $1`, id).Scan(&who, &channel, &level, &until, &current, &rotated, &used, &ended)
		switch {
		case errors.Is(err, db.ErrNoRows):
			return gone
		case err != nil:
			return err
		case ended != nil || now-used > IdleLifetime.Milliseconds():
			return gone
		case counter == current:
			next = current + 1
			_, err = q.Exec(ctx, `update session set counter = $2, rotated_at = $3, last_used_at = $3 where id = $1`, id, next, now)
			return err
		case counter == current-1 && now-rotated <= retryWindow.Milliseconds():
			next = current
			return nil
		}
		reused = true
		return nil
	})
	if err != nil {
		return Tokens{}, nil, err
	}
	if reused {
		if err := s.End(ctx, id, "refresh_reused"); err != nil {
			return Tokens{}, nil, err
		}
		return Tokens{}, nil, gone
	}
	p, err := s.principal(ctx, id, code.Handle(who), channel, int(level), until)
	if err != nil {
		return Tokens{}, nil, err
	}
	return s.tokens(p, next)
}

// End ends a session, once: on this node at once, on the others within 2 s.
func (s *Store) End(ctx context.Context, id int64, reason string) error {
	now := s.cfg.Now().UnixMilli()
	err := s.cfg.Node.Do(ctx, func(ctx context.Context, tx *commit.Tx) error {
		n, err := tx.Exec(ctx, `update session set ended_at = $2, end_reason = $3 where id = $1 and ended_at is null`, id, now, reason)
		if err != nil || n == 0 {
			return err
		}
		payload := binary.BigEndian.AppendUint64(nil, uint64(id))
		tx.Change(topic, binary.BigEndian.AppendUint64(payload, uint64(now)))
		tx.Audit("session.end", map[string]any{"session": id, "reason": reason})
		return nil
	})
	if err == nil {
		s.markEnded(id, now)
	}
	return err
}

// Grant lets a person verify in a scene, at a place ("" is any), until a time
// (zero is no end). It is audited; sessions carry it from their next refresh.
func (s *Store) Grant(ctx context.Context, who code.Handle, sc scene.Name, place string, until time.Time) error {
	now := s.cfg.Now().UnixMilli()
	var end *int64
	if !until.IsZero() {
		ms := until.UnixMilli()
		end = &ms
	}
	return s.cfg.Node.Do(ctx, func(ctx context.Context, tx *commit.Tx) error {
		_, err := tx.Exec(ctx, `insert into verifier_grant (person, scene, place, granted_at, until_at) values ($1, $2, $3, $4, $5)
			on conflict (person, scene, place) do update set granted_at = excluded.granted_at, until_at = excluded.until_at`,
			int64(who), string(sc), place, now, end)
		tx.Audit("verifier.grant", map[string]any{"person": person.FormatID(who), "scene": sc, "place": place, "until": end})
		return err
	})
}

func (s *Store) tokens(p *Principal, counter int64) (Tokens, *Principal, error) {
	access, err := s.seal(*p)
	if err != nil {
		return Tokens{}, nil, err
	}
	return Tokens{Access: access, Refresh: s.refreshToken(p.Session, counter), ExpiresIn: AccessLifetime}, p, nil
}

// principal gathers what a token carries.
func (s *Store) principal(ctx context.Context, id int64, who code.Handle, channel string, level int, steppedUpUntil int64) (*Principal, error) {
	man, err := s.cfg.People.Get(ctx, who)
	if err != nil {
		return nil, err
	}
	if man.State != person.Active {
		return nil, fault.New(fault.Denied, "suspended", "this person can't sign in")
	}
	now := s.cfg.Now()
	p := &Principal{
		Session: id, Person: who, Level: level, Roles: []Role{Resident}, Channel: channel,
		Name: idnum.MaskName(man.Name), Tail: tail(man), SteppedUpUntil: steppedUpUntil,
		Expires: now.Add(AccessLifetime).UnixMilli(),
	}
	err = s.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) error { return p.readGrants(ctx, q, now.UnixMilli()) })
	if err != nil {
		return nil, err
	}
	return p, nil
}

// maxGrants bounds the grants that a token carries.
const maxGrants = 64

func (p *Principal) readGrants(ctx context.Context, q db.Querier, now int64) error {
	rows, err := q.Query(ctx, `select scene, place, coalesce(until_at, 0) from verifier_grant
		where person = $1 and (until_at is null or until_at > $2) order by scene, place limit $3`, int64(p.Person), now, int64(maxGrants))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var g Grant
		var name string
		if err := rows.Scan(&name, &g.Place, &g.Until); err != nil {
			return err
		}
		g.Scene = scene.Name(name)
		p.Grants = append(p.Grants, g)
	}
	if len(p.Grants) > 0 {
		p.Roles = append(p.Roles, Verifier)
	}
	return rows.Err()
}

func tail(p person.Person) string {
	from := p.Phone
	if len(from) < 4 {
		from = p.Document.Number
	}
	if len(from) < 4 {
		return from
	}
	return from[len(from)-4:]
}
