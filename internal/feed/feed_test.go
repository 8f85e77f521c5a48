package feed_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/feed"
)

// source writes streams as nodes do.
type source struct {
	t  testing.TB
	db *db.DB
}

func (s source) write(stream int64, topics ...string) {
	s.t.Helper()
	err := s.db.Append(s.t.Context(), func(ctx context.Context, q db.Querier) error {
		var head int64
		err := q.QueryRow(ctx, "select head from node where id = $1", stream).Scan(&head)
		if err != nil && !errors.Is(err, db.ErrNoRows) {
			return err
		}
		var changes []feed.Change
		for _, topic := range topics {
			head++
			changes = append(changes, feed.Change{Stream: stream, Seq: head, At: head, Topic: topic, Payload: fmt.Append(nil, stream, "/", head)})
		}
		if err := feed.Insert(ctx, q, changes...); err != nil {
			return err
		}
		_, err = q.Exec(ctx, `insert into node (id, name, started_at, heartbeat_at, head) values ($1, '', 0, 0, $2)
			on conflict (id) do update set head = excluded.head`, stream, head)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s source) exec(sql string, args ...any) {
	s.t.Helper()
	err := s.db.Append(s.t.Context(), func(ctx context.Context, q db.Querier) error {
		_, err := q.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// sink is a Reader and what it was told.
type sink struct {
	*feed.Reader
	now     time.Time
	told    []string
	reloads int
	fail    error
}

func newSink(d *db.DB) *sink {
	s := &sink{now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
	s.Reader = feed.NewReader(feed.Config{DB: d, Now: func() time.Time { return s.now }})
	s.Handle("a", func(_ context.Context, c feed.Change) error {
		if s.fail != nil {
			return s.fail
		}
		s.told = append(s.told, string(c.Payload))
		return nil
	})
	s.OnReload(func(context.Context) error { s.reloads++; return s.fail })
	return s
}

func (s *sink) poll(t *testing.T, wantTold []string, wantReloads int) {
	t.Helper()
	s.told = nil
	if err := s.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantTold, s.told); diff != "" {
		t.Errorf("told: %s", diff)
	}
	if s.reloads != wantReloads {
		t.Errorf("%d reloads, want %d", s.reloads, wantReloads)
	}
}

func TestAReaderReloadsOnceAndThenFollows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		w := source{t, d.Main}
		w.write(1, "a", "a")
		s := newSink(d.Main)
		if !s.AsOf().IsZero() || s.Position() != nil {
			t.Error("fresh before the first poll")
		}
		s.poll(t, nil, 1) // the reload covers what is there
		s.poll(t, nil, 1)
		w.write(1, "a", "b", "a")
		s.poll(t, []string{"1/3", "1/5"}, 1)
		w.write(2, "a") // a stream that began later, from its first change
		s.poll(t, []string{"2/1"}, 1)
		s.poll(t, nil, 1)
		want := map[int64]int64{0: s.now.UnixMilli(), 1: 5, 2: 1}
		if diff := cmp.Diff(want, s.Position()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestChangesComeInPagesWithoutALoss(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		w, s := source{t, d.Main}, newSink(d.Main)
		s.poll(t, nil, 1)
		var topics, want []string
		for i := range 2345 {
			topics = append(topics, "a")
			want = append(want, fmt.Sprintf("7/%d", i+1))
		}
		w.write(7, topics...)
		s.poll(t, want, 1)
	})
}

func TestAsOfIsTheStartOfTheLastPollThatSucceeded(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	w, s := source{t, d.Main}, newSink(d.Main)
	first := s.now
	s.poll(t, nil, 1)
	w.write(1, "a")
	s.now = first.Add(time.Second)
	s.fail = errors.New("mistake")
	if err := s.Poll(t.Context()); !errors.Is(err, s.fail) {
		t.Errorf("got %v", err)
	}
	if got := s.AsOf(); !got.Equal(first) {
		t.Errorf("fresh as of %s after a poll that failed", got)
	}
	s.fail, s.now = nil, first.Add(2*time.Second)
	s.poll(t, []string{"1/1"}, 1) // it comes again
	if got := s.AsOf(); !got.Equal(s.now) {
		t.Errorf("fresh as of %s", got)
	}
}

func TestAReloadThatFailsIsDoneAgain(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	s := newSink(d.Main)
	s.fail = errors.New("mistake")
	for range 2 {
		if err := s.Poll(t.Context()); !errors.Is(err, s.fail) {
			t.Errorf("got %v", err)
		}
	}
	if !s.AsOf().IsZero() || s.Position() != nil {
		t.Error("counts as loaded")
	}
	s.fail = nil
	s.poll(t, nil, 3)
}

func TestWhatMayHaveBeenMissedIsReloaded(t *testing.T) {
	cases := map[string]struct {
		happens func(w source, s *sink)
		reloads int
		told    []string
	}{
		"nothing happened": {func(source, *sink) {}, 0, nil},
		"the database was restored": {func(w source, s *sink) {
			if err := w.db.RenewIdentity(context.Background()); err != nil {
				w.t.Fatal(err)
			}
		}, 1, nil},
		"a stream went back": {func(w source, s *sink) {
			w.exec("update node set head = 2 where id = 1")
			w.exec("delete from change where seq = 3")
		}, 1, nil},
		"changes not seen were purged":              {func(w source, s *sink) { w.write(1, "a", "a"); w.exec("delete from change where seq <= 4") }, 1, nil},
		"all changes not seen were purged":          {func(w source, s *sink) { w.write(1, "a", "a"); w.exec("delete from change") }, 1, nil},
		"changes that were seen were purged":        {func(w source, s *sink) { w.exec("delete from change") }, 0, nil},
		"a stream that was read to its end is gone": {func(w source, s *sink) { w.exec("delete from node where id = 1") }, 0, nil},
		"polls failed for half a day":               {func(w source, s *sink) { s.now = s.now.Add(feed.Kept / 2).Add(time.Second) }, 1, nil},
		"polls failed for an hour":                  {func(w source, s *sink) { s.now = s.now.Add(time.Hour); w.write(1, "a") }, 0, []string{"1/4"}},
	}
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		for name, tt := range cases {
			t.Run(name, func(t *testing.T) {
				w, s := source{t, d.Main}, newSink(d.Main)
				w.exec("delete from node")
				w.exec("delete from change")
				w.write(1, "a", "a", "a")
				w.write(2, "a")
				s.poll(t, nil, 1)
				tt.happens(w, s)
				s.poll(t, tt.told, 1+tt.reloads)
				s.poll(t, nil, 1+tt.reloads) // and all is well again
				w.write(3, "a")
				s.poll(t, []string{"3/1"}, 1+tt.reloads)
			})
		}
	})
}

func TestAReaderGoesOnFromASnapshot(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		w, old := source{t, d.Main}, newSink(d.Main)
		w.write(1, "a", "a")
		old.poll(t, nil, 1)
		position, identity := old.Position(), old.Identity()
		w.write(1, "a")
		w.write(2, "a")
		for name, tt := range map[string]struct {
			position map[int64]int64
			identity string
			later    time.Duration
			reloads  int
		}{
			"the same database":    {position, identity, time.Hour, 0},
			"another database":     {position, "another", time.Hour, 1},
			"too old a snapshot":   {position, identity, 13 * time.Hour, 1},
			"no time in it":        {map[int64]int64{1: 2}, identity, time.Hour, 1},
			"no position":          {nil, "", time.Hour, 1},
			"ahead of the streams": {map[int64]int64{0: position[0], 1: 9}, identity, time.Hour, 1},
		} {
			s := newSink(d.Main)
			s.now = old.now.Add(tt.later)
			given := maps.Clone(tt.position)
			s.Start(tt.position, tt.identity)
			if diff := cmp.Diff(given, tt.position); diff != "" {
				t.Errorf("%s: Start changed what it was given: %s", name, diff)
			}
			if err := s.Poll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s.reloads != tt.reloads || len(s.told) != 2*(1-tt.reloads) {
				t.Errorf("%s: %d reloads, told %v", name, s.reloads, s.told)
			}
		}
		s := newSink(d.Main)
		s.Start(position, identity)
		if got := s.AsOf(); !got.Equal(old.now) {
			t.Errorf("as of %s before the first poll, want the snapshot's %s", got, old.now)
		}
	})
}

