package commit_test

import (
	"context"
	"testing"
	"time"

	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/feed"
)

func TestClocksOfLiveNodesAreCompared(t *testing.T) {
	start := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		offset    time.Duration // of the other node's clock
		age       time.Duration // of its heartbeats when they are read
		beats     int
		min, max_ time.Duration
	}{
		"agree":                            {0, 0, 10, 0, 0},
		"agree, read late":                 {0, 900 * time.Millisecond, 10, 0, time.Second},
		"ahead is said at once":            {3 * time.Second, 0, 2, 3 * time.Second, 3 * time.Second},
		"behind is said after a few":       {-3 * time.Second, 0, 6, 3 * time.Second, 3 * time.Second},
		"a little behind":                  {-time.Second, 500 * time.Millisecond, 10, time.Second, 2 * time.Second},
		"a dead node isn't a slow clock":   {0, 0, 0, 0, 0},
		"too few differences to be behind": {-3 * time.Second, 0, 2, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t, dbtest.Open(t, db.SQLite))
			now, other := start, start.Add(tt.offset)
			c.now = func() time.Time { return now }
			n := c.open("one")
			c.exec("insert into node (id, name, started_at, heartbeat_at, head) values (1, 'two', 0, $1, 0)", other.UnixMilli())
			for i := range max(tt.beats, 20) {
				if i < tt.beats {
					c.exec("update node set heartbeat_at = $1 where id = 1", now.Add(tt.offset-tt.age).UnixMilli())
				}
				if i == tt.beats && tt.beats > 0 {
					break
				}
				if err := n.Beat(t.Context()); err != nil {
					t.Fatal(err)
				}
				now = now.Add(time.Second)
			}
			if got := n.ClockSkew(); got < tt.min || got > tt.max_ {
				t.Errorf("skew %s, want %s to %s", got, tt.min, tt.max_)
			}
			for range 20 { // the other falls silent
				if err := n.Beat(t.Context()); err != nil {
					t.Fatal(err)
				}
				now = now.Add(time.Second)
			}
			if got := n.ClockSkew(); got != 0 {
				t.Errorf("skew %s with no other live node", got)
			}
		})
	}
}

func TestRunBeatsUntilItsContextEnds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newCity(t, d)
		n := c.open("one")
		c.exec("update node set heartbeat_at = 0")
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- n.Run(ctx) }()
		for end := time.Now().Add(30 * time.Second); c.number("select heartbeat_at from node") == 0; {
			if time.Now().After(end) {
				t.Fatal("no heartbeat")
			}
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := receive(t, ran); err != nil {
			t.Error(err)
		}
	})
}

func TestPurgeDropsOldChangesAndTheNodesThatAreVouchedFor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newCity(t, d)
		now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
		c.now = func() time.Time { return now }
		change := func(n *commit.Node, count int) {
			t.Helper()
			err := n.Do(t.Context(), func(_ context.Context, tx *commit.Tx) error {
				tx.Audit("thing", nil)
				for range count {
					tx.Change("things", nil)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		left := func() [2]int64 {
			return [2]int64{c.number("select count(*) from change"), c.number("select count(*) from node")}
		}
		ended, silent, one := c.open("ended"), c.open("silent"), c.open("one")
		change(ended, 1500)
		change(silent, 1)
		change(one, 2)
		if err := ended.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		steps := []struct {
			name  string
			after time.Duration
			do    func()
			want  [2]int64
		}{
			{"all is young", 0, func() {}, [2]int64{1503, 3}},
			{"a day less a second", feed.Kept - time.Second, func() {}, [2]int64{1503, 3}},
			{"a day, but this node has signed neither chain", 2 * time.Second, func() { change(one, 1) }, [2]int64{1, 3}},
			{"after a checkpoint", 0, func() {
				if err := one.Checkpoint(t.Context()); err != nil {
					t.Fatal(err)
				}
			}, [2]int64{1, 1}},
		}
		for _, s := range steps {
			now = now.Add(s.after)
			s.do()
			if err := one.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := left(); got != s.want {
				t.Errorf("%s: changes and nodes left %v, want %v", s.name, got, s.want)
			}
		}
		c.verify()
		c.open("next")
		c.verify()
	})
}
