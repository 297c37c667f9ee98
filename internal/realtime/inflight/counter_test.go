package inflight_test

import (
	"context"
	"errors"
	"testing"

	"rolecall/internal/realtime/inflight"
)

func TestWait(t *testing.T) {
	var c inflight.Counter
	if err := c.Wait(t.Context()); err != nil {
		t.Errorf("nothing is running: %v", err)
	}
	c.Begin()
	c.Begin()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("gave up with %v", err)
	}
	waited := make(chan error, 2)
	for range cap(waited) {
		go func() { waited <- c.Wait(t.Context()) }()
	}
	c.End()
	if len(waited) != 0 {
		t.Error("somebody did not wait for the last")
	}
	c.End()
	for range cap(waited) {
		if err := <-waited; err != nil {
			t.Error(err)
		}
	}
	c.Begin() // and again
	if err := c.Wait(ended); err == nil {
		t.Error("did not wait for the next")
	}
	c.End()
}
