package native

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// endings is a Handler whose sockets stand in room a, and that counts who stands there when one has ended.
type endings struct {
	server  *Server
	inEvent chan *Socket
	goOn    chan struct{}
	counted chan int
}

func (e *endings) Authenticate(_ context.Context, socket realtime.Socket, _ realtime.Handshake) error {
	socket.Join("a")
	return nil
}
func (e *endings) Connected(realtime.Socket) {}
func (e *endings) Event(socket realtime.Socket, _ realtime.Event) {
	e.inEvent <- socket.(*Socket)
	<-e.goOn
}
func (e *endings) Disconnected(realtime.Socket, string) { e.counted <- e.server.SocketCount("a") }

// TestDisconnectedComesBehindTheRooms also where somebody else ends the socket and has not taken it out of its rooms yet.
func TestDisconnectedComesBehindTheRooms(t *testing.T) {
	server := New(realtime.Options{})
	h := &endings{server: server, inEvent: make(chan *Socket), goOn: make(chan struct{}), counted: make(chan int, 1)}
	server.Namespace("/", h)
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		if err := server.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	for range 20 {
		client := wiretest.Dial(t, web.URL+"/socket.io/?EIO=4&transport=websocket")
		client.Send("40")
		for _, want := range []string{"0{", "40{"} {
			if got := client.Read(); !strings.HasPrefix(got, want) {
				t.Fatalf("read %s, want %s…", got, want)
			}
		}
		client.Send(`42["x"]`)
		socket := wiretest.Receive(t, "Event", h.inEvent)
		socket.roomsMu.Lock() // holds up whoever ends the socket
		go socket.Disconnect(false)
		wiretest.Eventually(t, "the end", socket.hasEnded)
		h.goOn <- struct{}{}
		wiretest.Eventually(t, "the end of Event", func() bool {
			socket.mu.Lock()
			defer socket.mu.Unlock()
			return !socket.busy
		})
		socket.roomsMu.Unlock()
		if n := wiretest.Receive(t, "Disconnected", h.counted); n != 0 {
			t.Fatalf("Disconnected was called while %d sockets stood in the room", n)
		}
	}
}