func TestAChangeCommittedDuringTheReloadComesAfterIt(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	w, s := source{t, d.Main}, newSink(d.Main)
	w.write(1, "a")
	s.OnReload(func(context.Context) error { w.write(1, "a"); return nil })
	s.poll(t, nil, 1)
	s.poll(t, []string{"1/2"}, 1)
}

func TestRunFollowsUntilItsContextEnds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		w := source{t, d.Main}
		told := make(chan string, 10)
		r := feed.NewReader(feed.Config{DB: d.Open().Main, Every: time.Millisecond})
		r.Handle("a", func(_ context.Context, c feed.Change) error { told <- string(c.Payload); return nil })
		loaded := make(chan struct{})
		r.OnReload(func(context.Context) error { close(loaded); return nil })
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- r.Run(ctx) }()
		<-loaded
		w.write(3, "a")
		select {
		case got := <-told:
			if got != "3/1" {
				t.Errorf("told %s", got)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("not told in 30 s")
		}
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
}

func TestReadersAgreeWithTheWriterWhateverHappens(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	rapid.Check(t, func(rt *rapid.T) {
		w := source{t, d.Main}
		w.exec("delete from node")
		w.exec("delete from change")
		written := make(map[string]bool) // the truth: what must be known to a reader
		s := newSink(d.Main)
		known := make(map[string]bool)
		s.Handle("a", func(_ context.Context, c feed.Change) error { known[string(c.Payload)] = true; return nil })
		s.OnReload(func(context.Context) error { known = maps.Clone(written); return nil })
		heads := make(map[int64]int64)
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"write", "write", "purge", "poll", "sleep", "restart"}).Draw(rt, "step") {
			case "write":
				stream := rapid.Int64Range(1, 3).Draw(rt, "stream")
				count := rapid.IntRange(1, 5).Draw(rt, "count")
				topics := make([]string, count)
				for i := range topics {
					topics[i] = "a"
					heads[stream]++
					written[fmt.Sprint(stream, "/", heads[stream])] = true
				}
				w.write(stream, topics...)
			case "purge": // at most half of what a stream has, as if it were old
				w.exec("delete from change where seq <= $1", rapid.Int64Range(0, 5).Draw(rt, "until"))
			case "sleep":
				s.now = s.now.Add(time.Duration(rapid.IntRange(0, 20).Draw(rt, "hours")) * time.Hour)
			case "restart":
				position, identity, now := s.Position(), s.Identity(), s.now
				s = newSink(d.Main)
				s.now = now
				s.Handle("a", func(_ context.Context, c feed.Change) error { known[string(c.Payload)] = true; return nil })
				s.OnReload(func(context.Context) error { known = maps.Clone(written); return nil })
				s.Start(position, identity)
			case "poll":
				if err := s.Poll(t.Context()); err != nil {
					rt.Fatal(err)
				}
				if diff := cmp.Diff(written, known); diff != "" {
					rt.Fatal(diff)
				}
			}
		}
	})
}

func TestPurgeTakesOnlyWhatIsOlderThanKept(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		w := source{t, d.Main}
		w.write(1, "a", "a", "a", "a", "a") // at 1 to 5 ms
		for _, want := range []int64{2, 1, 0} {
			var got int64
			err := d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) (err error) {
				got, err = feed.Purge(ctx, q, time.UnixMilli(4).Add(feed.Kept), 2)
				return err
			})
			if err != nil || got != want {
				t.Errorf("purged %d, %v, want %d", got, err, want)
			}
		}
	})
}
