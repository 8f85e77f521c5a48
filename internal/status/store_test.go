package status

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/feed"
	"github.com/citycode/citycode/internal/keys"
)

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 22, 6, 3, 5, 700e6, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// node is one process on the database.
type node struct {
	*Store
	feed *feed.Reader
	node *commit.Node
	db   *db.DB
}

// open starts a process; dir is its data folder, "" for none.
func open(t *testing.T, d *dbtest.Pair, c *clock, dir, name string) *node {
	t.Helper()
	ctx := t.Context()
	keyPath := filepath.Join(t.TempDir(), "key")
	file, err := keys.CreateFile(keyPath)
	if err != nil {
		t.Fatal(err)
	}
	if saved := filepath.Join(keyFolder(t, d), "key"); fileExists(saved) {
		if file, err = keys.LoadFile(saved); err != nil {
			t.Fatal(err)
		}
	} else if err := os.Rename(keyPath, saved); err != nil {
		t.Fatal(err)
	}
	keeper, err := keys.Open(ctx, keys.Config{DB: d.Main, File: file, Now: c.now, Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{db: d.Main}
	n.node, err = commit.Open(ctx, commit.Config{DB: d.Main, Keys: keeper, Name: name, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	n.feed = feed.NewReader(feed.Config{DB: d.Main, Now: c.now})
	n.Store = New(Config{DB: d.Main, Node: n.node, Feed: n.feed, Dir: dir, NodeName: name, Now: c.now, Watchers: 3})
	return n
}

// keyFolders: one key file a database.
var keyFolders sync.Map

func keyFolder(t *testing.T, d *dbtest.Pair) string {
	dir, _ := keyFolders.LoadOrStore(d.Dir+d.URL, t.TempDir())
	return dir.(string)
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (n *node) do(t *testing.T, fn func(ctx context.Context, tx *commit.Tx) error) {
	t.Helper()
	if err := n.node.Do(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func (n *node) set(t *testing.T, list ...Assignment) {
	t.Helper()
	n.do(t, func(ctx context.Context, tx *commit.Tx) error { return n.Set(ctx, tx, list) })
}

func (n *node) create(t *testing.T, people ...code.Handle) {
	t.Helper()
	n.do(t, func(ctx context.Context, tx *commit.Tx) error { return n.Create(ctx, tx, people) })
}

func (n *node) poll(t *testing.T) {
	t.Helper()
	if err := n.feed.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (n *node) load(t *testing.T) {
	t.Helper()
	if err := n.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (n *node) current(t *testing.T, h code.Handle) Status {
	t.Helper()
	st, ok, err := n.Current(t.Context(), h)
	if err != nil || !ok {
		t.Fatalf("Current(%d): %v %v", h, ok, err)
	}
	return st
}

// inMemory is Current without the way to the database.
func (n *node) inMemory(h code.Handle) (entry, bool) {
	e, ok := n.Store.memory.Load().get(uint64(h))
	return e.at(n.cfg.Now().Unix()), ok
}

const far = code.Handle(1<<63 + 12345) // negative in the database

func TestEverybodyBeginsGreen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newClock()
		n := open(t, d, c, "", "a")
		n.load(t)
		n.create(t, 1, far, 1)
		// Before the feed has brought them, and after.
		for _, polled := range []bool{false, true} {
			if polled {
				n.poll(t)
			}
			if _, ok := n.inMemory(far); ok != polled {
				t.Errorf("in memory: %v, want %v", ok, polled)
			}
			want := Status{Scheme: "health", Color: Green, ReasonCode: "no_adverse_record", Since: c.now().Truncate(time.Second), AsOf: c.now()}
			for _, h := range []code.Handle{1, far} {
				if diff := cmp.Diff(want, n.current(t, h), cmp.Comparer(time.Time.Equal)); diff != "" {
					t.Errorf("polled %v: %s", polled, diff)
				}
			}
		}
		if _, ok, err := n.Current(t.Context(), 99); ok || err != nil {
			t.Errorf("a stranger gave %v %v", ok, err)
		}
		if n.Len() != 2 || n.Counts() != (Counts{Green: 2}) {
			t.Errorf("%d people, %+v", n.Len(), n.Counts())
		}
	})
}

func TestAColourSetOnOneNodeIsSeenOnAnother(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newClock()
		a, b := open(t, d, c, "", "a"), open(t, d.Open(), c, "", "b")
		a.load(t)
		b.load(t)
		a.create(t, 1, far)
		b.poll(t)
		c.add(time.Hour)
		a.set(t, Assignment{Person: far, Color: Red, ReasonCode: "test_positive"})
		b.poll(t)
		got := b.current(t, far)
		if got.Color != Red || got.ReasonCode != "test_positive" || !got.Since.Equal(c.now().Truncate(time.Second)) {
			t.Errorf("got %+v", got)
		}
		if st := b.current(t, 1); st.Color != Green {
			t.Errorf("the other person is %v", st.Color)
		}
		// Set again: nothing changes, nothing is announced.
		began := got.Since
		c.add(time.Hour)
		head := b.feed.Position()
		a.set(t, Assignment{Person: far, Color: Red, ReasonCode: "test_positive"})
		b.poll(t)
		if diff := cmp.Diff(head[a.node.ID()], b.feed.Position()[a.node.ID()]); diff != "" {
			t.Errorf("an assignment without a difference was announced: %s", diff)
		}
		// Another reason for the same colour leaves when it began.
		a.set(t, Assignment{Person: far, Color: Red, ReasonCode: "test_positive_again"})
		b.poll(t)
		if got = b.current(t, far); !got.Since.Equal(began) || got.ReasonCode != "test_positive_again" {
			t.Errorf("got %+v, want since %v", got, began)
		}
	})
}

func TestNodesThatChangeOnePersonAtOnceEndUpAlike(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newClock()
		a, b := open(t, d, c, "", "a"), open(t, d.Open(), c, "", "b")
		a.create(t, 1)
		a.load(t)
		b.load(t)
		var both sync.WaitGroup
		for i, n := range []*node{a, b} {
			both.Go(func() {
				for k := range 10 {
					err := n.node.Do(t.Context(), func(ctx context.Context, tx *commit.Tx) error {
						return n.Set(ctx, tx, []Assignment{{Person: 1, Color: Color(1 + (k+i)%3), ReasonCode: "drill"}})
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		both.Wait()
		a.poll(t)
		b.poll(t)
		stored, _, err := a.fromDatabase(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []*node{a, b} {
			if e, _ := n.inMemory(1); e.Color != stored.Color {
				t.Errorf("memory has %v, the database %v", e.Color, stored.Color)
			}
		}
	})
}

func TestAKnownChangeHappensByItselfAndThroughRestarts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newClock()
		n := open(t, d, c, "", "a")
		n.create(t, 1)
		n.load(t)
		due := c.now().Add(7*24*time.Hour + 300*time.Millisecond)
		n.set(t, Assignment{Person: 1, Color: Yellow, ReasonCode: "close_contact", ChangesAt: due, NextColor: Green, NextReasonCode: "observation_ended"})
		n.poll(t)
		if st := n.current(t, 1); st.Color != Yellow || st.ChangesAt.Before(due) || st.ChangesAt.Sub(due) >= time.Second {
			t.Fatalf("got %+v", st)
		}
		c.add(7*24*time.Hour - time.Second)
		n.poll(t)
		if st := n.current(t, 1); st.Color != Yellow {
			t.Errorf("a second too early: %+v", st)
		}
		c.add(3 * time.Second)
		restarted := open(t, d.Open(), c, "", "b")
		restarted.load(t)
		for name, n := range map[string]*node{"running": n, "restarted": restarted} {
			st := n.current(t, 1)
			if st.Color != Green || st.ReasonCode != "observation_ended" || !st.ChangesAt.IsZero() || st.Since.Before(due) {
				t.Errorf("%s: %+v", name, st)
			}
			if n.Counts().Green != 1 {
				t.Errorf("%s: %+v", name, n.Counts())
			}
		}
		// The colour that began by itself goes on under a new reason.
		began := n.current(t, 1).Since
		c.add(time.Hour)
		n.set(t, Assignment{Person: 1, Color: Green, ReasonCode: "vaccinated"})
		n.poll(t)
		if st := n.current(t, 1); !st.Since.Equal(began) {
			t.Errorf("since %v, want %v", st.Since, began)
		}
	})
}

func TestASuspendedPersonStaysSuspendedWhateverTheColour(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		n := open(t, d, newClock(), "", "a")
		n.create(t, 1)
		n.load(t)
		n.do(t, func(ctx context.Context, tx *commit.Tx) error { return n.SetFlags(ctx, tx, 1, true, false) })
		n.set(t, Assignment{Person: 1, Color: Yellow, ReasonCode: "close_contact"})
		n.poll(t)
		if st := n.current(t, 1); !st.Suspended || st.Deceased || st.Color != Yellow {
			t.Errorf("got %+v", st)
		}
		n.do(t, func(ctx context.Context, tx *commit.Tx) error { return n.SetFlags(ctx, tx, 1, false, true) })
		n.poll(t)
		if st := n.current(t, 1); st.Suspended || !st.Deceased {
			t.Errorf("got %+v", st)
		}
		err := n.node.Do(t.Context(), func(ctx context.Context, tx *commit.Tx) error { return n.SetFlags(ctx, tx, 2, true, false) })
		if fault.KindOf(err) != fault.NotFound {
			t.Errorf("a stranger gave %v", err)
		}
	})
}

func TestAPersonErasedIsGoneFromMemory(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		n := open(t, d, newClock(), "", "a")
		n.create(t, 1, 2)
		n.load(t)
		n.do(t, func(ctx context.Context, tx *commit.Tx) error {
			_, err := tx.Exec(ctx, `delete from status where person = 1`)
			announce(tx, []int64{1})
			return err
		})
		n.poll(t)
		if _, ok, err := n.Current(t.Context(), 1); ok || err != nil || n.Len() != 1 {
			t.Errorf("got %v %v, %d people", ok, err, n.Len())
		}
	})
}

func TestWhatIsNoStatusIsRefused(t *testing.T) {
	n := open(t, dbtest.Open(t, db.SQLite), newClock(), "", "a")
	for name, c := range map[string]struct {
		a    Assignment
		code string
	}{
		"nobody":         {Assignment{Color: Green, ReasonCode: "x"}, "no_person"},
		"no colour":      {Assignment{Person: 1, ReasonCode: "x"}, "invalid_color"},
		"a wrong colour": {Assignment{Person: 1, Color: 4, ReasonCode: "x"}, "invalid_color"},
		"no reason":      {Assignment{Person: 1, Color: Green}, "invalid_reason_code"},
		"a name":         {Assignment{Person: 1, Color: Green, ReasonCode: "张三"}, "invalid_reason_code"},
		"half a change":  {Assignment{Person: 1, Color: Green, ReasonCode: "x", ChangesAt: time.Unix(1, 0)}, "invalid_change"},
	} {
		err := n.node.Do(t.Context(), func(ctx context.Context, tx *commit.Tx) error { return n.Set(ctx, tx, []Assignment{c.a}) })
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestThousandsAreReadInPagesAndAnnouncedInBatches(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		n := open(t, d, newClock(), "", "a")
		n.load(t)
		const people = 2*pageSize + 17
		for from := 0; from < people; from += MaxBatch {
			var some []code.Handle
			for k := from; k < min(from+MaxBatch, people); k++ {
				some = append(some, code.Handle(k+1)*0x9E3779B97F4A7C15)
			}
			n.create(t, some...)
		}
		n.poll(t)
		if n.Len() != people {
			t.Errorf("%d by the feed, want %d", n.Len(), people)
		}
		again := open(t, d.Open(), newClock(), "", "b")
		again.load(t)
		if again.Len() != people || !again.Loaded() {
			t.Errorf("%d by loading, want %d", again.Len(), people)
		}
	})
}

func TestWithoutTheDatabaseMemoryGoesOnAndStrangersAreAnError(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	c := newClock()
	n := open(t, d, c, "", "a")
	n.create(t, 1)
	n.load(t)
	d.Main.Close()
	c.add(time.Minute)
	if st := n.current(t, 1); st.Color != Green || c.now().Sub(st.AsOf) < time.Minute {
		t.Errorf("got %+v", st)
	}
	if _, _, err := n.Current(t.Context(), 2); err == nil {
		t.Error("a stranger without a database is no error")
	}
	if n.Staleness() < time.Minute {
		t.Errorf("staleness %v", n.Staleness())
	}
}

func TestThoseWhoWatchAreWokenOnceForEachChange(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newClock()
		n := open(t, d, c, "", "a")
		n.create(t, 1, 2)
		n.load(t)
		ch, stop, err := n.Watch(1)
		if err != nil {
			t.Fatal(err)
		}
		woken := func() bool {
			select {
			case <-ch:
				return true
			default:
				return false
			}
		}
		n.set(t, Assignment{Person: 2, Color: Red, ReasonCode: "test_positive"})
		n.poll(t)
		if woken() {
			t.Error("woken by another person's change")
		}
		n.set(t, Assignment{Person: 1, Color: Yellow, ReasonCode: "close_contact", ChangesAt: c.now().Add(time.Hour), NextColor: Green, NextReasonCode: "ended"})
		n.poll(t)
		if !woken() || woken() {
			t.Error("not woken once by the change")
		}
		n.wakeChanged()
		if woken() {
			t.Error("woken without a change")
		}
		c.add(time.Hour + time.Second)
		n.wakeChanged()
		if !woken() {
			t.Error("not woken by a change that came due")
		}
		stop()
		stop()
		if n.Watching() != 0 {
			t.Errorf("%d still watch", n.Watching())
		}
	})
}

