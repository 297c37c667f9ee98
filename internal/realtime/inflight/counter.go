// Package inflight counts work that has begun and not yet ended, so that a
// graceful stop can wait for it.
package inflight

import (
	"context"
	"sync"
)

// Counter counts running work. Unlike sync.WaitGroup it may be raised from
// zero while somebody waits, and waiting can be given up. The zero value is
// ready; a Counter must not be copied.
type Counter struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n reaches zero; made by the first waiter
}

// Begin counts one more piece of work.
func (c *Counter) Begin() {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
}

// End counts one piece of work as ended.
func (c *Counter) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n--
	if c.n == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// Wait returns nil once nothing is running, or the context's error.
func (c *Counter) Wait(ctx context.Context) error {
	c.mu.Lock()
	if c.n == 0 {
		c.mu.Unlock()
		return nil
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
