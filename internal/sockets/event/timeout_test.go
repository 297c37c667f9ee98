package event

import (
	"context"
	"errors"
	"testing"
	"time"
)

type key struct{}

// TestTimeoutIsAContext holds the cheap context against what context.WithTimeout would do, asked for Done or not.
func TestTimeoutIsAContext(t *testing.T) {
	t.Parallel()
	for name, waits := range map[string]bool{"nobody waits": false, "somebody waits": true} {
		t.Run(name, func(t *testing.T) {
			parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
			make := func(longest time.Duration) *timeout {
				ctx := withTimeout(parent, longest)
				if waits {
					ctx.Done()
				}
				return ctx
			}
			past, running, ended, left := make(-time.Second), make(time.Hour), make(time.Hour), make(time.Hour)
			child, stop := context.WithCancel(left)
			defer stop()
			ended.end()
			if running.Err() != nil || running.Value(key{}) != "value" {
				t.Errorf("while it runs: %v, %v", running.Err(), running.Value(key{}))
			}
			if at, ok := running.Deadline(); !ok || time.Until(at) <= 0 {
				t.Errorf("deadline %v, %v", at, ok)
			}
			cancel()
			<-child.Done()
			for what, test := range map[string]struct {
				ctx  *timeout
				want error
			}{
				"time is up":      {past, context.DeadlineExceeded},
				"it was ended":    {ended, context.Canceled},
				"the parent ends": {left, context.Canceled},
			} {
				if got := test.ctx.Err(); !errors.Is(got, test.want) {
					t.Errorf("%s: %v, want %v", what, got, test.want)
				}
				<-test.ctx.Done()
				if got := test.ctx.Err(); !errors.Is(got, test.want) {
					t.Errorf("%s, and done: %v, want %v", what, got, test.want)
				}
			}
			running.end()
		})
	}
	past := withTimeout(t.Context(), -1)
	if !errors.Is(past.Err(), context.DeadlineExceeded) {
		t.Errorf("time is up: %v", past.Err())
	}
	<-past.Done()
	past.end()
	if !errors.Is(past.Err(), context.DeadlineExceeded) {
		t.Errorf("time was up before the end: %v", past.Err())
	}
	early, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	inner := withTimeout(early, time.Hour)
	if at, _ := inner.Deadline(); time.Until(at) > time.Minute {
		t.Errorf("the deadline lies behind the parent's: %v", at)
	}
}
