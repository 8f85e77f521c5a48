package api

import (
	"context"
	"encoding/json"
	"net/http"
	"sort"
	"strings"
	"sync"
)

// Handler serves /v1/ and /openapi.json. The server puts a Call into each
// request's context first (WithCall).
func (a *API) Handler() http.Handler {
	document := sync.OnceValues(func() ([]byte, error) { return json.Marshal(a.huma.OpenAPI()) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/openapi.json" {
			doc, err := document()
			if err != nil {
				a.cfg.Log.Error("openapi", "error", err)
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-cache")
			_, _ = w.Write(doc)
			return
		}
		if _, pattern := a.mux.Handler(r); pattern == "" {
			a.noRoute(w, r)
			return
		}
		a.mux.ServeHTTP(w, r)
	})
}

var methods = []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost, http.MethodPut}

// noRoute tells an unknown path (404) from a known path with another method
// (405 with Allow).
func (a *API) noRoute(w http.ResponseWriter, r *http.Request) {
	c := callOf(r.Context())
	var allow []string
	for _, m := range methods {
		try := r.Clone(r.Context())
		try.Method = m
		if _, pattern := a.mux.Handler(try); pattern != "" {
			allow = append(allow, m)
		}
	}
	if len(allow) == 0 {
		writeProblem(w, newProblem(c.Lang, c.RequestID, http.StatusNotFound, "not_found", "no such path"), 0)
		return
	}
	sort.Strings(allow)
	w.Header().Set("Allow", strings.Join(allow, ", "))
	writeProblem(w, newProblem(c.Lang, c.RequestID, http.StatusMethodNotAllowed, "method_not_allowed", "use "+strings.Join(allow, " or ")), 0)
}

// Refuse answers outside any operation with the problem of err: for the
// server's own limits.
func (a *API) Refuse(ctx context.Context, w http.ResponseWriter, err error) {
	p, after := a.problemOf(ctx, err)
	writeProblem(w, p, after)
}

// LanguageOf picks the language of answers from an Accept-Language header.
func LanguageOf(header string) string { return languageOf(header) }
