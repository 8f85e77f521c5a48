package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/scan"
	"github.com/citycode/citycode/internal/session"
)

// PageIn is the paging of every list.
type PageIn struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor string `query:"cursor" maxLength:"100" doc:"next_cursor of the page before"`
}

func (p PageIn) page() scan.Page { return scan.Page{Cursor: p.Cursor, Limit: p.Limit} }

type verifierGrants struct {
	Scenes []string `json:"scenes" nullable:"false"`
	Until  *string  `json:"until" nullable:"true" doc:"When the last grant ends; null: no end"`
}

type signedInPerson struct {
	ID             string          `json:"id"`
	Name           string          `json:"name" doc:"In the clear: one's own"`
	DocumentKind   string          `json:"document_kind"`
	DocumentNumber string          `json:"document_number" doc:"Masked"`
	Phone          string          `json:"phone,omitempty" doc:"Masked"`
	HasPhoto       bool            `json:"has_photo"`
	Roles          []string        `json:"roles" nullable:"false"`
	SteppedUp      bool            `json:"stepped_up"`
	Verifier       *verifierGrants `json:"verifier,omitempty"`
}

// myStatus is StatusInfo and why.
type myStatus struct {
	StatusInfo
	Reason    string `json:"reason" doc:"Why, for people to read"`
	ChangesAt string `json:"changes_at,omitempty" format:"date-time"`
	WhatToDo  string `json:"what_to_do"`
}

type look struct {
	ID         string   `json:"id"`
	At         string   `json:"at" format:"date-time"`
	Scene      string   `json:"scene"`
	SceneTitle string   `json:"scene_title"`
	Verifier   string   `json:"verifier" doc:"Masked name"`
	Outcome    string   `json:"outcome"`
	Disclosed  []string `json:"disclosed" nullable:"false"`
}

type looks struct {
	Items      []look  `json:"items" nullable:"false"`
	NextCursor *string `json:"next_cursor" nullable:"true"`
}

func (a *API) registerMe() {
	type meOut struct {
		CacheControl string `header:"Cache-Control"`
		Body         signedInPerson
	}
	register(a, route{method: http.MethodGet, path: "/v1/me", id: "get-me", summary: "The signed-in person", caller: signedIn, class: classOther},
		func(ctx context.Context, c *Call, _ *struct{}) (*meOut, error) {
			p, err := a.cfg.People.Get(ctx, c.By.Person)
			if err != nil {
				return nil, err
			}
			now := a.cfg.Now()
			b := signedInPerson{
				ID: person.FormatID(p.ID), Name: p.Name, DocumentKind: string(p.Document.Kind), DocumentNumber: idnum.MaskNumber(p.Document.Number),
				Phone: idnum.MaskPhone(p.Phone), HasPhoto: p.HasPhoto, SteppedUp: c.By.SteppedUp(now), Roles: []string{},
			}
			for _, r := range c.By.Roles {
				if c.By.Is(r, now) {
					b.Roles = append(b.Roles, string(r))
				}
			}
			if c.By.Is(session.Verifier, now) {
				b.Verifier = a.grantsOf(c.By, now)
			}
			return &meOut{"no-store", b}, nil
		})

	type statusOut struct {
		CacheControl string `header:"Cache-Control"`
		Body         myStatus
	}
	register(a, route{method: http.MethodGet, path: "/v1/me/status", id: "get-my-status", summary: "My status and why", caller: resident, class: classOther, outage: true},
		func(ctx context.Context, c *Call, _ *struct{}) (*statusOut, error) {
			st, known, err := a.cfg.Status.Current(ctx, c.By.Person)
			if err != nil {
				return nil, err
			}
			if !known {
				return nil, fault.New(fault.Denied, "suspended", "no status for this person")
			}
			o := &statusOut{CacheControl: "no-store"}
			o.Body.StatusInfo = statusOfPerson(c.Lang, st)
			o.Body.Reason = reasonText(c.Lang, st.Color.String(), st.ReasonCode)
			o.Body.WhatToDo = toDo[st.Color.String()].in(c.Lang)
			o.Body.ChangesAt = stampOrNil(st.ChangesAt)
			return o, nil
		})

	register(a, route{method: http.MethodGet, path: "/v1/me/status/events", id: "watch-my-status",
		summary: "Server-sent events: `status` at once and at each change; a comment every 15 s", caller: resident, class: classOther, outage: true, stream: true},
		a.watchStatus)

	type looksIn struct{ PageIn }
	type looksOut struct {
		CacheControl string `header:"Cache-Control"`
		Body         looks
	}
	register(a, route{method: http.MethodGet, path: "/v1/me/looks", id: "list-my-looks", summary: "Who looked at me, newest first", caller: resident, class: classOther},
		func(ctx context.Context, c *Call, in *looksIn) (*looksOut, error) {
			list, next, err := a.cfg.Scans.BySubject(ctx, c.By.Person, scan.Filter{}, in.page())
			if err != nil {
				return nil, err
			}
			names, err := a.verifierNames(ctx, list)
			if err != nil {
				return nil, err
			}
			o := &looksOut{CacheControl: "no-store"}
			o.Body.Items = []look{}
			for _, s := range list {
				b := look{ID: s.ID.String(), At: stamp(s.At), Scene: string(s.Scene), SceneTitle: a.sceneTitle(c.Lang, s.Scene),
					Verifier: names[s.Verifier], Outcome: string(s.Outcome), Disclosed: []string{}}
				for _, f := range s.Disclosed {
					b.Disclosed = append(b.Disclosed, string(f))
				}
				o.Body.Items = append(o.Body.Items, b)
			}
			if next != "" {
				o.Body.NextCursor = &next
			}
			return o, nil
		})
}

