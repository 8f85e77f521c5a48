package api

import (
	"context"
	"net/http"
	"time"
)

// stamp writes times as the contract has them: RFC 3339, UTC, milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// stampOrNil leaves a time out that isn't known.
func stampOrNil(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t)
}

type city struct {
	Name      string   `json:"name"`
	Hotline   string   `json:"hotline"`
	Zone      string   `json:"zone" example:"Asia/Shanghai"`
	UTCOffset int      `json:"utc_offset_minutes" doc:"The zone's offset now"`
	Demo      bool     `json:"demo" doc:"Every person here is invented"`
	Version   string   `json:"version"`
	SignIn    []string `json:"sign_in" nullable:"false" doc:"How people sign in; empty: not yet"`
}

type sceneInfo struct {
	Name        string   `json:"name"`
	Title       string   `json:"title"`
	Purpose     string   `json:"purpose,omitempty"`
	Discloses   []string `json:"discloses" nullable:"false"`
	ShowsStatus bool     `json:"shows_status"`
	SingleUse   bool     `json:"single_use"`
}

type scenes struct {
	Items []sceneInfo `json:"items" nullable:"false"`
}

type clock struct {
	ServerTime string `json:"server_time" format:"date-time"`
}

func (a *API) registerCity() {
	type out struct{ Body city }
	register(a, route{method: http.MethodGet, path: "/v1/city", id: "get-city", summary: "The city this serves", caller: anyone, class: classOther},
		func(_ context.Context, c *Call, _ *struct{}) (*out, error) {
			here := a.cfg.City
			_, offset := a.cfg.Now().In(a.cfg.Zone).Zone()
			signIn := here.SignIn
			if signIn == nil {
				signIn = []string{}
			}
			return &out{city{Name: here.Name[c.Lang], Hotline: here.Hotline, Zone: here.Zone, UTCOffset: offset / 60, Demo: here.Demo, Version: a.cfg.Version, SignIn: signIn}}, nil
		})

	type timeOut struct {
		CacheControl string `header:"Cache-Control"`
		Body         clock
	}
	register(a, route{method: http.MethodGet, path: "/v1/time", id: "get-time", summary: "The server's clock", caller: anyone, class: classOther},
		func(context.Context, *Call, *struct{}) (*timeOut, error) {
			o := &timeOut{CacheControl: "no-store"}
			o.Body.ServerTime = stamp(a.cfg.Now())
			return o, nil
		})

	type scenesOut struct{ Body scenes }
	register(a, route{method: http.MethodGet, path: "/v1/scenes", id: "list-scenes", summary: "What codes are scanned for, and what each scan discloses", caller: anyone, class: classOther},
		func(_ context.Context, c *Call, _ *struct{}) (*scenesOut, error) {
			o := &scenesOut{}
			o.Body.Items = []sceneInfo{}
			for _, s := range a.cfg.Scenes.All() {
				b := sceneInfo{Name: string(s.Name), Title: s.Title[c.Lang], Purpose: s.Purpose[c.Lang], Discloses: []string{}, ShowsStatus: s.Scheme != "", SingleUse: s.SingleUse}
				for _, f := range s.Fields() {
					b.Discloses = append(b.Discloses, string(f))
				}
				o.Body.Items = append(o.Body.Items, b)
			}
			return o, nil
		})
}
