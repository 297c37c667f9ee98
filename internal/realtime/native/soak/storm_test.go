package soak_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/realtime"
)

const (
	// stormSources is how many goroutines broadcast all the time, every stormPace.
	stormSources = 2
	stormPace    = 20 * time.Millisecond
)

// TestReconnectStorms cuts all clients of a room at once, again and again, and lets them return while broadcasts go
// on. Who is back hears everything that is sent after the answer to its CONNECT, once and in order.
func TestReconnectStorms(t *testing.T) {
	t.Run("many storms", func(t *testing.T) { reconnectStorms(t, scaled(100, 300), scaled(8, 50)) })
	// A large room is delivered to by several goroutines for each broadcast.
	t.Run("many clients", func(t *testing.T) { reconnectStorms(t, scaled(600, 2000), scaled(2, 10)) })
}

func reconnectStorms(t *testing.T, count, storms int) {
	t.Helper()
	h := &rooms{names: []string{"storm"}}
	f := serve(t, realtime.Options{}, h, nil)
	sources := startSources(t, f.server.Emitter("/"))
	var listeners []*listener
	for storm := range storms {
		for i, l := range listeners { // all at once
			if (i+storm)%2 == 0 {
				l.reset()
			} else {
				l.cut()
			}
		}
		listeners = listenAll(t, f.address, sources, count)
		eventually(t, "everyone is back, and nobody twice", func() bool { return f.server.SocketCount("storm") == count })
		sources.awaitHeard(t, listeners, 2)
	}
	sources.stop()
	sources.awaitHeard(t, listeners, 0)
	for _, l := range listeners {
		l.cut()
		<-l.done
	}
	t.Logf("%d clients, %d storms, %d broadcasts of each source", count, storms, sources.emitted(0))
}

// sources are goroutines that broadcast.
type sources struct {
	begun [stormSources]atomic.Int64 // how many broadcasts each has begun
	stop  func()                     // ends them
}

func startSources(t *testing.T, emitter realtime.Emitter) *sources {
	s := &sources{}
	stopping := make(chan struct{})
	var group sync.WaitGroup
	s.stop = sync.OnceFunc(func() {
		close(stopping)
		group.Wait()
	})
	t.Cleanup(s.stop)
	for source := range s.begun {
		group.Go(func() {
			pace := time.NewTicker(stormPace)
			defer pace.Stop()
			for {
				select {
				case <-pace.C:
					emitter.Emit("storm", []any{source, s.begun[source].Add(1)}, []string{"storm"}, nil)
				case <-stopping:
					return
				}
			}
		})
	}
	return s
}

func (s *sources) emitted(source int) int64 { return s.begun[source].Load() }

// awaitHeard waits until every listener has heard what each source has sent by now, and so many more.
func (s *sources) awaitHeard(t *testing.T, listeners []*listener, more int64) {
	t.Helper()
	var due [stormSources]int64
	for source := range due {
		due[source] = s.emitted(source) + more
	}
	eventually(t, fmt.Sprintf("everybody hears the broadcasts up to %v", due), func() bool {
		for _, l := range listeners {
			for source := range due {
				if l.heard[source].Load() < due[source] && !t.Failed() {
					return false
				}
			}
		}
		return true
	})
}

// listener is a client that sees to it that it misses nothing.
type listener struct {
	*client
	heard [stormSources]atomic.Int64 // the number of the last broadcast of each source
	done  chan struct{}
}

// listenAll connects so many listeners at once.
func listenAll(t *testing.T, address string, s *sources, count int) []*listener {
	t.Helper()
	listeners := make([]*listener, count)
	connects := make([]func(), count)
	for i := range connects {
		connects[i] = func() {
			c, err := connected(address, "40", i%2 == 0)
			if err != nil {
				t.Errorf("client %d: %v", i, err)
				return
			}
			l := &listener{client: c, done: make(chan struct{})}
			listeners[i] = l
			var due [stormSources]int64 // the first that is sent after the answer
			for source := range due {
				due[source] = s.emitted(source) + 1
			}
			t.Cleanup(l.cut)
			go l.listen(t, due)
		}
	}
	together(connects...)
	if t.Failed() {
		t.FailNow()
	}
	return listeners
}

// listen checks each broadcast that comes, until the connection ends.
func (l *listener) listen(t *testing.T, due [stormSources]int64) {
	defer close(l.done)
	for {
		message, err := l.next()
		if err != nil {
			return // too early an end shows in heard
		}
		var source int
		var number int64
		if _, err := fmt.Sscanf(string(message), `42["storm",[%d,%d]]`, &source, &number); err != nil {
			t.Errorf("got %q: %v", message, err)
			return
		}
		switch before := l.heard[source].Load(); {
		case before == 0 && number > due[source]:
			t.Errorf("the first broadcast of source %d is %d, but %d was sent after CONNECT was answered",
				source, number, due[source])
		case before != 0 && number != before+1:
			t.Errorf("broadcast %d of source %d comes after %d", number, source, before)
		}
		l.heard[source].Store(number)
	}
}
