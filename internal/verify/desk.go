package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/scan"
	"github.com/citycode/citycode/internal/scene"
	"github.com/citycode/citycode/internal/session"
	"github.com/citycode/citycode/internal/status"
)

// DisclosureWindow is how long after a scan its subject may still be shown to
// the checker: in a repeated answer, and as a photo.
const DisclosureWindow = 60 * time.Second

// Desk checks codes for signed-in verifiers.
type Desk struct {
	Decider
	Scenes scene.Book
	People *person.Store
	Log    *scan.Log
	Zone   *time.Location // the city's, for watermarks
}

// Request is one scan.
type Request struct {
	By        *session.Principal
	Text      string
	Scene     scene.Name
	Place     string
	Method    string    // camera, device or manual
	ScannedAt time.Time // as the client says; only recorded
	Key       string    // idempotency key, "" for none
}

// Answer is what the checker is told. Subject and Status are nil unless the
// code is valid and the scene shows them.
type Answer struct {
	ID         scan.ID
	Outcome    scan.Outcome // as an ordinary verifier is told it
	Admission  scene.Admission
	Kind       code.Kind
	Status     *status.Status
	Subject    *Subject
	Watermark  string
	VerifiedAt time.Time
	Repeated   bool
}

// Subject is what the scene discloses of a person; empty fields are hidden.
type Subject struct {
	Name, DocumentNumber, Phone string
	Photo                       bool // may be fetched for DisclosureWindow
}

// Check decides, records and answers, in this order. Its errors are Denied
// "not_allowed" or "step_up_needed" before the text is looked at, Invalid
// "unknown_scene", Conflict "in_progress" or "idempotency_key_reused", and
// Unavailable or Busy when the scan can't be made durable.
func (d *Desk) Check(ctx context.Context, r Request) (Answer, error) {
	sc, ok := d.Scenes.Get(r.Scene)
	if !ok {
		return Answer{}, fault.New(fault.Invalid, "unknown_scene", "no scene with this name")
	}
	now := d.Now()
	if !r.By.MayScan(sc.Name, r.Place, now) {
		return Answer{}, fault.New(fault.Denied, "not_allowed", "this scene or place isn't granted")
	}
	if sc.NeedsStepUp() && !r.By.SteppedUp(now) {
		return Answer{}, fault.New(fault.Denied, "step_up_needed", "the scene discloses clear fields")
	}
	dec, err := d.Decide(ctx, []byte(r.Text), sc)
	if err != nil {
		return Answer{}, err
	}
	id, err := scan.NewID(now)
	if err != nil {
		return Answer{}, err
	}
	e := &scan.Entry{Scan: scan.Scan{
		ID: id, At: id.Time(), Verifier: r.By.Person, Scene: sc.Name, Place: r.Place, Method: r.Method,
		Outcome: dec.Outcome, Admission: dec.Admission, Kind: dec.Kind, Subject: dec.Subject,
		ScannedAt: r.ScannedAt, Channel: r.By.Channel,
	}}
	if dec.Outcome == scan.Valid {
		e.Scan.Disclosed = sc.Fields()
		if sc.Scheme != "" {
			e.Scan.Disclosed = append(e.Scan.Disclosed, scan.StatusField)
			e.Scan.Color = dec.Status.Color
		}
	}
	if sc.SingleUse && (dec.Outcome == scan.Valid || dec.Outcome == scan.Unconfirmed) {
		e.Use = &scan.Use{Nonce: dec.Nonce, Until: dec.LastsTill}
	}
	if r.Key != "" {
		e.Key = &scan.Key{Caller: person.FormatID(r.By.Person), Key: r.Key, Digest: d.digest(r)}
	}
	if err := d.Log.Append(ctx, e); err != nil {
		return Answer{}, err
	}
	switch {
	case e.Clash:
		return Answer{}, fault.New(fault.Conflict, "idempotency_key_reused", "the key belongs to another request")
	case e.First != nil:
		return d.repeat(ctx, r, *e.First, sc)
	}
	a := d.answer(r, &e.Scan)
	if e.Scan.Outcome == scan.Valid {
		if sc.Scheme != "" {
			a.Status = &dec.Status
		}
		a.Subject = d.subject(ctx, e.Scan.Subject, sc)
	}
	return a, nil
}

