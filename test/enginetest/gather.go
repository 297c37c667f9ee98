package enginetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// gatherer has every client that asks for it hear of e in es.
func gatherer(t *testing.T, within time.Duration) *stub {
	h := newStub(t)
	h.authenticate = func(_ context.Context, socket realtime.Socket, hs realtime.Handshake) error {
		socket.Join("all")
		if !strings.Contains(string(hs.Auth), "gather") {
			return nil
		}
		socket.Join("gatherers")
		return socket.Gather(realtime.Gathering{Event: "e", Into: "es", Within: within})
	}
	return h
}

// testGather has events wait for ever, so that they come with what is sent behind them or not at all.
func (s suite) testGather(t *testing.T) {
	h := gatherer(t, time.Hour)
	h.event = func(_ realtime.Socket, ev realtime.Event) { ev.Ack("yes") }
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h, "/chat": h})
	plain, _ := f.connect(h)
	enter := func(namespace string) (*wiretest.WebSocket, realtime.Socket) {
		client := f.dial()
		client.Send("40" + namespace + `{"as":"gather"}`)
		expectPrefix(t, client, "40"+namespace+"{")
		return client, wiretest.Receive(t, "a socket", h.conns)
	}
	client, socket := enter("")
	chat, _ := enter("/chat,")
	emitter := f.server.Emitter("/", "/chat")
	emit := func(event string, payload any, except ...string) {
		emitter.Emit(event, payload, []string{"all"}, except)
	}

	for n := range 3 {
		emit("e", n)
		plain.Expect(fmt.Sprintf(`42["e",%d]`, n))
	}
	emit("e", 3, "gatherers")
	plain.Expect(`42["e",3]`)
	emit("other", 4)
	client.Expect(`42["es",[0,1,2]]`)
	client.Expect(`42["other",4]`)
	chat.Expect(`42/chat,["es",[0,1,2]]`)
	chat.Expect(`42/chat,["other",4]`)

	emit("e", rawJSON(`{"n":"x"}`))
	client.Send(`427["ask"]`)
	client.Expect(`42["es",[{"n":"x"}]]`)
	client.Expect(`437["yes"]`)

	emit("e", 5)
	if err := socket.Emit("direct", 6); err != nil {
		t.Fatal(err)
	}
	client.Expect(`42["es",[5]]`)
	client.Expect(`42["direct",6]`)

	numbers := make([]string, realtime.MaxGathered)
	for n := range numbers {
		numbers[n] = fmt.Sprint(n)
		emit("e", n)
	}
	long := strings.Repeat("x", realtime.MaxGatheredBytes)
	emit("e", long)
	emit("e", 7)
	client.Expect(`42["es",[` + strings.Join(numbers, ",") + `]]`)
	client.Expect(`42["es",["` + long + `"]]`)
	s.run(t, "gathered before a goodbye", func(*testing.T) {
		socket.Disconnect(false)
		client.Expect(`42["es",[7]]`)
		client.Expect("41")
	})
}

// testGatheredInTime sends from several sides: each hears all of each side, in order, though nothing else is sent.
func (s suite) testGatheredInTime(t *testing.T) {
	const sides, each = 4, 200
	h := gatherer(t, 5*time.Millisecond)
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client := f.dial()
	client.Send(`40{"as":"gather"}`)
	expectPrefix(t, client, "40{")
	wiretest.Receive(t, "a socket", h.conns)
	emitter := f.server.Emitter("/")
	var together sync.WaitGroup
	for side := range sides {
		together.Go(func() {
			for n := range each {
				emitter.Emit("e", side*each+n, []string{"all"}, nil)
			}
		})
	}
	var next [sides]int
	for total := 0; total < sides*each; {
		text := client.Read()
		list, ok := strings.CutPrefix(text, `42["es",[`)
		if !ok {
			t.Fatalf("read %.100s", text)
		}
		for number := range strings.SplitSeq(strings.TrimSuffix(list, "]]"), ",") {
			var n int
			if _, err := fmt.Sscan(number, &n); err != nil {
				t.Fatal(err)
			}
			if side := n / each; n%each != next[side] {
				t.Fatalf("%d of side %d is heard after %d others", n%each, side, next[side])
			}
			next[n/each]++
			total++
		}
	}
	together.Wait()
}
