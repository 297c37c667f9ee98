package fleet

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// score counts for all cars.
type score struct {
	drivers int

	mu         sync.Mutex
	sent       int64
	accepted   int64
	reconnects int64
	rejected   map[string]int64
	// failure is why an update was not answered, nil once one is.
	failure error
}

// fail keeps why an update is to be sent again.
func (s *score) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
}

// trouble is what to tell of the last failure, while nothing has been answered since.
func (s *score) trouble() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		return ""
	}
	return "  trying again: " + s.failure.Error()
}

func (s *score) add(counter *int64, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*counter += int64(n)
}

// judge counts one position; reason is "" for an accepted one.
func (s *score) judge(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = nil
	if reason == "" {
		s.accepted++
	} else {
		s.rejected[reason]++
	}
}

func (s *score) summary(elapsed time.Duration) Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Summary{
		Drivers: s.drivers, Sent: s.sent, Accepted: s.accepted, Reconnects: s.reconnects,
		Rejected: maps.Clone(s.rejected), Elapsed: elapsed,
	}
}

// report writes a progress line now and then until the returned function is called.
func (s *score) report(out io.Writer, every time.Duration) (stop func()) {
	if out == nil {
		return func() {}
	}
	begin := time.Now()
	done := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_, _ = fmt.Fprintln(out, s.summary(time.Since(begin)).line()+s.trouble()) // progress is worth no failure
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		writing.Wait()
	}
}

func (s Summary) line() string {
	return fmt.Sprintf("%6.0fs  %d drivers  %d sent  %d acked  %d rejected  %d reconnects",
		s.Elapsed.Seconds(), s.Drivers, s.Sent, s.Accepted+s.rejections(), s.rejections(), s.Reconnects)
}

func (s Summary) rejections() int64 {
	var all int64
	for _, n := range s.Rejected {
		all += n
	}
	return all
}

// String is the summary for a person, the reasons of rejection each on a line of its own.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "drivers    %d\nsent       %d\nacked      %d\naccepted   %d\nrejected   %d\n",
		s.Drivers, s.Sent, s.Accepted+s.rejections(), s.Accepted, s.rejections())
	for _, reason := range slices.Sorted(maps.Keys(s.Rejected)) {
		fmt.Fprintf(&b, "           %d %s\n", s.Rejected[reason], reason)
	}
	fmt.Fprintf(&b, "reconnects %d\nelapsed    %s\n", s.Reconnects, s.Elapsed.Round(time.Millisecond))
	return b.String()
}
