package redis

import (
	"context"
	"sync"
	"time"
)

// missed has everything that lasts read again after something may have been missed: soon, and so often at most.
type missed struct {
	every time.Duration
	due   chan struct{}

	mu    sync.Mutex
	calls []func(ctx context.Context)
}

func newMissed(every time.Duration) *missed {
	return &missed{every: every, due: make(chan struct{}, 1)}
}

func (m *missed) add(f func(ctx context.Context)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, f)
}

// miss notes that something may have been missed, and why.
func (b *Bus) miss(reason string) {
	b.counters.lost.Add(1)
	b.log.Info("what other nodes told may have been missed: what lasts is read again", "reason", reason)
	select {
	case b.missed.due <- struct{}{}:
	default:
	}
}

func (m *missed) run(ctx context.Context, guard func(what string, f func())) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.due:
		}
		m.mu.Lock()
		calls := m.calls
		m.mu.Unlock()
		for _, call := range calls {
			guard("lost", func() { call(ctx) })
		}
		pause(ctx, m.every)
	}
}
