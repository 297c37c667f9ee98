package harness

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"rolecall/internal/simulation/sioclient"
	"rolecall/test/contracttest"
)

// Socket is a connected client. Every event it receives and every ack asked for is held against the AsyncAPI document.
type Socket struct {
	*sioclient.Client
	t         testing.TB
	events    *contracttest.Events
	namespace string
	// catchUp waits until each node has handled what the others have told.
	catchUp func()
}

// Namespace is the namespace the socket is connected to.
func (s *Socket) Namespace() string { return s.namespace }

// Ack is the answer to an event.
type Ack struct {
	Status       string `json:"status"`
	Error        string `json:"error"`
	Code         string `json:"code"`
	Field        string `json:"field"`
	RetryAfterMs int64  `json:"retryAfterMs"`
	// Raw is the whole of it.
	Raw json.RawMessage `json:"-"`
}

// Ask sends an event and waits for its ack.
func (s *Socket) Ask(event string, payload ...any) Ack {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	raw, err := s.Call(ctx, event, payload...)
	if err != nil {
		s.t.Fatalf("%s: %v", event, err)
	}
	s.events.CheckAck(s.t, event, raw)
	ack := Decode[Ack](s.t, raw)
	ack.Raw = raw
	return ack
}

// AskWith is Ask for an event with binary data, for which sioclient.Placeholder stands in the payload.
func (s *Socket) AskWith(event string, payload any, data ...[]byte) Ack {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	raw, err := s.CallBinary(ctx, event, payload, data...)
	if err != nil {
		s.t.Fatalf("%s: %v", event, err)
	}
	s.events.CheckAck(s.t, event, raw)
	ack := Decode[Ack](s.t, raw)
	ack.Raw = raw
	return ack
}

// Must is Ask for an event that has to succeed; it returns the ack decoded.
func Must[T any](s *Socket, event string, payload ...any) T {
	s.t.Helper()
	ack := s.Ask(event, payload...)
	if ack.Status != "ok" {
		s.t.Fatalf("%s was refused: %s", event, ack.Raw)
	}
	return Decode[T](s.t, ack.Raw)
}

// Heard waits for the next event of that name and returns its payload decoded.
func Heard[T any](s *Socket, event string) T {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	raw, err := s.Wait(ctx, event)
	if err != nil {
		s.t.Fatalf("%s was not heard: %v", event, err)
	}
	return Decode[T](s.t, raw)
}

// Fence returns once the server has answered an event of this socket: what was emitted to the socket before is then
// here, whichever node it was emitted on.
func (s *Socket) Fence() {
	s.t.Helper()
	s.catchUp()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	if _, err := s.Call(ctx, "no:such-event"); err != nil {
		s.t.Fatalf("fence: %v", err)
	}
}

// HeardNothing fails the test if an event of that name was emitted to the socket before now.
func (s *Socket) HeardNothing(event string) {
	s.t.Helper()
	s.Fence()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if raw, err := s.Wait(ctx, event); err == nil {
		s.t.Errorf("%s was heard by whom it does not concern: %s", event, raw)
	}
}
