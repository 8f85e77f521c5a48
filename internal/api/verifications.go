package api

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/scan"
	"github.com/citycode/citycode/internal/scene"
	"github.com/citycode/citycode/internal/verify"
)

type subject struct {
	Name           string `json:"name,omitempty"`
	DocumentNumber string `json:"document_number,omitempty"`
	Phone          string `json:"phone,omitempty"`
	PhotoURL       string `json:"photo_url,omitempty" doc:"JPEG, for 60 s, with the same token"`
}

type watermark struct {
	Text string `json:"text" doc:"To be repeated across the result: who scanned, when, which scan"`
}

type credentialInfo struct {
	Kind string `json:"kind"`
}

type verification struct {
	ID          string           `json:"id"`
	Outcome     string           `json:"outcome" enum:"malformed,unknown_key,forged,not_yet_valid,expired,not_valid,not_for_scene,already_used,unconfirmed,valid"`
	Admission   string           `json:"admission" enum:"admit,check,refuse"`
	Kind        *string          `json:"kind" nullable:"true" doc:"live or relative; null: the text was no code"`
	Status      *StatusInfo      `json:"status,omitempty" doc:"Absent unless the code is valid and the scene shows it"`
	Subject     *subject         `json:"subject,omitempty" doc:"What the scene discloses; absent unless the code is valid"`
	Compare     *string          `json:"compare" nullable:"true" doc:"What to compare, for printed codes; null for live ones"`
	Credentials []credentialInfo `json:"credentials" nullable:"false" doc:"Linked credentials that the scene asks for"`
	Watermark   watermark        `json:"watermark"`
	VerifiedAt  string           `json:"verified_at" format:"date-time"`
	Durability  string           `json:"durability" enum:"committed" doc:"committed: survives the loss of this node"`
	Repeated    bool             `json:"repeated,omitempty" doc:"Rebuilt from the record of an earlier request with the same key"`
}

func (a *API) answer(lang string, v verify.Answer) verification {
	b := verification{
		ID: v.ID.String(), Outcome: string(v.Outcome), Admission: string(v.Admission), Credentials: []credentialInfo{},
		VerifiedAt: stamp(v.VerifiedAt), Durability: "committed", Repeated: v.Repeated, Kind: kindName(v.Kind),
	}
	b.Watermark.Text = v.Watermark
	if v.Status != nil {
		s := statusOfPerson(lang, *v.Status)
		b.Status = &s
	}
	if s := v.Subject; s != nil {
		b.Subject = &subject{Name: s.Name, DocumentNumber: s.DocumentNumber, Phone: s.Phone}
		if s.Photo {
			b.Subject.PhotoURL = "/v1/verifications/" + b.ID + "/photo"
		}
	}
	return b
}

func kindName(k code.Kind) *string {
	if k == 0 {
		return nil
	}
	s := k.String()
	return &s
}

// scanInfo is a scan as its verifier may see it afterwards: without the person.
type scanInfo struct {
	ID         string  `json:"id"`
	Outcome    string  `json:"outcome"`
	Admission  string  `json:"admission"`
	Kind       *string `json:"kind" nullable:"true"`
	Scene      string  `json:"scene"`
	SceneTitle string  `json:"scene_title"`
	Color      *string `json:"color" nullable:"true"`
	Method     string  `json:"method"`
	VerifiedAt string  `json:"verified_at" format:"date-time"`
}

func (a *API) scanOf(lang string, s scan.Scan) scanInfo {
	b := scanInfo{
		ID: s.ID.String(), Outcome: string(s.Outcome.ForVerifier()), Admission: string(s.Admission), Kind: kindName(s.Kind),
		Scene: string(s.Scene), SceneTitle: a.sceneTitle(lang, s.Scene), Method: s.Method, VerifiedAt: stamp(s.At),
	}
	if s.Color != 0 {
		c := s.Color.String()
		b.Color = &c
	}
	return b
}

func (a *API) sceneTitle(lang string, n scene.Name) string {
	if s, ok := a.cfg.Scenes.Get(n); ok {
		return s.Title[lang]
	}
	return string(n) // a scene that the city has since taken out of its file
}

