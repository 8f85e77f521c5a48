package api

import (
	"encoding/json"
	"net/http"
)

// Readiness says whether a node can show codes, and what is not as it should be.
type Readiness struct {
	Ready    bool     `json:"ready"`
	Why      []string `json:"why,omitempty"`      // what keeps it from being ready, or well
	Degraded []string `json:"degraded,omitempty"` // parts that are away while codes can still be shown
	Since    string   `json:"started_at"`
}

// Health serves /livez and /readyz, outside /v1 and open to everyone: names of
// parts, never addresses or versions of them.
func (a *API) Health() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"live":true,"server_time":"` + stamp(a.cfg.Now()) + `"}` + "\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		state := a.cfg.Ready()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if !state.Ready {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(state) // the prober went away: nobody to tell
	})
	return mux
}
