package hostile_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

// healthy is a company that goes about its business: drivers who report, and somebody who watches them.
type healthy struct {
	t        *testing.T
	watcher  *sioclient.Client
	drivers  []*sioclient.Client
	ctx      context.Context //nolint:containedctx // the business goes on until it ends
	stop     context.CancelFunc
	together sync.WaitGroup

	mu   sync.Mutex
	sent map[int64]time.Time // when the position of a ts was sent
	acks []time.Duration
	seen []time.Duration
}

// every is how often each of the drivers reports: ten times a second is what a driver may.
const every = 100 * time.Millisecond

func dial(ctx context.Context, t *testing.T, url string, who auth.Identity, options sioclient.Options) (*sioclient.Client, error) {
	t.Helper()
	options.Auth = map[string]string{"token": harness.Token(t, who)}
	return sioclient.Dial(ctx, url, options)
}

func begin(t *testing.T, url string) *healthy {
	t.Helper()
	h := &healthy{t: t, sent: make(map[int64]time.Time)}
	ctx, cancel := context.WithTimeout(context.Background(), harness.Deadline)
	defer cancel()
	var err error
	h.watcher, err = dial(ctx, t, url, harness.Person("calm-boss", roles.Company, "calm"), sioclient.Options{OnlyEvents: []string{"tracking:positions"}})
	if err != nil {
		t.Fatal(err)
	}
	h.watcher.On("tracking:positions", h.note)
	for _, id := range []string{"calm-1", "calm-2"} {
		driver, err := dial(ctx, t, url, harness.Person(id, roles.Driver, "calm"), sioclient.Options{OnlyEvents: []string{}})
		if err != nil {
			t.Fatal(err)
		}
		h.drivers = append(h.drivers, driver)
	}
	h.ctx, h.stop = context.WithCancel(context.Background())
	for i, driver := range h.drivers {
		h.together.Go(func() { h.drive(driver, i) })
	}
	return h
}

// drive reports until the end. Each position has a ts of its own, by which it is known again.
func (h *healthy) drive(driver *sioclient.Client, number int) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for h.ctx.Err() == nil {
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		ts := now.UnixMilli()/10*10 + int64(number)
		h.mu.Lock()
		h.sent[ts] = now
		h.mu.Unlock()
		h.together.Go(func() {
			raw, err := driver.Call(h.ctx, "tracking:update", map[string]any{"lat": 50, "lng": 8, "ts": ts})
			if err != nil {
				return // the end, or a connection that has ended, which the end finds out
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.acks = append(h.acks, time.Since(now))
			if ack := harness.Decode[harness.Ack](h.t, raw); ack.Status != "ok" {
				h.t.Errorf("a healthy driver is told %s", raw)
			}
		})
	}
}

func (h *healthy) note(payload json.RawMessage) {
	var told struct {
		Positions []struct{ TS int64 }
	}
	if err := json.Unmarshal(payload, &told); err != nil {
		h.t.Error(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, position := range told.Positions {
		if at, mine := h.sent[position.TS]; mine {
			h.seen = append(h.seen, time.Since(at))
			delete(h.sent, position.TS)
		}
	}
}

// quickness is how long the slowest of a hundred took.
type quickness struct {
	Acks, Positions time.Duration
	Count           int
}

// served says whether the drivers have been answered and watched since the last take.
func (h *healthy) served() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.acks) > 0 && len(h.seen) > 0
}

// take returns how quick it was since the last time.
func (h *healthy) take() quickness {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := quickness{Acks: p99(h.acks), Positions: p99(h.seen), Count: min(len(h.acks), len(h.seen))}
	h.acks, h.seen = nil, nil
	return q
}

func p99(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[(len(all)*99-1)/100].Round(100 * time.Microsecond)
}

// end fails the test where one of the healthy has been sent away.
func (h *healthy) end() {
	for _, client := range append(h.drivers, h.watcher) {
		if err := client.Err(); err != nil {
			h.t.Errorf("a healthy client has been sent away: %v", err)
		}
	}
	h.stop()
	h.together.Wait()
	for _, client := range append(h.drivers, h.watcher) {
		client.Abort()
	}
}
