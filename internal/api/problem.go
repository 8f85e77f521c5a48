package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/citycode/citycode/internal/fault"
)

// Problem is the body of every answer of 400 and above under /v1 (RFC 9457).
type Problem struct {
	Type      string         `json:"type" doc:"urn:citycode:problem: and the code"`
	Title     string         `json:"title" doc:"What happened and what to do, in the caller's language"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail,omitempty" doc:"For developers, in English; holds no personal data"`
	Code      string         `json:"code" doc:"Stable; safe to branch on"`
	Errors    []ProblemField `json:"errors,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
}

// ProblemField says which part of a request is wrong.
type ProblemField struct {
	Field  string `json:"field" doc:"Path in the request, such as body.text"`
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`
}

func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus makes a Problem a huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType makes huma send the problem media type.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

var statusOf = map[fault.Kind]int{
	fault.Internal: http.StatusInternalServerError, fault.Invalid: http.StatusUnprocessableEntity,
	fault.Unauthenticated: http.StatusUnauthorized, fault.Denied: http.StatusForbidden,
	fault.NotFound: http.StatusNotFound, fault.Conflict: http.StatusConflict, fault.Expired: http.StatusGone,
	fault.Busy: http.StatusTooManyRequests, fault.Unavailable: http.StatusServiceUnavailable,
}

// codeOfStatus names the refusals that no capability made: the router's and
// the decoder's.
var codeOfStatus = map[int]string{
	http.StatusNotFound: "not_found", http.StatusMethodNotAllowed: "method_not_allowed",
	http.StatusNotAcceptable: "not_acceptable", http.StatusRequestTimeout: "request_timeout",
	http.StatusRequestEntityTooLarge: "body_too_large", http.StatusUnsupportedMediaType: "unsupported_media_type",
	http.StatusUnprocessableEntity: "invalid_request", http.StatusUnauthorized: "not_signed_in",
	http.StatusForbidden: "not_allowed",
}

func newProblem(lang, requestID string, status int, code, detail string) *Problem {
	return &Problem{Type: "urn:citycode:problem:" + code, Title: title(lang, code), Status: status, Detail: detail, Code: code, RequestID: requestID}
}

// problemOf turns an error of a capability into its problem and the seconds
// after which to try again (0: no such header). What isn't a fault is internal:
// it is logged here, once, and only its request id goes out.
func (a *API) problemOf(ctx context.Context, err error) (*Problem, int) {
	c := callOf(ctx)
	f, ok := errors.AsType[*fault.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		f, ok = &fault.Error{Kind: fault.Unavailable, Code: "took_too_long", Detail: "the answer took too long"}, true
	case errors.Is(err, context.Canceled):
		return newProblem(c.Lang, c.RequestID, 499, "client_gone", ""), 0
	}
	if !ok || f.Kind == fault.Internal {
		a.cfg.Log.Error("request failed", "request_id", c.RequestID, "operation", c.Operation, "error", err.Error())
		return newProblem(c.Lang, c.RequestID, http.StatusInternalServerError, "internal", ""), 0
	}
	status := statusOf[f.Kind]
	p := newProblem(c.Lang, c.RequestID, status, f.Code, f.Detail)
	for _, fd := range f.Fields {
		p.Errors = append(p.Errors, ProblemField{Field: fd.Name, Code: fd.Code, Detail: fd.Detail})
	}
	after := 0
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		after = max(1, int(math.Ceil(f.RetryAfter.Seconds())))
		if f.Err != nil {
			a.cfg.Log.Warn("request refused", "request_id", c.RequestID, "operation", c.Operation, "code", f.Code, "error", f.Err.Error())
		}
	}
	return p, after
}

// humaErrors installs, once in the process, the shape of the errors that huma
// makes by itself; the library has no hook that is not global.
var humaErrors = sync.OnceFunc(func() {
	huma.NewErrorWithContext = func(hc huma.Context, status int, msg string, errs ...error) huma.StatusError {
		var lang, id string
		if hc != nil {
			c := callOf(hc.Context())
			lang, id = c.Lang, c.RequestID
		}
		return humaProblem(lang, id, status, msg, errs)
	}
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return humaProblem("", "", status, msg, errs)
	}
})

func humaProblem(lang, id string, status int, msg string, errs []error) *Problem {
	if status == http.StatusBadRequest { // unreadable JSON: the contract has one status for bad input
		status = http.StatusUnprocessableEntity
	}
	code := codeOfStatus[status]
	if code == "" {
		code, msg = "internal", ""
	}
	p := newProblem(lang, id, status, code, msg)
	for _, e := range errs {
		if e == nil {
			continue
		}
		if d, ok := e.(huma.ErrorDetailer); ok { // its Value is left out: it may be personal
			det := d.ErrorDetail()
			p.Errors = append(p.Errors, ProblemField{Field: det.Location, Code: "invalid", Detail: det.Message})
		}
	}
	return p
}

// writeProblem answers outside huma: the router's own refusals.
func writeProblem(w http.ResponseWriter, p *Problem, retryAfter int) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	if retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client went away: nobody to tell
}

func retryHeader(seconds int) http.Header {
	return http.Header{"Retry-After": {strconv.Itoa(seconds)}}
}

// busy is the answer to a caller who exceeds a rate.
func busy(after time.Duration) error {
	return &fault.Error{Kind: fault.Busy, Code: "too_many_requests", Detail: fmt.Sprintf("again in %d s", int(math.Ceil(after.Seconds()))), RetryAfter: after}
}
