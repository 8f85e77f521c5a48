package commit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/fault"
)

// held is a write function that waits for leave to go on, so that a test can
// let items gather behind it.
type held struct {
	entered chan []int
	leave   chan error
}

func newHeld() *held { return &held{make(chan []int, 100), make(chan error, 100)} }

func (h *held) write(_ context.Context, items []int) error {
	h.entered <- slices.Clone(items)
	return <-h.leave
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("waited 30 s in vain")
		panic("unreachable")
	}
}

func waitDepth(t *testing.T, g *commit.Group[int], want int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); g.Depth() != want; {
		if time.Now().After(end) {
			t.Fatalf("depth is %d, want %d", g.Depth(), want)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestItemsThatWaitBecomeOneBatch(t *testing.T) {
	h := newHeld()
	g := commit.NewGroup(commit.GroupConfig{}, h.write)
	results := make(chan error, 100)
	do := func(n int) { go func() { results <- g.Do(t.Context(), n) }() }

	do(1)
	if first := receive(t, h.entered); len(first) != 1 {
		t.Fatalf("first batch has %d items", len(first))
	}
	for n := range 50 {
		do(n)
	}
	waitDepth(t, g, 50)
	if len(results) != 0 {
		t.Fatal("a caller returned before its batch was durable")
	}
	h.leave <- nil
	if second := receive(t, h.entered); len(second) != 50 {
		t.Errorf("second batch has %d items, want 50", len(second))
	}
	h.leave <- nil
	for range 51 {
		if err := receive(t, results); err != nil {
			t.Error(err)
		}
	}
	g.Close()
}

func TestABatchHoldsNoMoreThanItsLimit(t *testing.T) {
	h := newHeld()
	g := commit.NewGroup(commit.GroupConfig{Batch: 8}, h.write)
	defer g.Close()
	results := make(chan error, 100)
	for n := range 21 {
		go func() { results <- g.Do(t.Context(), n) }()
		if n == 0 {
			receive(t, h.entered)
		}
	}
	waitDepth(t, g, 20)
	for _, want := range []int{8, 8, 4} {
		h.leave <- nil
		if b := receive(t, h.entered); len(b) != want {
			t.Errorf("batch of %d, want %d", len(b), want)
		}
	}
	h.leave <- nil
	for range 21 {
		receive(t, results)
	}
}

func TestAFullQueueAnswersAtOnce(t *testing.T) {
	h := newHeld()
	g := commit.NewGroup(commit.GroupConfig{Queue: 2}, h.write)
	results := make(chan error, 3)
	go func() { results <- g.Do(t.Context(), 0) }()
	receive(t, h.entered)
	for n := range 2 {
		go func() { results <- g.Do(t.Context(), n) }()
	}
	waitDepth(t, g, 2)
	if err := g.Do(t.Context(), 9); fault.CodeOf(err) != "overloaded" || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	h.leave <- nil
	h.leave <- nil
	g.Close()
	for range 3 {
		if err := receive(t, results); err != nil {
			t.Error(err)
		}
	}
}

func TestOnlyTheBadItemsCallersGetTheirError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 64).Draw(t, "items")
		bad := rapid.SliceOfN(rapid.Bool(), count, count).Draw(t, "bad")
		entered, hold := make(chan struct{}), make(chan struct{})
		var mu sync.Mutex
		written := make(map[int]int)
		g := commit.NewGroup(commit.GroupConfig{}, func(_ context.Context, items []int) error {
			if items[0] == -1 {
				close(entered)
				<-hold // the others gather meanwhile
				return nil
			}
			for _, n := range items {
				if bad[n] {
					return fmt.Errorf("item %d is bad", n)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for _, n := range items {
				written[n]++
			}
			return nil
		})
		go g.Do(context.Background(), -1)
		<-entered
		errs := make([]error, count)
		var wg sync.WaitGroup
		for n := range count {
			wg.Go(func() { errs[n] = g.Do(context.Background(), n) })
		}
		for g.Depth() < count {
			time.Sleep(10 * time.Microsecond)
		}
		close(hold)
		wg.Wait()
		g.Close()
		for n := range count {
			switch {
			case bad[n] && (errs[n] == nil || errs[n].Error() != fmt.Sprintf("item %d is bad", n)):
				t.Fatalf("bad item %d got %v", n, errs[n])
			case bad[n] && written[n] != 0, !bad[n] && (errs[n] != nil || written[n] != 1):
				t.Fatalf("item %d: error %v, written %d times", n, errs[n], written[n])
			}
		}
	})
}

