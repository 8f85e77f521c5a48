package fault

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Callers whose line breaks at any moment of a request, signing in and scanning,
// which write; everyone else is served on.
func TestCallersWhoHangUpHarmNobody(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		s := serving(t, p.demo("--people", "5")...)
		verifier := s.signIn("verifier")
		text := s.signIn("resident-green").show()
		var callers sync.WaitGroup
		for range 4 {
			callers.Go(func() {
				for range 60 {
					ctx, hangUp := context.WithTimeout(t.Context(), rand.N(6*time.Millisecond))
					var a answer
					if rand.N(2) == 0 {
						a = verifier.call(ctx, http.MethodPost, "/v1/verifications", scanOf(text))
					} else {
						stranger := &client{t: t, url: s.url}
						a = stranger.call(ctx, http.MethodPost, "/v1/demo/sessions", map[string]any{"persona": "elder"})
					}
					hangUp()
					if a.err == nil && a.status >= 500 {
						t.Errorf("%s", a)
					}
				}
			})
		}
		callers.Wait()
		for range 5 {
			if v := verifier.scan(s.signIn("resident-green").show()); v.Outcome != "valid" {
				t.Errorf("afterwards: %+v", v)
			}
		}
		s.stop()
		p.auditHolds(t)
	})
}
