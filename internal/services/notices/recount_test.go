package notices_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

// outage is a store that does not count for a while.
type outage struct {
	notices.Store
	away  atomic.Bool
	asked atomic.Int32
}

func (o *outage) Begin(ctx context.Context, userID string, since int64) (notices.ReadMark, error) {
	if o.away.Load() {
		return notices.ReadMark{}, errBroken
	}
	return o.Store.Begin(ctx, userID, since)
}

func (o *outage) Unread(ctx context.Context, reader notices.Reader, asOf, now int64) (int, error) {
	o.asked.Add(1)
	if o.away.Load() {
		return 0, errBroken
	}
	return o.Store.Unread(ctx, reader, asOf, now)
}

// TestWhatCouldNotBeCountedIsToldLater: how many notices are left after an end, and after a reading on another node, is told
// when the store is back.
func TestWhatCouldNotBeCountedIsToldLater(t *testing.T) {
	t.Parallel()
	store, emitted, amy := &outage{Store: sqlitetest.Open(t).Notices}, &recorder{}, person("amy", roles.Driver)
	n := &node{emitted: emitted, others: &[]*node{}, handlers: make(map[string]func(context.Context, bus.Message))}
	service, err := notices.New(t.Context(), store, emitted, notices.Options{Online: online{"amy"}, Nodes: n})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { servicetest.Close(t, service) })
	var created notices.Notice
	for range 2 { // of which one stays
		if created, _, err = service.Create(t.Context(), admin(), toAll("t"), ""); err != nil {
			t.Fatal(err)
		}
	}
	store.away.Store(true) // the mark cannot be read, the inbox can
	if err := service.Greet(t.Context(), amy, func(notices.Inbox) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		what    string
		happens func() error
	}{
		{"an end", func() error { return service.Retract(t.Context(), admin(), created.ID) }},
		{"a reading elsewhere", func() error {
			n.handlers["notices.read"](t.Context(), bus.Message{Kind: "notices.read", Body: []byte(`{"userId":"amy","role":"driver","upTo":0}`)})
			return nil
		}},
	} {
		store.away.Store(true)
		store.asked.Store(0)
		emitted.take()
		if err := step.happens(); err != nil {
			t.Fatal(err)
		}
		var heard []servicetest.Emission
		await := func(is func() bool) {
			t.Helper()
			for deadline := time.Now().Add(servicetest.Deadline); !is(); <-time.After(time.Millisecond) {
				heard = append(heard, emitted.take()...)
				if time.Now().After(deadline) {
					t.Fatalf("%s: told %+v", step.what, heard)
				}
			}
		}
		await(func() bool { return store.asked.Load() > 0 })
		store.away.Store(false)
		await(func() bool {
			return slices.ContainsFunc(heard, func(e servicetest.Emission) bool { return e.Event == notices.EventUnread })
		})
	}
}
