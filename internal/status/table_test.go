package status

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
)

func TestTheTableHoldsWhatAMapWouldHold(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, handle := range map[string]func() uint64{
		"random handles": func() uint64 { return r.Uint64()%5000*0x1234567890abcdef + 1 },
		"counted":        func() uint64 { return r.Uint64()%5000 + 1 },
		"high bits only": func() uint64 { return (r.Uint64()%5000 + 1) << 48 },
	} {
		t.Run(name, func(t *testing.T) {
			tab, want := newTable(), make(map[uint64]uint64)
			for range 50_000 {
				h, v := handle(), r.Uint64()%4 // one in four takes out
				if before := tab.set(h, v); before != want[h] {
					t.Fatalf("before %d, want %d", before, want[h])
				}
				if want[h] = v; v == 0 {
					delete(want, h)
				}
			}
			for i := range uint64(5001) {
				for _, h := range []uint64{i, i*0x1234567890abcdef + 1, i << 48} {
					if got := tab.get(h); got != want[h] {
						t.Fatalf("get(%d) = %d, want %d", h, got, want[h])
					}
				}
			}
			n := 0
			tab.each(func(h, v uint64) bool {
				n++
				if want[h] != v {
					t.Fatalf("each: %d has %d, want %d", h, v, want[h])
				}
				return true
			})
			if n != len(want) || tab.len() != n {
				t.Errorf("each saw %d, len %d, want %d", n, tab.len(), len(want))
			}
		})
	}
}

func TestReadersNeverMissAPersonWhileTheTableGrows(t *testing.T) {
	tab := newTable()
	const known = 1000
	for h := uint64(1); h <= known; h++ {
		tab.set(h, h)
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for h := uint64(1); ; h = h%known + 1 {
				// Values only ever are h or h plus a round.
				if v := tab.get(h); v%1_000_000 != h {
					t.Errorf("person %d has value %d", h, v)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for h := uint64(known + 1); h < 200_000; h++ {
		tab.set(h, h)
		tab.set(h%known+1, h%known+1+h/known*1_000_000)
	}
	close(done)
	readers.Wait()
}

func TestAPersonTakesAboutTwentyBytes(t *testing.T) {
	const people = 1_000_000
	for name, c := range map[string]struct {
		reserve int
		limit   float64
	}{
		"with room made before": {people, 21.5},
		"growing step by step":  {0, 23.5},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			tab := newTable()
			tab.reserve(c.reserve)
			for range people {
				tab.set(r.Uint64(), 1)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			counted := float64(tab.bytes()) / people
			// The heap rounds sizes up, and other tests leave things behind.
			heap := float64(after.HeapAlloc-before.HeapAlloc) / people
			t.Logf("%.1f bytes a person in slots, %.1f on the heap", counted, heap)
			if counted > c.limit {
				t.Errorf("%.1f bytes a person, at most %.1f wanted", counted, c.limit)
			}
			if heap > c.limit+3 {
				t.Errorf("%.1f bytes a person on the heap", heap)
			}
			runtime.KeepAlive(tab)
		})
	}
}

func BenchmarkTableGet(b *testing.B) {
	const people = 1_000_000
	tab, handles := newTable(), make([]uint64, people)
	r := rand.New(rand.NewPCG(5, 6))
	for i := range handles {
		handles[i] = r.Uint64()
		tab.set(handles[i], 1)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if tab.get(handles[i]) == 0 {
			b.Fatal("missing")
		}
		if i++; i == people {
			i = 0
		}
	}
}
