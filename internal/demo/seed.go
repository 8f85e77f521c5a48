package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/api"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/scan"
	"github.com/citycode/citycode/internal/scene"
	"github.com/citycode/citycode/internal/session"
	"github.com/citycode/citycode/internal/status"
)

// City seeds a demo's database and lets visitors in.
type City struct {
	DB     *db.DB
	People *person.Store
	Status *status.Store
	Node   *commit.Node
	Now    func() time.Time
	N      int // how many residents beside the personas
}

// steppedUpFor keeps personas stepped up for as long as anyone tries the demo.
const steppedUpFor = 365 * 24 * time.Hour

// Interface is the demo's part of the HTTP interface.
func (c *City) Interface(sessions *session.Store) *api.Demo {
	d := &api.Demo{SignIn: func(ctx context.Context, name string) (session.Tokens, *session.Principal, error) {
		p, ok := Find(name)
		if !ok {
			return session.Tokens{}, nil, fault.New(fault.NotFound, "unknown_persona", "no such persona")
		}
		id, err := c.People.Find(ctx, p.Record.Document)
		if err != nil {
			if fault.KindOf(err) == fault.NotFound {
				err = fault.New(fault.Unavailable, "starting", "the demo's people are being made")
			}
			return session.Tokens{}, nil, err
		}
		return sessions.Start(ctx, session.Start{Person: id, Channel: "demo", Level: 2, SteppedUpFor: steppedUpFor})
	}}
	for _, p := range Personas() {
		d.Personas = append(d.Personas, api.Persona{
			Persona: p.Name, Title: p.Title, Try: p.Try, App: p.App,
			Name: p.Record.Name, DocumentKind: string(p.Record.Document.Kind), DocumentNumber: p.Record.Document.Number,
		})
	}
	return d
}

// Seed brings the people in, once. Every step can be repeated, so that a demo
// that was killed while seeding, or two that seed one database at once, end with
// the same people and the same scans.
func (c *City) Seed(ctx context.Context, sessions *session.Store, log *scan.Log) error {
	done, err := c.seeded(ctx)
	if err != nil || done {
		return err
	}
	personas := Personas()
	records := make([]person.Record, len(personas))
	colors := make([]Status, len(personas))
	for i, p := range personas {
		records[i], colors[i] = p.Record, p.Status
	}
	residents, statuses := People(c.N, c.Now())
	ids, err := c.People.Put(ctx, append(records, residents...))
	if err != nil {
		return err
	}
	if err := c.assign(ctx, ids, append(colors, statuses...)); err != nil {
		return err
	}
	var verifier code.Handle
	for i, p := range personas {
		for _, s := range p.Scenes {
			verifier = ids[i]
			if err := sessions.Grant(ctx, ids[i], s, "", time.Time{}); err != nil {
				return err
			}
		}
	}
	if err := c.pastScans(ctx, log, verifier, ids); err != nil {
		return err
	}
	return c.DB.Append(ctx, func(ctx context.Context, q db.Querier) error {
		_, err := q.Exec(ctx, `update demo_mark set seeded_at = $1 where id = 1 and seeded_at is null`, c.Now().UnixMilli())
		return err
	})
}

func (c *City) seeded(ctx context.Context) (done bool, err error) {
	err = c.DB.Read(ctx, func(ctx context.Context, q db.Querier) error {
		var at int64
		err := q.QueryRow(ctx, `select coalesce(seeded_at, 0) from demo_mark where id = 1`).Scan(&at)
		done = at != 0
		return err
	})
	return done, err
}

// assign colours those who aren't green: the rest have the scheme's default.
func (c *City) assign(ctx context.Context, ids []code.Handle, colors []Status) error {
	var list []status.Assignment
	for i, s := range colors {
		if s.Color != status.Green {
			list = append(list, status.Assignment{Person: ids[i], Scheme: "health", Color: s.Color, ReasonCode: s.Reason, Since: c.Now().Add(-s.Ago)})
		}
	}
	for start := 0; start < len(list); start += status.MaxBatch {
		part := list[start:min(start+status.MaxBatch, len(list))]
		if err := c.Node.Do(ctx, func(ctx context.Context, tx *commit.Tx) error { return c.Status.Set(ctx, tx, part) }); err != nil {
			return err
		}
	}
	return nil
}

// pastScans gives the records something to show: the personas' passages of
// this morning, with keys, so that seeding twice records them once.
func (c *City) pastScans(ctx context.Context, log *scan.Log, verifier code.Handle, ids []code.Handle) error {
	now := c.Now()
	for i := range min(24, len(ids)) {
		subject := ids[i]
		if subject == verifier {
			continue
		}
		at := now.Add(-time.Duration(i+1) * 7 * time.Minute)
		id, err := scan.NewID(at)
		if err != nil {
			return err
		}
		st, _, err := c.Status.Current(ctx, subject)
		if err != nil {
			return err
		}
		s := scan.Scan{
			ID: id, At: id.Time(), Verifier: verifier, Scene: "venue-entry", Method: "camera", Outcome: scan.Valid, Kind: code.KindLive,
			Subject: subject, Color: st.Color, Disclosed: []scene.Field{scene.PersonName, scan.StatusField}, Channel: "demo",
		}
		venue, _ := scene.Shipped().Get(s.Scene)
		s.Admission = venue.Admits(st.Color.String())
		if i%6 == 5 {
			s.Outcome, s.Admission, s.Color, s.Disclosed = scan.Expired, scene.Refuse, status.None, nil
		}
		key := &scan.Key{Caller: "demo", Key: fmt.Sprint("past-", i), Digest: []byte("demo")}
		if err := log.Append(ctx, &scan.Entry{Scan: s, Key: key}); err != nil && fault.CodeOf(err) != "in_progress" {
			return err
		}
	}
	return nil
}