func TestNoMoreWatchThanMay(t *testing.T) {
	n := open(t, dbtest.Open(t, db.SQLite), newClock(), "", "a")
	var stops []func()
	for range 3 {
		_, stop, err := n.Watch(1)
		if err != nil {
			t.Fatal(err)
		}
		stops = append(stops, stop)
	}
	if _, _, err := n.Watch(2); fault.KindOf(err) != fault.Busy || fault.CodeOf(err) != "too_many_watchers" {
		t.Errorf("the fourth got %v", err)
	}
	stops[0]()
	if _, _, err := n.Watch(2); err != nil {
		t.Errorf("after one left: %v", err)
	}
}

func TestOnePersonDoesNotTakeAllWatchersPlaces(t *testing.T) {
	s := New(Config{})
	for range maxOfOne {
		if _, _, err := s.Watch(1); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.Watch(1); fault.CodeOf(err) != "too_many_watchers" {
		t.Errorf("one more of the same: %v", err)
	}
	if _, _, err := s.Watch(2); err != nil {
		t.Errorf("another person: %v", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	n := open(t, dbtest.Open(t, db.SQLite), newClock(), t.TempDir(), "a")
	n.load(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if !fileExists(n.snapshotPath()) {
		t.Error("no last snapshot")
	}
}
