package verify

import (
	"context"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/keys"
	"github.com/citycode/citycode/internal/scan"
	"github.com/citycode/citycode/internal/scene"
	"github.com/citycode/citycode/internal/status"
)

// Decision is what is known of a scanned text.
type Decision struct {
	Outcome   scan.Outcome
	Admission scene.Admission
	Kind      code.Kind   // 0 when the text is no code
	Subject   code.Handle // set once a person's own code opened, whatever the outcome: for the record
	Status    status.Status
	Nonce     [12]byte  // identifies the code for single use; zero when it did not open
	LastsTill time.Time // when the code lapses by itself
}

// Decider decides with the keys and statuses of this node.
type Decider struct {
	Keys   *keys.Keeper
	Status *status.Store
	Now    func() time.Time
}

// lateAfter is when a code under a key that is no longer held is called
// expired instead of unknown: its unproven issue time lies two lifetimes back.
const lateAfter = 2 * code.LiveLifetime

// Decide judges the text in the scene, at the server's time. It returns an
// error only when the status can be had from nowhere. A single-use scene is
// settled later, in the transaction that records the scan.
func (d *Decider) Decide(ctx context.Context, text []byte, sc scene.Scene) (Decision, error) {
	now := d.Now()
	out := func(dec Decision, o scan.Outcome) (Decision, error) {
		dec.Outcome, dec.Admission = o, scene.Refuse
		switch o {
		case scan.Valid:
			dec.Admission = sc.Admits(dec.Status.Color.String())
		case scan.Unconfirmed:
			dec.Admission = sc.WhenUnsure
		}
		return dec, nil
	}

	norm, err := code.Normalize(text)
	if err != nil {
		return out(Decision{}, scan.Malformed)
	}
	sealed, err := code.ParseLive(norm)
	if err != nil {
		return out(Decision{}, scan.Malformed)
	}
	dec := Decision{Kind: sealed.Kind()}
	g, state := d.Keys.Opening(keys.Live, sealed.Generation())
	if state != keys.Active && state != keys.Retired {
		if now.Sub(sealed.IssuedAt()) > lateAfter {
			return out(dec, scan.Expired)
		}
		return out(dec, scan.UnknownKey)
	}
	live, err := g.Live().Open(sealed)
	if err != nil {
		return out(dec, scan.Forged)
	}
	dec.Nonce, dec.Subject = sealed.Nonce(), subjectOf(live)
	dec.LastsTill = live.IssuedAt.Add(code.LiveLifetime)
	switch live.At(now) {
	case code.NotYetValid:
		return out(dec, scan.NotYetValid)
	case code.Expired:
		return out(dec, scan.Expired)
	}
	if live.Kind == code.KindRelative {
		// A relation's handle; relations arrive with relatives, and until then
		// none is in force.
		return out(dec, scan.RelationEnded)
	}
	st, known, err := d.Status.Current(ctx, live.Subject)
	if err != nil {
		return Decision{}, err
	}
	switch {
	case !known || st.Suspended || st.Deceased:
		return out(dec, scan.HolderSuspended)
	case !sc.Takes(live.Kind):
		return out(dec, scan.NotForScene)
	case now.Sub(st.AsOf) > sc.MaxStaleness:
		return out(dec, scan.Unconfirmed)
	}
	dec.Status = st
	return out(dec, scan.Valid)
}

// subjectOf is the person in the code: a relative's names a relation instead.
func subjectOf(l code.Live) code.Handle {
	if l.Kind == code.KindLive {
		return l.Subject
	}
	return 0
}
