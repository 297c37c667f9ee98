package event

import (
	"context"
	"sync"
	"time"
)

// timeout is what context.WithTimeout returns, but for its price: most events are answered without anybody waiting for
// their context, and only who asks for Done pays for a timer.
type timeout struct {
	context.Context // the socket's
	at              time.Time

	mu    sync.Mutex
	timed context.Context //nolint:containedctx // nil until somebody waits
	stop  context.CancelFunc
	err   error // why it has ended, once somebody has seen it
}

func withTimeout(parent context.Context, longest time.Duration) *timeout {
	return &timeout{Context: parent, at: time.Now().Add(longest)}
}

// end cancels the context.
func (t *timeout) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.errLocked() == nil {
		t.err = context.Canceled
	}
	if t.stop != nil {
		t.stop()
	}
}

// Deadline implements context.Context.
func (t *timeout) Deadline() (time.Time, bool) {
	if earlier, ok := t.Context.Deadline(); ok && earlier.Before(t.at) {
		return earlier, true
	}
	return t.at, true
}

// Done implements context.Context.
func (t *timeout) Done() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timed == nil {
		t.timed, t.stop = context.WithDeadline(t.Context, t.at)
		if t.err != nil {
			t.stop()
		}
	}
	return t.timed.Done()
}

// Err implements context.Context.
func (t *timeout) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.errLocked()
}

func (t *timeout) errLocked() error {
	switch {
	case t.err != nil:
	case t.timed != nil:
		t.err = t.timed.Err()
	case !time.Now().Before(t.at):
		t.err = context.DeadlineExceeded
	default:
		t.err = t.Context.Err()
	}
	return t.err
}

// Value implements context.Context. Contexts made of this one find the timer through it, once there is one.
func (t *timeout) Value(key any) any {
	t.mu.Lock()
	within := t.Context
	if t.timed != nil {
		within = t.timed
	}
	t.mu.Unlock()
	return within.Value(key)
}
