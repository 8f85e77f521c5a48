package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// stream is the answer to a request that stays open.
type stream struct {
	*httptest.ResponseRecorder
	mu       sync.Mutex
	deadline time.Time
	text     string
}

func (s *stream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	return nil
}

func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text += string(b)
	return len(b), nil
}

func (s *stream) Flush() {}

func (s *stream) seen() (text string, deadline time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text, s.deadline
}

// watch opens the stream of a person's status; done is closed when it ends.
func (c *city) watch(token string) (s *stream, done <-chan struct{}) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	s = &stream{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/me/status/events", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	ended := make(chan struct{})
	go func() { defer close(ended); c.srv.Handler().ServeHTTP(s, r) }()
	c.t.Cleanup(func() { cancel(); <-ended })
	c.until("open", func() bool { text, _ := s.seen(); return strings.Contains(text, "green") })
	return s, ended
}

// HTTP/2 resets a stream whose write deadline passes, though nobody writes.
func TestAnOpenPageHasNoDeadlineBetweenEvents(t *testing.T) {
	c := start(t, t.TempDir(), "", nil)
	c.people(zhang)
	token, _ := c.signIn(zhang)
	s, _ := c.watch(token)
	c.until("without a deadline", func() bool { _, deadline := s.seen(); return deadline.IsZero() })
}

func TestAnOpenPageOfOneWhoSignedOutLearnsNothingMore(t *testing.T) {
	c := start(t, t.TempDir(), "", nil)
	c.people(zhang)
	token, _ := c.signIn(zhang)
	s, done := c.watch(token)
	if a := c.do(http.MethodDelete, token, "/v1/sessions/current", nil); a.status != 204 {
		t.Fatalf("signing out: %d %s", a.status, a.raw)
	}
	c.colour(c.core, zhang, "red", "positive_test")
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("the stream goes on")
	}
	if text, _ := s.seen(); strings.Contains(text, "red") {
		t.Errorf("told after signing out: %s", text)
	}
}
