package server

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/keys"
	"github.com/citycode/citycode/internal/session"
)

// A database put back under a running server doesn't know its node: every
// commit would fail from then on, while the node still looks ready.
func TestAServerThatTheDatabaseForgotEnds(t *testing.T) {
	core, err := Open(t.Context(), CoreConfig{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), core, Config{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { done <- s.Run(ctx) }()
	err = core.DB.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
		_, err := q.Exec(ctx, `delete from node where id = $1`, core.Node.ID())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if fault.CodeOf(err) != "node_forgotten" {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("the server goes on")
	}
}

func TestASessionThatEndedStaysEndedWhileTheServerStarts(t *testing.T) {
	dir := t.TempDir()
	c := start(t, dir, "", nil)
	c.people(zhang)
	token, _ := c.signIn(zhang)
	if a := c.do(http.MethodDelete, token, "/v1/sessions/current", nil); a.status != 204 {
		t.Fatalf("signing out: %d %s", a.status, a.raw)
	}
	c.stop()
	ctx, cancel := context.WithCancel(t.Context())
	var s *session.Store
	core, err := Open(t.Context(), CoreConfig{Data: dir, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := New(t.Context(), core, Config{Listening: func(net.Addr) { // requests are answered from here on
		_, err = s.Open(token, false)
		cancel()
	}})
	if err != nil {
		t.Fatal(err)
	}
	s = srv.sessions
	if err := srv.Run(ctx); err != nil {
		t.Error(err)
	}
	if fault.CodeOf(err) != "session_ended" {
		t.Errorf("when the server begins to listen: %v", err)
	}
}

func TestKeysAreReadAnewThoughNobodySaidSo(t *testing.T) {
	p := dbtest.Fresh(t, db.SQLite)
	core, err := Open(t.Context(), CoreConfig{Data: p.Dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = core.Close(t.Context()) })
	before := len(core.Keys.Generations(keys.Live))
	err = core.DB.Tx(t.Context(), func(ctx context.Context, q db.Querier) error {
		_, err := core.Keys.Rotate(ctx, keys.Live, false, q)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := core.makeKeysAhead(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(core.Keys.Generations(keys.Live)); got != before+1 {
		t.Errorf("%d generations in memory, want %d", got, before+1)
	}
}
