package session

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/keys"
	"github.com/citycode/citycode/internal/scene"
)

// Lifetimes.
const (
	AccessLifetime = 15 * time.Minute
	// Outage is how long past expiry a token still shows and verifies while the
	// node can't reach the database, and so can't renew it.
	Outage = 2 * time.Hour
	// IdleLifetime is how long a session lasts without being refreshed.
	IdleLifetime = 30 * 24 * time.Hour
	// retryWindow is how long a lost answer to a refresh may be asked for again.
	retryWindow = 60 * time.Second
)

// Role is what a person may act as.
type Role string

// The roles of this release.
const (
	Resident Role = "resident"
	Verifier Role = "verifier"
)

// Grant lets a verifier scan in a scene, at a place, until a time.
type Grant struct {
	Scene scene.Name `json:"s"`
	Place string     `json:"p,omitempty"` // "" is any place
	Until int64      `json:"u,omitempty"` // Unix ms, 0 is no end
}

// Principal is who is calling, as the token says.
type Principal struct {
	Session        int64       `json:"s"`
	Person         code.Handle `json:"p"`
	Level          int         `json:"l"` // assurance: 1 real name, 2 real person
	Roles          []Role      `json:"r"`
	Name           string      `json:"n"`           // masked
	Tail           string      `json:"t,omitempty"` // last four of phone or document, for watermarks
	Grants         []Grant     `json:"g,omitempty"` // what a verifier may scan for
	Channel        string      `json:"h"`
	SteppedUpUntil int64       `json:"u,omitempty"` // Unix ms
	Expires        int64       `json:"e"`           // Unix ms
	// Late is set when the token is past its expiry and taken only because the
	// database is away.
	Late bool `json:"-"`
}

// Is reports whether the principal has the role now.
func (p *Principal) Is(r Role, now time.Time) bool {
	if r == Verifier {
		return slices.ContainsFunc(p.Grants, func(g Grant) bool { return g.inForce(now) })
	}
	return slices.Contains(p.Roles, r)
}

func (g Grant) inForce(now time.Time) bool { return g.Until == 0 || now.UnixMilli() < g.Until }

// SteppedUp reports whether the person proved their presence a moment ago.
func (p *Principal) SteppedUp(now time.Time) bool { return now.UnixMilli() < p.SteppedUpUntil }

// MayScan reports whether a grant in force covers the scene at the place.
func (p *Principal) MayScan(s scene.Name, place string, now time.Time) bool {
	return slices.ContainsFunc(p.Grants, func(g Grant) bool {
		return g.Scene == s && (g.Place == "" || g.Place == place) && g.inForce(now)
	})
}

// MayScanSomewhere reports whether a grant in force covers the scene at any
// place at all.
func (p *Principal) MayScanSomewhere(s scene.Name, now time.Time) bool {
	return slices.ContainsFunc(p.Grants, func(g Grant) bool { return g.Scene == s && g.inForce(now) })
}

// accessPrefix marks the first version of access tokens; its second byte is the
// key generation.
const accessPrefix = 1

// seal makes the access token: base64url(version ‖ generation ‖ nonce ‖ sealed JSON).
func (s *Store) seal(p Principal) (string, error) {
	g, err := s.cfg.Keys.Sealing(keys.Session)
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, "no_session_key", err, "nothing to seal with")
	}
	plain, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("session: %w", err)
	}
	head := []byte{accessPrefix, g.Low()}
	aead := g.AEAD()
	out := make([]byte, 2, 2+aead.NonceSize()+len(plain)+aead.Overhead())
	copy(out, head)
	out = out[:2+aead.NonceSize()]
	if _, err := rand.Read(out[2:]); err != nil {
		return "", fmt.Errorf("session: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(aead.Seal(out, out[2:], plain, head)), nil
}

// maxToken bounds what is decoded: a token with maxGrants of the longest scenes
// and places is under 11,000 characters, and headers may have 16 KiB.
const maxToken = 12 << 10

var errToken = fault.New(fault.Unauthenticated, "token_invalid", "not a token of this system")

// Open reads an access token from memory alone. Its errors are Unauthenticated
// with code token_invalid, token_expired or session_ended. With outage set, a
// token up to two hours past its expiry is taken, and marked Late.
func (s *Store) Open(token string, outage bool) (*Principal, error) {
	if token == "" || len(token) > maxToken {
		return nil, errToken
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < 2 || b[0] != accessPrefix {
		return nil, errToken
	}
	g, state := s.cfg.Keys.Opening(keys.Session, b[1])
	if state != keys.Active && state != keys.Retired {
		return nil, errToken
	}
	aead := g.AEAD()
	if len(b) < 2+aead.NonceSize()+aead.Overhead() {
		return nil, errToken
	}
	plain, err := aead.Open(nil, b[2:2+aead.NonceSize()], b[2+aead.NonceSize():], b[:2])
	if err != nil {
		return nil, errToken
	}
	var p Principal
	if err := json.Unmarshal(plain, &p); err != nil {
		return nil, errToken
	}
	if err := s.Check(p.Session); err != nil {
		return nil, err
	}
	switch late := s.cfg.Now().UnixMilli() - p.Expires; {
	case late < 0:
	case outage && late < Outage.Milliseconds():
		p.Late = true
	default:
		return nil, fault.New(fault.Unauthenticated, "token_expired", "the token is past its time")
	}
	return &p, nil
}

// A refresh token is base64url(version ‖ session ‖ counter ‖ tag): 29 bytes.
const (
	refreshPrefix = 2
	refreshSize   = 1 + 8 + 4 + 16
)

func (s *Store) refreshToken(session int64, counter int64) string {
	b := make([]byte, refreshSize)
	b[0] = refreshPrefix
	binary.BigEndian.PutUint64(b[1:], uint64(session))
	binary.BigEndian.PutUint32(b[9:], uint32(counter))
	copy(b[13:], s.cfg.Keys.Lookup("session-refresh", string(b[:13])))
	return base64.RawURLEncoding.EncodeToString(b)
}

// RefreshOf tells, from memory, which session a refresh token is of: for limits
// that are counted before the database is asked.
func (s *Store) RefreshOf(token string) (session int64, ok bool) {
	session, _, ok = s.readRefresh(token)
	return session, ok
}

func (s *Store) readRefresh(token string) (session, counter int64, ok bool) {
	if len(token) != base64.RawURLEncoding.EncodedLen(refreshSize) {
		return 0, 0, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || b[0] != refreshPrefix {
		return 0, 0, false
	}
	want := s.cfg.Keys.Lookup("session-refresh", string(b[:13]))
	if subtle.ConstantTimeCompare(want[:16], b[13:]) != 1 {
		return 0, 0, false
	}
	return int64(binary.BigEndian.Uint64(b[1:])), int64(binary.BigEndian.Uint32(b[9:])), true
}
