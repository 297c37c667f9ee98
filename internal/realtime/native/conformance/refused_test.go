package conformance_test

import (
	"context"
	"testing"
	"time"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// TestRefusedClientsLeave: who has been refused is let go soon, unless it tries again meanwhile.
func TestRefusedClientsLeave(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{ConnectTimeout: time.Hour})
	begun, decide := make(chan struct{}), make(chan struct{})
	f.root.authenticate = func(_ context.Context, _ realtime.Socket, handshake realtime.Handshake) error {
		if len(handshake.Auth) == 0 {
			return &realtime.Refusal{Message: "no", Code: "no"}
		}
		close(begun)
		<-decide
		return nil
	}
	patient, other := f.dial(t), f.dial(t)
	patient.Send("40")
	expectPrefix(t, patient, "44{")
	patient.Send(`40{"token":1}`)
	<-begun
	other.Send("40")
	expectPrefix(t, other, "44{")
	expectClose(t, other, 1000) // by when the first would have been, too
	close(decide)
	expectPrefix(t, patient, "40{")
	expectAlive(t, patient)
}

// TestFewRefusedClientsStay: of those who have been refused few may take their time to leave; who tries again is none of them.
func TestFewRefusedClientsStay(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{MaxStrangers: 8})
	begun, decide := make(chan struct{}), make(chan struct{})
	f.root.authenticate = func(_ context.Context, _ realtime.Socket, handshake realtime.Handshake) error {
		if len(handshake.Auth) == 0 {
			return &realtime.Refusal{Message: "no", Code: "no"}
		}
		close(begun)
		<-decide
		return nil
	}
	refused := func() *wiretest.WebSocket {
		client := f.dial(t)
		client.Send("40")
		expectPrefix(t, client, "44{")
		return client
	}
	stubborn := refused()
	stubborn.Send(`40{"token":1}`)
	<-begun
	first := refused()
	refused()
	if data, _, err := first.TryRead(); err == nil {
		t.Errorf("one more than may stay reads %q", data)
	}
	close(decide)
	expectPrefix(t, stubborn, "40{")
	expectAlive(t, stubborn)
}
