package commit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/citycode/citycode/internal/fault"
)

// GroupConfig sizes a Group. Its zero value works.
type GroupConfig struct {
	Queue   int           // items that may wait; 0 is 4096
	Batch   int           // items in one write; 0 is 512
	Timeout time.Duration // for a batch, splitting included; 0 is 10 s
	Log     *slog.Logger
}

// Group collects items from many callers and writes them in batches.
type Group[T any] struct {
	cfg   GroupConfig
	write func(ctx context.Context, items []T) error
	queue chan *waiting[T]
	done  chan struct{} // closed when the committer has ended

	mu     sync.RWMutex // held for reading while something is sent to queue
	closed bool
}

type waiting[T any] struct {
	ctx    context.Context
	item   T
	result chan error // holds one, so that the committer never waits
}

// NewGroup starts the committer; Close stops it. write must make all items
// durable or none. It is called by one goroutine, and called again with a part
// of its items when it failed.
func NewGroup[T any](c GroupConfig, write func(ctx context.Context, items []T) error) *Group[T] {
	if c.Queue <= 0 {
		c.Queue = 4096
	}
	if c.Batch <= 0 {
		c.Batch = 512
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	g := &Group[T]{cfg: c, write: write, queue: make(chan *waiting[T], c.Queue), done: make(chan struct{})}
	go g.run()
	return g
}

// Do returns when the item is durable, or with the reason why it isn't: Unavailable
// "overloaded" at once when the queue is full, and "closing" after Close, the
// error of write, or that of ctx, in which case the item may yet be written.
func (g *Group[T]) Do(ctx context.Context, item T) error {
	w := &waiting[T]{ctx, item, make(chan error, 1)}
	if err := g.enqueue(w); err != nil {
		return err
	}
	select {
	case err := <-w.result:
		return err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the group's commit: %w", ctx.Err())
	}
}

func (g *Group[T]) enqueue(w *waiting[T]) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return errClosing()
	}
	select {
	case g.queue <- w:
		return nil
	default:
		return fault.New(fault.Unavailable, "overloaded", "%d items wait to be written", cap(g.queue))
	}
}

func errClosing() error {
	return fault.New(fault.Unavailable, "closing", "this process is shutting down")
}

// Depth is how many items wait for a batch.
func (g *Group[T]) Depth() int { return len(g.queue) }

// Close takes no more items, writes those that wait, and returns when that is
// done.
func (g *Group[T]) Close() {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		close(g.queue)
	}
	g.mu.Unlock()
	<-g.done
}

func (g *Group[T]) run() {
	defer close(g.done)
	batch := make([]*waiting[T], 0, g.cfg.Batch)
	for w := range g.queue {
		batch = g.fill(append(batch[:0], w))
		ctx, cancel := context.WithTimeout(context.Background(), g.cfg.Timeout)
		g.commit(ctx, batch)
		cancel()
		clear(batch) // hold on to no caller's item
	}
}

// fill adds what waits already, and drops those whose callers have gone: they
// have their answer.
func (g *Group[T]) fill(batch []*waiting[T]) []*waiting[T] {
	if batch[0].ctx.Err() != nil {
		batch = batch[:0]
	}
	for len(batch) < g.cfg.Batch {
		select {
		case w, ok := <-g.queue:
			if !ok {
				return batch
			}
			if w.ctx.Err() == nil {
				batch = append(batch, w)
			}
		default:
			return batch
		}
	}
	return batch
}

// commit writes the batch; if that fails it tries the halves, so that one bad
// item fails alone (with 512 items after 19 writes). It doesn't split when the
// items aren't the reason.
func (g *Group[T]) commit(ctx context.Context, batch []*waiting[T]) {
	if len(batch) == 0 {
		return
	}
	items := make([]T, len(batch))
	for i, w := range batch {
		items[i] = w.item
	}
	err := g.try(ctx, items)
	if err != nil && ctx.Err() != nil {
		err = fault.Wrap(fault.Unavailable, "commit_timeout", err, "a batch took longer than %s", g.cfg.Timeout)
	}
	if err != nil && len(batch) > 1 && itemsAtFault(err) {
		g.commit(ctx, batch[:len(batch)/2])
		g.commit(ctx, batch[len(batch)/2:])
		return
	}
	for _, w := range batch {
		w.result <- err
	}
}

func itemsAtFault(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Busy:
		return false
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// try calls write and turns a panic into an error: it would end the process
// with hundreds of callers waiting, for what may be one bad item.
func (g *Group[T]) try(ctx context.Context, items []T) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		what := fmt.Sprintf("%T", p) // the value may hold the item
		if e, ok := p.(runtime.Error); ok {
			what = e.Error()
		}
		g.cfg.Log.Error("writing a batch panicked", slog.String("panic", what), slog.Int("items", len(items)), slog.String("stack", string(debug.Stack())))
		err = fmt.Errorf("writing a batch panicked: %s", what)
	}()
	return g.write(ctx, items)
}
