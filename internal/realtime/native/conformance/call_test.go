package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// outcome is what became of a call.
type outcome struct {
	args string
	err  error
}

// call makes a call in the background and returns the id that the client has got.
func call(t *testing.T, ctx context.Context, client *wiretest.WebSocket, socket realtime.Socket) (id uint64, done <-chan outcome) {
	t.Helper()
	results := make(chan outcome, 1)
	go func() {
		answer, err := socket.Call(ctx, "question", "why")
		results <- outcome{joined(answer.Args), err}
	}()
	packet := client.Read()
	if _, err := fmt.Sscanf(packet, `42%d["question","why"]`, &id); err != nil {
		t.Fatalf("read %q: %v", packet, err)
	}
	return id, results
}

// TestCalls: the server may ask for an ack, which the client gives by the id, in any order.
func TestCalls(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connect(t)
	ids := make(map[uint64]bool)
	for _, tt := range []struct{ answer, want string }{
		{`[]`, ``}, {`["because",{"a":[null]}]`, `"because" {"a":[null]}`}, {`[ 1 , 2 ]`, `1 2`},
	} {
		id, done := call(t, t.Context(), client, socket)
		if ids[id] {
			t.Errorf("id %d is used again", id)
		}
		ids[id] = true
		client.Send(fmt.Sprintf(`43%d["not yours"]`, id+1000)) // answers nothing
		client.Send(fmt.Sprintf(`43%d%s`, id, tt.answer))
		client.Send(fmt.Sprintf(`43%d["twice"]`, id))
		if got := wiretest.Receive(t, "the answer", done); got.err != nil || got.args != tt.want {
			t.Errorf("%s: %+v", tt.answer, got)
		}
	}
	first, firstDone := call(t, t.Context(), client, socket)
	second, secondDone := call(t, t.Context(), client, socket)
	client.Send(fmt.Sprintf(`43%d["second"]`, second))
	client.Send(fmt.Sprintf(`43/,%d["first"]`, first))
	if got := wiretest.Receive(t, "the first answer", firstDone); got.args != `"first"` {
		t.Errorf("first: %+v", got)
	}
	if got := wiretest.Receive(t, "the second answer", secondDone); got.args != `"second"` {
		t.Errorf("second: %+v", got)
	}
	expectAlive(t, client)
}

// TestBinaryAck: an answer may have attachments; it is complete when they are.
func TestBinaryAck(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connect(t)
	id, done := call(t, t.Context(), client, socket)
	client.Send(fmt.Sprintf(`461-%d[%s]`, id, placeholder(0)))
	client.SendBinary([]byte{1, 2, 3})
	if got := wiretest.Receive(t, "the answer", done); got.err != nil || got.args != placeholder(0) {
		t.Errorf("answer: %+v", got)
	}
	expectAlive(t, client)
}

// TestAckInAnotherNamespace answers nothing: ids belong to the socket of a namespace.
func TestAckInAnotherNamespace(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connect(t)
	client.Send("40/chat,")
	expectPrefix(t, client, `40/chat,{"sid":"`)
	id, done := call(t, t.Context(), client, socket)
	client.Send(fmt.Sprintf(`43/chat,%d["not yours"]`, id))
	expectAlive(t, client) // by now it has been read
	if len(done) != 0 {
		t.Errorf("an ack in another namespace answered: %+v", <-done)
	}
	client.Send(fmt.Sprintf(`43%d["mine"]`, id))
	if got := wiretest.Receive(t, "the answer", done); got.args != `"mine"` {
		t.Errorf("answer: %+v", got)
	}
}

// TestCallsThatAreNotAnswered end with the caller's patience or with the socket.
func TestCallsThatAreNotAnswered(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	for name, end := range map[string]func(client *wiretest.WebSocket, cancel func()){
		"cancelled":  func(_ *wiretest.WebSocket, cancel func()) { cancel() },
		"cut":        func(client *wiretest.WebSocket, _ func()) { client.Cut() },
		"DISCONNECT": func(client *wiretest.WebSocket, _ func()) { client.Send("41") },
		"bad ack":    func(client *wiretest.WebSocket, _ func()) { client.Send(`431{}`) },
	} {
		t.Run(name, func(t *testing.T) {
			client, socket := f.connect(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			id, done := call(t, ctx, client, socket)
			end(client, cancel)
			want := realtime.ErrNotConnected
			if name == "cancelled" {
				want = context.Canceled
			}
			if got := wiretest.Receive(t, "the call's end", done); !errors.Is(got.err, want) {
				t.Errorf("call: %+v, want %v", got, want)
			}
			if name == "cancelled" {
				client.Send(fmt.Sprintf(`43%d["too late"]`, id)) // is ignored
				expectAlive(t, client)
			}
		})
	}
}
