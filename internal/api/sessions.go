package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/session"
)

type personRef struct {
	ID   string `json:"id"`
	Name string `json:"name" doc:"Masked"`
}

type signedInSession struct {
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	ExpiresIn    int       `json:"expires_in" doc:"Seconds"`
	Person       personRef `json:"person"`
}

type signedInOut struct {
	CacheControl string `header:"Cache-Control"`
	Body         signedInSession
}

func signedInAs(t session.Tokens, p *session.Principal) *signedInOut {
	return &signedInOut{CacheControl: "no-store", Body: signedInSession{
		AccessToken: t.Access, RefreshToken: t.Refresh, ExpiresIn: int(t.ExpiresIn.Seconds()),
		Person: personRef{ID: person.FormatID(p.Person), Name: p.Name},
	}}
}

type refreshRequest struct {
	RefreshToken string `json:"refresh_token" maxLength:"200"`
}

func (a *API) registerSessions() {
	type refreshIn struct{ Body refreshRequest }
	register(a, route{method: http.MethodPost, path: "/v1/sessions/refresh", id: "refresh-session",
		summary: "A fresh access token for a refresh token, which is used up", caller: anyone, class: classRefresh, ownRate: true, errors: []int{http.StatusUnauthorized}},
		func(ctx context.Context, c *Call, in *refreshIn) (*signedInOut, error) {
			// A carrier's phones share addresses and refresh every 15 minutes: those
			// with a token of ours are counted by session, the rest by address.
			var err error
			if id, ok := a.cfg.Sessions.RefreshOf(in.Body.RefreshToken); ok {
				err = a.counted(classRefresh, a.rates, "refresh "+strconv.FormatInt(id, 16))
			} else {
				err = a.withinRate(&Call{Address: c.Address}, classRefresh)
			}
			if err != nil {
				return nil, err
			}
			// Strangers may call this: one who sends a body byte by byte must not
			// hold a place meanwhile.
			leave, err := a.enter(ctx, classRefresh)
			if err != nil {
				return nil, err
			}
			defer leave()
			t, p, err := a.cfg.Sessions.Refresh(ctx, in.Body.RefreshToken)
			if err != nil {
				return nil, err
			}
			return signedInAs(t, p), nil
		})

	register(a, route{method: http.MethodDelete, path: "/v1/sessions/current", id: "end-session",
		summary: "Sign out: every token of this session stops on every node within 2 s", caller: signedIn, class: classOther, status: http.StatusNoContent},
		func(ctx context.Context, c *Call, _ *struct{}) (*struct{}, error) {
			return nil, a.cfg.Sessions.End(ctx, c.By.Session, "signed_out")
		})
}

// Demo is the demo's part of the interface: people to try it as.
type Demo struct {
	Personas []Persona
	// SignIn starts a session as a persona; NotFound "unknown_persona" otherwise.
	SignIn func(ctx context.Context, persona string) (session.Tokens, *session.Principal, error)
}

// Persona is an invented person to try the demo as. Name and number are shown
// in the clear, because they are invented.
type Persona struct {
	Persona        string // resident-green, …
	Title, Try     map[string]string
	App            string // resident or verifier
	Name           string
	DocumentKind   string
	DocumentNumber string
}

type personaInfo struct {
	Persona        string `json:"persona"`
	Title          string `json:"title"`
	Try            string `json:"try" doc:"What to try as this person"`
	App            string `json:"app" enum:"resident,verifier"`
	Name           string `json:"name,omitempty" doc:"In the clear: invented"`
	DocumentKind   string `json:"document_kind,omitempty"`
	DocumentNumber string `json:"document_number,omitempty"`
}

type personas struct {
	Items []personaInfo `json:"items" nullable:"false"`
}

type demoSignIn struct {
	Persona string `json:"persona" maxLength:"40"`
}

func (a *API) registerDemo() {
	type listOut struct{ Body personas }
	register(a, route{method: http.MethodGet, path: "/v1/demo/personas", id: "list-personas", summary: "The invented people of the demo", caller: anyone, class: classOther},
		func(_ context.Context, c *Call, _ *struct{}) (*listOut, error) {
			o := &listOut{}
			o.Body.Items = []personaInfo{}
			for _, p := range a.cfg.Demo.Personas {
				o.Body.Items = append(o.Body.Items, personaInfo{p.Persona, p.Title[c.Lang], p.Try[c.Lang], p.App, p.Name, p.DocumentKind, p.DocumentNumber})
			}
			return o, nil
		})

	type startIn struct{ Body demoSignIn }
	register(a, route{method: http.MethodPost, path: "/v1/demo/sessions", id: "start-demo-session", summary: "Sign in as an invented person",
		caller: anyone, class: classOther, status: http.StatusCreated, errors: []int{http.StatusNotFound}},
		func(ctx context.Context, _ *Call, in *startIn) (*signedInOut, error) {
			if a.cfg.Demo.SignIn == nil {
				return nil, fault.New(fault.Unavailable, "starting", "personas can't sign in yet")
			}
			t, p, err := a.cfg.Demo.SignIn(ctx, in.Body.Persona)
			if err != nil {
				return nil, err
			}
			return signedInAs(t, p), nil
		})
}
