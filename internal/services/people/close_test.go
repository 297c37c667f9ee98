package people_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/roles"
	"rolecall/internal/services/people"
)

// meeting is a Store. Once it has begun, SaveUsers returns when as many people are being saved as there are seats, or with
// its context.
type meeting struct {
	timeline
	begun atomic.Bool
	taken atomic.Int32
	seats int32
	full  chan struct{}
}

func (m *meeting) SaveUsers(ctx context.Context, users []people.User) error {
	if !m.begun.Load() {
		return nil
	}
	if m.taken.Add(int32(len(users))) == m.seats {
		close(m.full)
	}
	select {
	case <-m.full:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestClose tells many people in the time of a few writes, and keeps to its own time.
func TestClose(t *testing.T) {
	t.Parallel()
	const crowd = 4
	for name, test := range map[string]struct {
		seats    int32
		patience time.Duration
		want     error
	}{
		"all are saved together": {crowd, 10 * time.Second, nil},
		"the store is stuck":     {crowd + 1, 50 * time.Millisecond, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &held{}
			store := &meeting{seats: test.seats, full: make(chan struct{})}
			h.Service = people.New(store, store, &h.timeline, &h.sockets, people.Options{
				Logger: slog.New(slog.DiscardHandler), Every: time.Hour,
			})
			for i := range crowd {
				h.play(t.Context(), person(fmt.Sprint("u", i), roles.Vendor, ""), "+-")
			}
			store.begun.Store(true)
			ctx, cancel := context.WithTimeout(t.Context(), test.patience)
			defer cancel()
			if err := h.Close(ctx); !errors.Is(err, test.want) {
				t.Errorf("closed with %v, want %v", err, test.want)
			}
			store.begun.Store(false)
			closeHeld(t, h) // what had begun has ended
			if n := h.Known(); n != 0 {
				t.Errorf("%d crowd are still remembered", n)
			}
		})
	}
}

// TestNobodyWaitsForTheDisk: a write may take as long as it likes.
func TestNobodyWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	h := &held{}
	store := &meeting{seats: 2, full: make(chan struct{})}
	h.Service = people.New(store, store, &h.timeline, &h.sockets, people.Options{
		Logger: slog.New(slog.DiscardHandler), Every: -1, SaveDelay: time.Nanosecond,
	})
	store.begun.Store(true)
	h.play(t.Context(), person("amy", roles.Vendor, ""), "+")
	for store.taken.Load() == 0 {
		runtime.Gosched()
	}
	for i := range 1000 {
		h.play(t.Context(), person(fmt.Sprint("u", i), roles.Vendor, ""), "+-")
	}
	if role, known, err := h.RoleOf(t.Context(), "amy"); role != roles.Vendor || !known || err != nil {
		t.Errorf("the role of somebody who is being written: %q, %v, %v", role, known, err)
	}
	if taken := store.taken.Load(); taken != 1 {
		t.Errorf("%d people were being saved, though the first write had not ended", taken)
	}
	store.begun.Store(false)
	close(store.full)
	closeHeld(t, h)
}
