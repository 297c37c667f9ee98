package keylock_test

import (
	"runtime"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"rolecall/internal/keylock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whoever holds a key holds it alone, however many keys are asked for at once and in whatever order, and nobody waits
// for ever.
func TestKeysAreHeldAlone(t *testing.T) {
	const goroutines, names = 8, 6
	rapid.Check(t, func(t *rapid.T) {
		asked := make([][][]string, goroutines)
		key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"})
		for i := range asked {
			asked[i] = rapid.SliceOfN(rapid.SliceOfN(key, 0, names), 1, 10).Draw(t, "keys")
		}
		var m keylock.Mutex
		var all sync.WaitGroup
		held := map[string]*int{} // written without any other lock: the race detector sees two who hold a key
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			held[name] = new(int)
		}
		for _, calls := range asked {
			all.Go(func() {
				for _, keys := range calls {
					given := slices.Clone(keys)
					unlock := m.Lock(given...)
					for _, name := range slices.Compact(slices.Sorted(slices.Values(keys))) {
						if *held[name]++; *held[name] != 1 {
							panic("two hold a key")
						}
					}
					runtime.Gosched()
					for _, name := range slices.Compact(slices.Sorted(slices.Values(keys))) {
						*held[name]--
					}
					unlock()
					if !slices.Equal(given, keys) {
						panic("the caller's keys have been changed")
					}
				}
			})
		}
		all.Wait()
		if m.Len() != 0 {
			t.Fatalf("%d keys are remembered that nobody wants", m.Len())
		}
	})
}

func TestOthersAreNotKeptOut(t *testing.T) {
	var m keylock.Mutex
	unlock := m.Lock("a", "b", "a")
	m.Lock("c")() // would wait for ever
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		m.Lock("b")()
	}()
	for m.Wanted("b") != 2 {
		runtime.Gosched()
	}
	select {
	case <-waiting:
		t.Error("a key was given to two")
	default:
	}
	unlock()
	<-waiting
}

func BenchmarkLock(b *testing.B) {
	var m keylock.Mutex
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Lock("room")()
		}
	})
}
