package api

import (
	"context"
	"net/http"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/mint"
	"github.com/citycode/citycode/internal/status"
)

// StatusInfo is a status as an answer holds it.
type StatusInfo struct {
	Scheme     string `json:"scheme" example:"health"`
	Color      string `json:"color" enum:"green,yellow,red"`
	Label      string `json:"label" doc:"The colour's word in the caller's language"`
	ReasonCode string `json:"reason_code,omitempty"`
	Since      string `json:"since,omitempty" format:"date-time" doc:"When the colour began"`
	AsOf       string `json:"as_of,omitempty" format:"date-time" doc:"How fresh this is"`
}

func statusOfPerson(lang string, s status.Status) StatusInfo {
	color := s.Color.String()
	return StatusInfo{Scheme: s.Scheme, Color: color, Label: colorLabels[color].in(lang), ReasonCode: s.ReasonCode, Since: stampOrNil(s.Since), AsOf: stampOrNil(s.AsOf)}
}

type codeRequest struct {
	RelativeID *string `json:"relative_id,omitempty" nullable:"true" maxLength:"40" doc:"Show this relative's code instead of one's own"`
}

type liveCode struct {
	Text      string `json:"text" doc:"61 characters of A-Z2-7, for a QR code" minLength:"61" maxLength:"61"`
	Kind      string `json:"kind" enum:"live,relative"`
	IssuedAt  string `json:"issued_at" format:"date-time"`
	ExpiresAt string `json:"expires_at" format:"date-time"`
}

type holder struct {
	Name string `json:"name" doc:"Masked"`
}

type shownCode struct {
	Code         liveCode   `json:"code"`
	Status       StatusInfo `json:"status"`
	Holder       holder     `json:"holder"`
	ServerTime   string     `json:"server_time" format:"date-time"`
	RefreshAfter int        `json:"refresh_after_s"`
	Degraded     bool       `json:"degraded" doc:"The status is from memory; the database is away"`
}

func (a *API) registerCodes() {
	type in struct {
		Body codeRequest
	}
	type out struct {
		CacheControl string `header:"Cache-Control"`
		Body         shownCode
	}
	register(a, route{method: http.MethodPost, path: "/v1/codes", id: "mint-code", summary: "A fresh code to show, valid for one minute",
		caller: resident, class: classShow, status: http.StatusCreated, outage: true, errors: []int{http.StatusNotFound}},
		func(ctx context.Context, c *Call, in *in) (*out, error) {
			if in.Body.RelativeID != nil {
				return nil, fault.New(fault.NotFound, "unknown_relative", "this person has no such relative")
			}
			st, known, err := a.cfg.Status.Current(ctx, c.By.Person)
			if err != nil {
				return nil, err
			}
			if !known || st.Suspended || st.Deceased {
				return nil, fault.New(fault.Denied, "suspended", "the person is suspended")
			}
			m, err := a.cfg.Minter.Mint(code.KindLive, c.By.Person)
			if err != nil {
				return nil, err
			}
			if a.cfg.Count != nil {
				a.cfg.Count.Minted()
			}
			o := &out{CacheControl: "no-store"}
			o.Body.Code.Text, o.Body.Code.Kind = string(m.Text), m.Kind.String()
			o.Body.Code.IssuedAt, o.Body.Code.ExpiresAt = stamp(m.IssuedAt), stamp(m.ExpiresAt)
			o.Body.Status = statusOfPerson(c.Lang, st)
			o.Body.Holder.Name = c.By.Name
			o.Body.ServerTime = stamp(a.cfg.Now())
			o.Body.RefreshAfter = int(mint.RefreshAfter.Seconds())
			o.Body.Degraded = a.cfg.Outage()
			return o, nil
		})
}
