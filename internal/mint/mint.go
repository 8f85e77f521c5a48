// Package mint makes live codes: the show side of the system.
//
// A code is sealed with the newest live key in memory and needs no database,
// so that showing goes on when the database is gone. The package logs nothing,
// takes no lock and owns no tables.
package mint

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/keys"
)

// RefreshAfter is when a page that shows a code should ask for the next: half a
// lifetime leaves 30 s for a slow network before the shown code lapses.
const RefreshAfter = 30 * time.Second

// Minter mints for one city cell.
type Minter struct {
	Keys *keys.Keeper
	Now  func() time.Time
	Cell uint16 // which platform of several minted it; 0 in a single city
}

// Minted is a fresh code with its times, whole seconds.
type Minted struct {
	Text                code.Text
	Kind                code.Kind
	IssuedAt, ExpiresAt time.Time
}

// Mint makes a code of the kind for the subject: a person, or a relation for
// relative's codes. Its errors are those of a node without a live key
// (fault.Unavailable "no_live_key") and of the system's random source.
func (m *Minter) Mint(kind code.Kind, subject code.Handle) (Minted, error) {
	g, err := m.Keys.Sealing(keys.Live)
	if err != nil {
		return Minted{}, fault.Wrap(fault.Unavailable, "no_live_key", err, "nothing to seal with")
	}
	l := code.Live{Kind: kind, Generation: g.Low(), Cell: m.Cell, IssuedAt: m.Now().Truncate(time.Second), Subject: subject}
	if _, err := rand.Read(l.Random[:]); err != nil {
		return Minted{}, fmt.Errorf("mint: %w", err)
	}
	s, err := g.Live().Seal(l)
	if err != nil {
		return Minted{}, fmt.Errorf("mint: %w", err)
	}
	return Minted{Text: s.Text(), Kind: kind, IssuedAt: l.IssuedAt, ExpiresAt: l.IssuedAt.Add(code.LiveLifetime)}, nil
}