// grantsOf lists the scenes that the person may scan in now, in the book's order.
func (a *API) grantsOf(p *session.Principal, now time.Time) *verifierGrants {
	v := &verifierGrants{Scenes: []string{}}
	var last int64
	open := false
	for _, s := range a.cfg.Scenes.All() {
		if p.MayScanSomewhere(s.Name, now) {
			v.Scenes = append(v.Scenes, string(s.Name))
		}
	}
	for _, g := range p.Grants {
		open = open || g.Until == 0
		last = max(last, g.Until)
	}
	if !open {
		t := stamp(time.UnixMilli(last))
		v.Until = &t
	}
	return v
}

const heartbeat = 15 * time.Second

// watchStatus streams from memory. A stream holds no place of its class: the
// status store caps them, and turns away first when the node is full.
func (a *API) watchStatus(ctx context.Context, c *Call, _ *struct{}) (*huma.StreamResponse, error) {
	changed, stop, err := a.cfg.Status.Watch(c.By.Person)
	if err != nil {
		return nil, err
	}
	by, lang := c.By, c.Lang
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer stop()
		r, w := humago.Unwrap(hc)
		out := http.NewResponseController(w)
		h := w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no")
		w.WriteHeader(http.StatusOK)
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		// The stream ends with the token: the page comes back with a fresh one. One
		// who signed out or was suspended meanwhile gets no other event.
		ends := time.NewTimer(time.UnixMilli(by.Expires).Sub(a.cfg.Now()))
		defer ends.Stop()
		send := func(event func(io.Writer) error) bool {
			// Between events there is none: HTTP/2 resets a stream whose deadline
			// passes, also while nothing is written.
			_ = out.SetWriteDeadline(time.Now().Add(10 * time.Second))
			defer func() { _ = out.SetWriteDeadline(time.Time{}) }()
			return a.cfg.Sessions.Check(by.Session) == nil && a.inGoodStanding(r.Context(), by) == nil &&
				event(w) == nil && out.Flush() == nil
		}
		status := func(w io.Writer) error {
			st, known, err := a.cfg.Status.Current(r.Context(), by.Person)
			if err != nil || !known {
				return err
			}
			data, err := json.Marshal(statusOfPerson(lang, st))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(w, "event: status\ndata: %s\n\n", data)
			return err
		}
		if !send(status) {
			return
		}
		for {
			ok := true
			select {
			case <-changed:
				ok = send(status)
			case <-tick.C:
				ok = send(func(w io.Writer) error { _, err := io.WriteString(w, ": still here\n\n"); return err })
			case <-ends.C:
				ok = false
			case <-a.done:
				ok = false
			case <-r.Context().Done():
				ok = false
			}
			if !ok {
				return
			}
		}
	}}, nil
}
