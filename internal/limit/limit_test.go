package limit

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/citycode/citycode/internal/fault"
)

func TestACallerHasAMinutesWorthAndThenItsRate(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	r := NewRate(30, func() time.Time { return now })
	for i := range 30 {
		if ok, _ := r.Allow("a"); !ok {
			t.Fatalf("event %d of a burst of 30 was refused", i+1)
		}
	}
	ok, wait := r.Allow("a")
	if ok || wait <= 0 || wait > 2*time.Second {
		t.Fatalf("31st: ok=%v wait=%v, want refused for 2 s", ok, wait)
	}
	if ok, _ := r.Allow("b"); !ok {
		t.Error("another caller was refused")
	}
	now = now.Add(2 * time.Second)
	if ok, _ := r.Allow("a"); !ok {
		t.Error("refused after 2 s at 30 a minute")
	}
}

func TestAFloodOfKeysStaysBounded(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	r := NewRate(30, func() time.Time { return now })
	for i := range 3 * shards * maxKeys {
		r.Allow(fmt.Sprint("key", i))
	}
	total := 0
	for i := range r.shard {
		total += len(r.shard[i].seen)
	}
	if total > shards*maxKeys {
		t.Errorf("%d keys kept, want at most %d", total, shards*maxKeys)
	}
}

func TestAFullGateTurnsAwayAtOnce(t *testing.T) {
	g := NewGate(1, 1, 30*time.Second)
	ctx := context.Background()
	if err := g.Enter(ctx); err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() { second <- g.Enter(ctx) }()
	for g.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := g.Enter(ctx); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("third: %v, want unavailable", err)
	}
	g.Leave()
	if err := <-second; err != nil {
		t.Errorf("the one who waited: %v", err)
	}
	g.Leave()
	if g.Inside() != 0 || g.Shed() != 1 {
		t.Errorf("inside %d shed %d, want 0 and 1", g.Inside(), g.Shed())
	}
	canceled, cancel := context.WithCancel(ctx)
	_ = g.Enter(ctx)
	cancel()
	if err := g.Enter(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who went away: %v", err)
	}
}