// repeat rebuilds the answer to a request that was made before from its record.
func (d *Desk) repeat(ctx context.Context, r Request, id scan.ID, sc scene.Scene) (Answer, error) {
	s, err := d.Log.Get(ctx, id)
	if err != nil {
		return Answer{}, err
	}
	a := d.answer(r, &s)
	a.Repeated = true
	if s.Outcome != scan.Valid {
		return a, nil
	}
	if s.Color != status.None {
		a.Status = &status.Status{Scheme: sc.Scheme, Color: s.Color, AsOf: s.At}
	}
	if d.Now().Sub(s.At) <= DisclosureWindow {
		a.Subject = d.subject(ctx, s.Subject, sc)
	}
	return a, nil
}

func (d *Desk) answer(r Request, s *scan.Scan) Answer {
	return Answer{
		ID: s.ID, Outcome: s.Outcome.ForVerifier(), Admission: s.Admission, Kind: s.Kind, VerifiedAt: s.At,
		Watermark: fmt.Sprintf("%s %s　%s　%s", r.By.Name, r.By.Tail, s.At.In(d.Zone).Format(time.DateTime), s.ID.Tail()),
	}
}

// subject is what the scene discloses. The scan is on disk by now: when the
// person can't be read (the database went away, or they were erased a moment
// ago) the answer goes out without them instead of not at all.
func (d *Desk) subject(ctx context.Context, who code.Handle, sc scene.Scene) *Subject {
	if len(sc.Discloses) == 0 {
		return nil
	}
	p, err := d.People.Get(ctx, who)
	if err != nil {
		return nil
	}
	show := func(f scene.Field, clear string, mask func(string) string) string {
		switch sc.Discloses[f] {
		case scene.Clear:
			return clear
		case scene.Masked:
			return mask(clear)
		}
		return ""
	}
	return &Subject{
		Name:           show(scene.PersonName, p.Name, idnum.MaskName),
		DocumentNumber: show(scene.DocumentNumber, p.Document.Number, idnum.MaskNumber),
		Phone:          show(scene.Phone, p.Phone, idnum.MaskPhone),
		Photo:          sc.Discloses[scene.Photo] == scene.Shown && p.HasPhoto,
	}
}

// Photo returns the JPEG of a scan's subject to the checker who made the scan,
// while DisclosureWindow lasts. Everything else is NotFound.
func (d *Desk) Photo(ctx context.Context, by *session.Principal, id scan.ID) ([]byte, error) {
	none := fault.New(fault.NotFound, "no_such_photo", "no photo for this scan")
	s, err := d.Log.Get(ctx, id)
	if fault.KindOf(err) == fault.NotFound { // another's scan and none look the same
		return nil, none
	}
	if err != nil {
		return nil, err
	}
	sc, ok := d.Scenes.Get(s.Scene)
	if !ok || s.Verifier != by.Person || s.Outcome != scan.Valid || sc.Discloses[scene.Photo] != scene.Shown || d.Now().Sub(s.At) > DisclosureWindow {
		return nil, none
	}
	return d.People.Photo(ctx, s.Subject)
}

// digest is keyed, because a scanned text may be anything, a document number
// too, and a plain hash of such could be guessed.
func (d *Desk) digest(r Request) []byte {
	at := ""
	if !r.ScannedAt.IsZero() {
		at = r.ScannedAt.UTC().Format(time.RFC3339Nano)
	}
	return d.Keys.Lookup("scan-request", string(r.Scene), r.Place, r.Method, at, r.Text)
}