func TestABatchIsNotSplitWhenTheDatabaseIsGone(t *testing.T) {
	for _, gone := range []error{
		fault.New(fault.Unavailable, "database_unavailable", "gone"),
		fault.New(fault.Busy, "database_contention", "too much"),
		context.DeadlineExceeded,
	} {
		h := newHeld()
		g := commit.NewGroup(commit.GroupConfig{}, h.write)
		results := make(chan error, 10)
		go func() { results <- g.Do(t.Context(), 0) }()
		receive(t, h.entered)
		for n := range 9 {
			go func() { results <- g.Do(t.Context(), n) }()
		}
		waitDepth(t, g, 9)
		h.leave <- nil
		receive(t, h.entered)
		h.leave <- gone
		failed := 0
		for range 10 {
			if err := receive(t, results); errors.Is(err, gone) {
				failed++
			}
		}
		g.Close()
		if failed != 9 || len(h.entered) != 0 {
			t.Errorf("%v: %d callers told, %d more writes", gone, failed, len(h.entered))
		}
	}
}

func TestAPanicInWriteBecomesAnErrorOfTheItemAlone(t *testing.T) {
	entered, h := make(chan struct{}), make(chan struct{})
	g := commit.NewGroup(commit.GroupConfig{}, func(_ context.Context, items []int) error {
		if items[0] == -1 {
			close(entered)
			<-h
		}
		var none []int
		if slices.Contains(items, 3) {
			_ = none[len(items)]
		}
		return nil
	})
	go g.Do(t.Context(), -1)
	<-entered
	results := make([]chan error, 6)
	for n := range results {
		results[n] = make(chan error, 1)
		go func() { results[n] <- g.Do(t.Context(), n) }()
	}
	waitDepth(t, g, len(results))
	close(h)
	for n := range results {
		if err := receive(t, results[n]); (err != nil) != (n == 3) {
			t.Errorf("item %d: %v", n, err)
		}
	}
	if err := g.Do(t.Context(), 7); err != nil {
		t.Errorf("after the panic: %v", err)
	}
	g.Close()
}

func TestACallerStopsWaitingWithItsContext(t *testing.T) {
	h := newHeld()
	g := commit.NewGroup(commit.GroupConfig{}, h.write)
	first := make(chan error, 1)
	go func() { first <- g.Do(t.Context(), 0) }()
	receive(t, h.entered)
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() { second <- g.Do(ctx, 1) }()
	waitDepth(t, g, 1)
	cancel()
	if err := receive(t, second); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	h.leave <- nil
	if err := receive(t, first); err != nil {
		t.Error(err)
	}
	g.Close()
	if len(h.entered) != 0 {
		t.Error("the item of a caller that had gone was written")
	}
}

func TestABatchThatTakesTooLongIsUnavailable(t *testing.T) {
	g := commit.NewGroup(commit.GroupConfig{Timeout: time.Millisecond}, func(ctx context.Context, _ []int) error {
		<-ctx.Done()
		return ctx.Err()
	})
	defer g.Close()
	if err := g.Do(t.Context(), 1); fault.CodeOf(err) != "commit_timeout" {
		t.Errorf("got %v", err)
	}
}

func TestCloseWritesWhatWaitsAndTakesNoMore(t *testing.T) {
	h := newHeld()
	g := commit.NewGroup(commit.GroupConfig{}, h.write)
	results := make(chan error, 10)
	go func() { results <- g.Do(t.Context(), 0) }()
	receive(t, h.entered)
	for n := range 9 {
		go func() { results <- g.Do(t.Context(), n) }()
	}
	waitDepth(t, g, 9)
	h.leave <- nil
	h.leave <- nil
	g.Close()
	g.Close() // twice does no harm
	for range 10 {
		if err := receive(t, results); err != nil {
			t.Error(err)
		}
	}
	if err := g.Do(t.Context(), 1); fault.CodeOf(err) != "closing" {
		t.Errorf("after Close: %v", err)
	}
}

func TestManyCallersAndCloseAtOnce(t *testing.T) {
	var mu sync.Mutex
	written := make(map[int]bool)
	g := commit.NewGroup(commit.GroupConfig{Queue: 64, Batch: 16}, func(_ context.Context, items []int) error {
		mu.Lock()
		defer mu.Unlock()
		for _, n := range items {
			written[n] = true
		}
		return nil
	})
	var wg sync.WaitGroup
	acked := make([]bool, 2000)
	for n := range acked {
		wg.Go(func() { acked[n] = g.Do(t.Context(), n) == nil })
		if n == 1500 {
			wg.Go(g.Close)
		}
	}
	wg.Wait()
	for n, ok := range acked {
		if ok != written[n] {
			t.Errorf("item %d: acknowledged %v, written %v", n, ok, written[n])
		}
	}
}