// verifierNames gives the masked names of those who scanned.
func (a *API) verifierNames(ctx context.Context, list []scan.Scan) (map[code.Handle]string, error) {
	var ids []code.Handle
	seen := map[code.Handle]bool{}
	for _, s := range list {
		if !seen[s.Verifier] {
			seen[s.Verifier] = true
			ids = append(ids, s.Verifier)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	names, err := a.cfg.People.Names(ctx, ids)
	if err != nil {
		return nil, err
	}
	for id, n := range names {
		names[id] = idnum.MaskName(n)
	}
	return names, nil
}

// RangeIn narrows a list to a time.
type RangeIn struct {
	From time.Time `query:"from" doc:"RFC 3339; this moment included"`
	To   time.Time `query:"to" doc:"RFC 3339; this moment excluded"`
}

type verificationRequest struct {
	Text      string     `json:"text" doc:"What the scanner read, whatever it is"`
	Scene     string     `json:"scene" maxLength:"40"`
	PlaceID   *string    `json:"place_id,omitempty" nullable:"true" maxLength:"40" pattern:"^[A-Za-z0-9_-]*$"`
	Method    *string    `json:"method,omitempty" nullable:"true" enum:"camera,device,manual" doc:"Default manual"`
	ScannedAt *time.Time `json:"scanned_at,omitempty" nullable:"true" doc:"The client's clock; only recorded"`
}

type scans struct {
	Items      []scanInfo `json:"items" nullable:"false"`
	NextCursor *string    `json:"next_cursor" nullable:"true"`
}

type scanCounts struct {
	Total       int64            `json:"total"`
	ByOutcome   map[string]int64 `json:"by_outcome"`
	ByAdmission map[string]int64 `json:"by_admission"`
	ByColor     map[string]int64 `json:"by_color"`
}

func (a *API) registerVerifications() {
	type checkIn struct {
		Key  string `header:"Idempotency-Key" maxLength:"36" doc:"A UUID: the same request again gives the same scan for 24 h"`
		Body verificationRequest
	}
	type checkOut struct {
		CacheControl string `header:"Cache-Control"`
		Body         verification
	}
	register(a, route{method: http.MethodPost, path: "/v1/verifications", id: "verify-code", summary: "Check a scanned code; the answer leaves once the scan is on disk",
		caller: verifier, class: classVerify, outage: true, errors: []int{http.StatusConflict}},
		func(ctx context.Context, c *Call, in *checkIn) (*checkOut, error) {
			r := verify.Request{By: c.By, Text: in.Body.Text, Scene: scene.Name(in.Body.Scene), Method: "manual"}
			if in.Body.PlaceID != nil {
				r.Place = *in.Body.PlaceID
			}
			if in.Body.Method != nil {
				r.Method = *in.Body.Method
			}
			if in.Body.ScannedAt != nil {
				r.ScannedAt = *in.Body.ScannedAt
			}
			if in.Key != "" {
				k, err := uuid.Parse(in.Key)
				if err != nil || len(in.Key) != 36 {
					return nil, fault.New(fault.Invalid, "invalid_idempotency_key", "Idempotency-Key is a UUID")
				}
				r.Key = k.String()
			}
			v, err := a.cfg.Desk.Check(ctx, r)
			if err != nil {
				return nil, err
			}
			if a.cfg.Count != nil && !v.Repeated {
				a.cfg.Count.Verified(string(v.Outcome), string(v.Admission))
			}
			return &checkOut{"no-store", a.answer(c.Lang, v)}, nil
		})

	type listIn struct {
		PageIn
		RangeIn
		Outcome string `query:"outcome" enum:"malformed,unknown_key,forged,not_yet_valid,expired,not_valid,not_for_scene,already_used,unconfirmed,valid"`
	}
	type listOut struct {
		CacheControl string `header:"Cache-Control"`
		Body         scans
	}
	register(a, route{method: http.MethodGet, path: "/v1/verifications", id: "list-verifications", summary: "My own scans, newest first", caller: verifier, class: classOther},
		func(ctx context.Context, c *Call, in *listIn) (*listOut, error) {
			list, next, err := a.cfg.Scans.ByVerifier(ctx, c.By.Person, scan.Filter{From: in.From, To: in.To, Outcome: scan.Outcome(in.Outcome)}, in.page())
			if err != nil {
				return nil, err
			}
			o := &listOut{CacheControl: "no-store"}
			o.Body.Items = []scanInfo{}
			for _, s := range list {
				o.Body.Items = append(o.Body.Items, a.scanOf(c.Lang, s))
			}
			if next != "" {
				o.Body.NextCursor = &next
			}
			return o, nil
		})

	type countsOut struct {
		CacheControl string `header:"Cache-Control"`
		Body         scanCounts
	}
	type countsIn struct{ RangeIn }
	register(a, route{method: http.MethodGet, path: "/v1/verifications/counts", id: "count-verifications", summary: "How many scans I made, by what came of them", caller: verifier, class: classOther},
		func(ctx context.Context, c *Call, in *countsIn) (*countsOut, error) {
			from, to := in.From, in.To
			if to.IsZero() {
				to = a.cfg.Now().Add(time.Minute)
			}
			n, err := a.cfg.Scans.Count(ctx, c.By.Person, from, to)
			if err != nil {
				return nil, err
			}
			o := &countsOut{CacheControl: "no-store"}
			o.Body.Total, o.Body.ByOutcome, o.Body.ByAdmission, o.Body.ByColor = n.Total, n.ByOutcome, n.ByAdmission, n.ByColor
			return o, nil
		})

	type oneIn struct {
		ID string `path:"id" maxLength:"40"`
	}
	type oneOut struct {
		CacheControl string `header:"Cache-Control"`
		Body         scanInfo
	}
	register(a, route{method: http.MethodGet, path: "/v1/verifications/{id}", id: "get-verification", summary: "One of my own scans", caller: verifier, class: classOther, errors: []int{http.StatusNotFound}},
		func(ctx context.Context, c *Call, in *oneIn) (*oneOut, error) {
			id, err := scan.ParseID(in.ID)
			if err != nil {
				return nil, err
			}
			s, err := a.cfg.Scans.Get(ctx, id)
			if err != nil {
				return nil, err
			}
			if s.Verifier != c.By.Person { // another's scan and none look the same
				return nil, fault.New(fault.NotFound, "no_such_scan", "no scan with this id")
			}
			return &oneOut{"no-store", a.scanOf(c.Lang, s)}, nil
		})

	type photoOut struct {
		ContentType  string `header:"Content-Type"`
		CacheControl string `header:"Cache-Control"`
		Body         []byte
	}
	register(a, route{method: http.MethodGet, path: "/v1/verifications/{id}/photo", id: "get-verification-photo", summary: "The photo of the person just checked, where the scene shows it",
		caller: verifier, class: classOther, errors: []int{http.StatusNotFound}},
		func(ctx context.Context, c *Call, in *oneIn) (*photoOut, error) {
			id, err := scan.ParseID(in.ID)
			if err != nil {
				return nil, err
			}
			jpeg, err := a.cfg.Desk.Photo(ctx, c.By, id)
			if err != nil {
				return nil, err
			}
			return &photoOut{"image/jpeg", "no-store", jpeg}, nil
		})
}
