package hostile_test

import (
	"context"
	"testing"
	"time"

	"rolecall/test/harness"
)

// growth is how much more memory an attack may make the server take.
const growth = 128 << 20

// slower is how much slower others may be served, and slow what is always allowed.
const (
	slower = 3
	slow   = 50 * time.Millisecond
)

// TestOneClientCannotMakeAllOthersPay tries every attack on a server of its own.
func TestOneClientCannotMakeAllOthersPay(t *testing.T) {
	size := wanted()
	binary, seeded := harness.Build(t), seed(t, size)
	for name, attack := range attacks() {
		t.Run(name, func(t *testing.T) {
			if !soaking() {
				t.Parallel() // nothing here is measured by the clock
			}
			try(t, serve(t, binary, seeded, attack.settings), name, size)
		})
	}
}

// try has an attack run while others go about their business, and stops the server at the height of it.
func try(t *testing.T, s *server, name string, size sizes) {
	others := begin(t, s.URL)
	calm(t, size.calm)
	harness.Eventually(t, "the others are served", others.served)
	before, memory := others.take(), s.resident()

	a := launch(t, name, s.URL)
	harness.Eventually(t, "the attackers have begun", func() bool { return a.told().Limits != nil })
	others.take()
	used, begun, most := s.used(), time.Now(), memory
	for end := time.Now().Add(size.attack); time.Now().Before(end); {
		calm(t, 50*time.Millisecond)
		most = max(most, s.resident())
	}
	harness.Eventually(t, "the others are served during the attack", others.served)
	during := others.take()
	used = s.used() - used
	processors := used.Seconds() / time.Since(begun).Seconds()
	if !attacks()[name].harmless {
		harness.Eventually(t, "the attacker meets with a limit", func() bool { return len(a.told().Limits) > 0 })
	}
	told := a.told()
	others.end()
	stopped := s.stop()
	a.stop(t)

	grown := most - memory
	t.Logf("p99 of acks %s, then %s; of positions %s, then %s (%d and %d); memory %d MB + %d MB; %.2f processors; stopped in %s; %d answers; limits: %v",
		before.Acks, during.Acks, before.Positions, during.Positions, before.Count, during.Count,
		memory>>20, grown>>20, processors, stopped.Round(time.Millisecond), told.Answers, told.Limits)
	if grown > growth {
		t.Errorf("memory has grown by %d MB", grown>>20)
	}
	if soaking() {
		quick(t, "acks", before.Acks, during.Acks)
		quick(t, "positions", before.Positions, during.Positions)
	}
}

// quick fails the test where others were served much slower than before.
func quick(t *testing.T, what string, before, during time.Duration) {
	t.Helper()
	if during > max(before*slower, slow) {
		t.Errorf("p99 of %s has gone from %s to %s", what, before, during)
	}
}

// calm lets some time pass: what is measured or tried goes on meanwhile.
func calm(t *testing.T, length time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	<-ctx.Done()
}
