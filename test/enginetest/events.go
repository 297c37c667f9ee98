package enginetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

func (s suite) testEventArguments(t *testing.T) {
	h := newStub(t)
	events := make(chan realtime.Event, 3)
	h.event = func(_ realtime.Socket, ev realtime.Event) { events <- ev }
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client, _ := f.connect(h)
	client.Send(`42["plain",{"a" : "<&>"},null]`)
	client.Send(`452-9["file",{"f":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]`)
	client.SendBinary([]byte{1})
	client.SendBinary([]byte{2, 3})
	got := wiretest.Receive(t, "an event", events)
	if got.Ack != nil || got.Name != "plain" || got.Binary != nil ||
		len(got.Args) != 2 || string(got.Args[0]) != `{"a" : "<&>"}` || string(got.Args[1]) != "null" {
		t.Errorf("plain event: %+v", got)
	}
	got = wiretest.Receive(t, "an event", events)
	if diff := cmp.Diff([][]byte{{1}, {2, 3}}, got.Binary); diff != "" || got.Ack == nil || got.Name != "file" ||
		string(got.Args[0]) != `{"f":{"_placeholder":true,"num":0}}` {
		t.Errorf("binary event: %+v %s", got, diff)
	}
	got.Ack(map[string]int{"bytes": 3})
	client.Expect(`439[{"bytes":3}]`)
	for count, tooMany := range map[int]bool{500: false, 501: true, 50_000: true} {
		client.Send(`42["many"` + strings.Repeat(`,1`, count) + `]`)
		if got = wiretest.Receive(t, "an event", events); got.Name != "many" || got.TooMany != tooMany || tooMany != (len(got.Args) == 0) {
			t.Errorf("%d arguments: %d of them, too many: %v", count, len(got.Args), got.TooMany)
		}
	}
}

func (s suite) testAckExactlyOnce(t *testing.T) {
	h := newStub(t)
	h.event = func(_ realtime.Socket, ev realtime.Event) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { ev.Ack("once") })
		}
		all.Wait()
		ev.Ack("more")
	}
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client, socket := f.connect(h)
	for i := range 100 {
		client.Send(fmt.Sprintf(`42%d["e"]`, i))
		client.Expect(fmt.Sprintf(`43%d["once"]`, i))
	}
	if err := socket.Emit("last", nil); err != nil {
		t.Fatal(err)
	}
	client.Expect(`42["last",null]`) // and no ack between
}

func (s suite) testAckThatCannotBeEncoded(t *testing.T) {
	h := newStub(t)
	h.event = func(_ realtime.Socket, ev realtime.Event) { ev.Ack(func() {}) }
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client, _ := f.connect(h)
	client.Send(`421["odd"]`)
	client.Expect("431[null]")
	if !strings.Contains(f.log.String(), "odd") {
		t.Errorf("log: %s", f.log)
	}
}

// testOrder sends by every way there is from one goroutine.
func (s suite) testOrder(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("room")
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	emitter := f.server.Emitter("/")
	h.event = func(socket realtime.Socket, ev realtime.Event) {
		for i := range 100 {
			if err := socket.Emit("direct", i); err != nil {
				t.Error(err)
			}
			emitter.Emit("room", i, []string{"room"}, nil)
		}
		ev.Ack("done")
	}
	client, _ := f.connect(h)
	client.Send(`421["go"]`)
	for i := range 100 {
		client.Expect(fmt.Sprintf(`42["direct",%d]`, i))
		client.Expect(fmt.Sprintf(`42["room",%d]`, i))
	}
	client.Expect(`431["done"]`)
}

func (s suite) testPanicsAreLoggedAndSurvived(t *testing.T) {
	h := newStub(t)
	h.connected = func(realtime.Socket) { panic("in connected") }
	h.event = func(_ realtime.Socket, ev realtime.Event) {
		if ev.Name == "bad" {
			panic("in event")
		}
		echo(nil, ev)
	}
	h.disconnected = func(realtime.Socket, string) { panic("in disconnected") }
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client := f.dial()
	client.Send("40")
	expectPrefix(t, client, "40{")
	client.Send(`421["bad"]`)
	client.Send(`422["good"]`)
	client.Expect("432[[]]")
	client.Send("41")
	wiretest.Eventually(t, "all is logged", func() bool {
		log := f.log.String()
		return strings.Contains(log, "in connected") && strings.Contains(log, "in event") &&
			strings.Contains(log, "event=bad") && strings.Contains(log, "in disconnected")
	})
}

// testBackpressure has a handler that is stuck. No other event of its client may be begun, and nobody else may notice.
func (s suite) testBackpressure(t *testing.T) {
	const events = 5000
	h, other := newStub(t), newStub(t)
	release := make(chan struct{})
	var entered atomic.Int64
	var handled []string
	done := make(chan struct{})
	h.event = func(_ realtime.Socket, ev realtime.Event) {
		entered.Add(1)
		<-release
		handled = append(handled, string(ev.Args[0]))
		if len(handled) == events {
			close(done)
		}
	}
	other.event = echo
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h, "/other": other})
	client, _ := f.connect(h)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range events {
			client.Send(fmt.Sprintf(`42["e",%d]`, i))
		}
	}()
	wiretest.Eventually(t, "the first event", func() bool { return entered.Load() == 1 })
	bystander := f.dial()
	bystander.Send("40/other,")
	expectPrefix(t, bystander, "40/other,{")
	for i := range 100 {
		bystander.Send(fmt.Sprintf(`42/other,%d["e"]`, i))
		bystander.Expect(fmt.Sprintf(`43/other,%d[[]]`, i))
	}
	if n := entered.Load(); n != 1 {
		t.Errorf("%d events were begun", n)
	}
	close(release)
	waitFor(t, "every event is handled", done)
	waitFor(t, "every event is sent", sent)
	for i, got := range handled {
		if got != fmt.Sprint(i) {
			t.Fatalf("event %d came as number %d", i, slices.Index(handled, fmt.Sprint(i)))
		}
	}
}

// testDisconnectWhileReadingIsHeldBack ends a connection whose reader waits for a
// handler.
func (s suite) testDisconnectWhileReadingIsHeldBack(t *testing.T) {
	h := newStub(t)
	entered, release := make(chan struct{}, 1), make(chan struct{})
	h.event = func(realtime.Socket, realtime.Event) {
		entered <- struct{}{}
		<-release
	}
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client, socket := f.connect(h)
	client.Send(`42["e"]`)
	wiretest.Receive(t, "the event", entered)
	socket.Disconnect(true)
	waitFor(t, "the context's end", socket.Context().Done())
	if h.disconnects.Load() != 0 {
		t.Error("Disconnected was called while Event runs")
	}
	close(release)
	wiretest.Eventually(t, "Disconnected", func() bool { return h.disconnects.Load() == 1 })
}
