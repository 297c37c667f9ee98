package soak_test

import (
	"fmt"
	"testing"

	"rolecall/internal/realtime"
)

// TestConnectsNoneLost connects again and again, CONNECT leaving in the moment in which the open packet has come, or
// in one write with the opening handshake. None is lost, and none waits for a time-out: ConnectTimeout is longer than
// the test has patience.
func TestConnectsNoneLost(t *testing.T) {
	for _, test := range []struct {
		name      string
		pipelined bool
	}{
		{"CONNECT behind the open packet", false},
		{"CONNECT with the handshake", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &rooms{names: []string{"room"}}
			f := serve(t, realtime.Options{ConnectTimeout: 4 * patience}, h, nil)
			one, burst, bursts := scaled(500, 10_000), scaled(250, 2000), scaled(2, 5)
			for n := range one {
				c, err := connected(f.address, "40", test.pipelined)
				if err != nil {
					t.Fatalf("connect %d: %v", n, err)
				}
				c.reset()
			}
			for n := range bursts {
				connectAtOnce(t, f, burst, test.pipelined)
				eventually(t, fmt.Sprintf("burst %d has gone", n), func() bool { return f.server.Connections() == 0 })
			}
			want := int64(one + burst*bursts)
			eventually(t, "Connected for every socket", func() bool { return h.connects.Load() >= want })
			if got := h.connects.Load(); got != want {
				t.Errorf("%d sockets were connected, want %d", got, want)
			}
			t.Logf("%d connects", want)
		})
	}
}

// connectAtOnce opens so many connections at the same time, and cuts them when all are there.
func connectAtOnce(t *testing.T, f *fixture, count int, pipelined bool) {
	t.Helper()
	clients := make([]*client, count)
	dials := make([]func(), count)
	for i := range dials {
		dials[i] = func() {
			c, err := connected(f.address, "40", pipelined)
			if err != nil {
				t.Errorf("connect %d of %d at once: %v", i, count, err)
				return
			}
			clients[i] = c
		}
	}
	together(dials...)
	if !t.Failed() {
		eventually(t, "all are in the room", func() bool { return f.server.SocketCount("room") == count })
	}
	for _, c := range clients {
		if c != nil {
			c.reset()
		}
	}
}
