package realtime

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"rolecall/internal/realtime/rooms"
	"rolecall/internal/realtime/wiretest"
)

// What the library promises of rooms and broadcasts, whatever the adapter.

// people are three sockets: a in red, b in red and green, c in no room.
type people struct {
	*fixture
	clients map[string]*wiretest.Socket
	sockets map[string]*socket.Socket
}

func startPeople(t *testing.T) *people {
	t.Helper()
	h := newStub(t)
	h.authenticate = func(_ context.Context, conn *Conn, hs Handshake) error {
		if strings.Contains(string(hs.Auth), "red") {
			conn.Join("red")
		}
		if strings.Contains(string(hs.Auth), "green") {
			conn.Join("green")
		}
		return nil
	}
	p := &people{
		fixture: start(t, Options{}, map[string]Handler{"/": h}),
		clients: map[string]*wiretest.Socket{}, sockets: map[string]*socket.Socket{},
	}
	for name, names := range map[string]string{"a": "red", "b": "red green", "c": ""} {
		client := p.dial()
		client.Send(`40{"rooms":"` + names + `"}`)
		expectPrefix(t, client, "40{")
		p.clients[name], p.sockets[name] = client, wiretest.Receive(t, "Connected", h.conns).socket
	}
	return p
}

// hear checks that just these clients have got the event, by sending each client
// one more.
func (p *people) hear(event, names string) {
	p.t.Helper()
	for name, client := range p.clients {
		if err := p.sockets[name].Emit("end"); err != nil {
			p.t.Error(err)
		}
		got := client.Read()
		if heard := got == event; heard != strings.Contains(names, name) {
			p.t.Errorf("%s read %s", name, got)
		}
		if got != `42["end"]` {
			client.Expect(`42["end"]`)
		}
	}
}

func TestLibraryBroadcasts(t *testing.T) {
	p := startPeople(t)
	io, a, b := p.server.io, p.sockets["a"], p.sockets["b"]
	for _, tt := range []struct {
		name string
		emit func() error
		want string
	}{
		{"everybody", func() error { io.Emit("e", 1); return nil }, "a b c"},
		{"a room", func() error { return io.To("red").Emit("e", 1) }, "a b"},
		{"two rooms", func() error { return io.To("red", "green").Emit("e", 1) }, "a b"},
		{"everybody but a room", func() error { return io.Except("green").Emit("e", 1) }, "a c"},
		{"a room but another", func() error { return io.To("red").Except("green").Emit("e", 1) }, "a"},
		{"broadcast leaves out the sender", func() error { return a.Broadcast().Emit("e", 1) }, "b c"},
		{"so does To", func() error { return a.To("red").Emit("e", 1) }, "b"},
		{"a socket's own room", func() error { return io.To(rooms.Room(b.Id())).Emit("e", 1) }, "b"},
		{"volatile", func() error { return io.Volatile().Emit("e", 1) }, "a b c"},
		{"volatile to one", func() error { return a.Volatile().Emit("e", 1) }, "a"},
		{"local", func() error { return io.Local().Emit("e", 1) }, "a b c"},
		{"a room without sockets", func() error { return io.To("blue").Emit("e", 1) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.emit(); err != nil {
				t.Fatal(err)
			}
			p.hear(`42["e",1]`, tt.want)
		})
	}
}

func TestLibraryBinaryBroadcast(t *testing.T) {
	p := startPeople(t)
	if err := p.server.io.To("green").Emit("file", []byte{1, 2}); err != nil {
		t.Fatal(err)
	}
	p.clients["b"].Expect(`451-["file",{"_placeholder":true,"num":0}]`)
	if data, binary, err := p.clients["b"].TryRead(); data != "\x01\x02" || !binary || err != nil {
		t.Errorf("read %q %v %v", data, binary, err)
	}
}

func TestLibraryBroadcastWithAcks(t *testing.T) {
	p := startPeople(t)
	answers := make(chan []any, 1)
	p.server.io.To("red").Timeout(wiretest.Timeout).EmitWithAck("question")(func(args []any, err error) {
		if err != nil {
			t.Error(err)
		}
		answers <- args
	})
	for _, name := range []string{"a", "b"} {
		var id int
		if _, err := fmt.Sscanf(p.clients[name].Read(), `42%d["question"]`, &id); err != nil {
			t.Fatal(err)
		}
		p.clients[name].Send(fmt.Sprintf(`43%d["%s"]`, id, name))
		p.clients[name].Send(fmt.Sprintf(`43%d["again"]`, id)) // counts for nothing
	}
	var got []string
	for _, answer := range wiretest.Receive(t, "the answers", answers) {
		got = append(got, fmt.Sprintf("%s", answer))
	}
	if diff := cmp.Diff([]string{`"a"`, `"b"`}, got, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Error(diff)
	}
}

func TestLibraryRoomManagement(t *testing.T) {
	p := startPeople(t)
	io, a, c := p.server.io, p.sockets["a"], p.sockets["c"]
	adapter := io.Sockets().Adapter()
	if all := adapter.Rooms(); all.Len() != 5 { // red, green, and one of each socket
		t.Errorf("rooms: %v", all.Keys())
	}
	if rooms, ok := adapter.Sids().Load(a.Id()); !ok || rooms.Len() != 2 || !rooms.Has("red") {
		t.Errorf("rooms of a: %v", rooms)
	}
	if c.Rooms().Len() != 1 || adapter.SocketRooms("nobody") != nil {
		t.Error("rooms of c, or of nobody")
	}
	fetched := map[socket.SocketId]int{}
	io.In("red").FetchSockets()(func(found []*socket.RemoteSocket, err error) {
		for _, s := range found {
			fetched[s.Id()] = s.Rooms().Len()
		}
	})
	if len(fetched) != 2 || fetched[a.Id()] != 2 {
		t.Errorf("fetched: %v", fetched)
	}
	io.Except("red").SocketsJoin("blue", "black")
	if ids := adapter.Sockets(adapter.SocketRooms(c.Id())); ids.Len() != 1 || !c.Rooms().Has("blue") || a.Rooms().Has("blue") {
		t.Errorf("in blue: %v", ids.Keys())
	}
	io.In("blue").SocketsLeave("black")
	if c.Rooms().Has("black") || !c.Rooms().Has("blue") {
		t.Errorf("rooms of c: %v", c.Rooms().Keys())
	}
	io.In("red").DisconnectSockets(true)
	p.clients["a"].Expect("41")
	p.clients["a"].ReadClose()
	p.clients["b"].ReadClose()
	wiretest.Eventually(t, "red is empty", func() bool { return p.server.SocketCount("red") == 0 })
	if p.server.Connections() != 1 {
		t.Errorf("%d connections", p.server.Connections())
	}
	if err := io.ServerSideEmit("x"); err == nil {
		t.Error("there are no other servers")
	}
}

func TestLibraryRoomEvents(t *testing.T) {
	p := startPeople(t)
	adapter, a := p.server.io.Sockets().Adapter(), p.sockets["a"]
	var mu sync.Mutex
	var got []string
	for _, event := range []string{"create-room", "join-room", "leave-room", "delete-room"} {
		note := func(args ...any) {
			mu.Lock()
			defer mu.Unlock()
			text := event
			for _, arg := range args {
				text += fmt.Sprintf(" %v", arg)
			}
			got = append(got, strings.ReplaceAll(text, string(a.Id()), "a"))
		}
		if err := adapter.On(types.EventName(event), note); err != nil {
			t.Fatal(err)
		}
	}
	a.Join("new")
	a.Join("new")
	a.Leave("new")
	a.Leave("new")
	a.Join("green")
	want := []string{"create-room new", "join-room new a", "leave-room new a", "delete-room new", "join-room green a"}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestPollingClient is one conversation over long polling, with an attachment.
func TestPollingClient(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("room")
	h.event = func(_ *Conn, ev Event) { ev.Ack(len(ev.Binary[0])) }
	f := start(t, Options{}, map[string]Handler{"/": h})
	client := wiretest.OpenPolling(t, f.endpoint)
	client.MustPost("40")
	if _, body := client.Get(); !strings.HasPrefix(body, "40{") {
		t.Fatalf("poll: %q", body)
	}
	client.MustPost("451-7[\"f\",{\"_placeholder\":true,\"num\":0}]\x1ebAQIDBA==")
	client.Expect("437[4]")
	f.server.Emitter("/").Emit("e", 1, []string{"room"}, nil)
	client.Expect(`42["e",1]`)
	if status, _ := client.Post("4x"); status != http.StatusBadRequest {
		t.Errorf("garbage: %d", status)
	}
	wiretest.Eventually(t, "the connection is gone", func() bool { return f.server.Connections() == 0 })
}

// TestHeartbeatLosesNobody has clients answer pings at once, many times over.
func TestHeartbeatLosesNobody(t *testing.T) {
	h := newStub(t)
	f := start(t, Options{PingInterval: time.Millisecond, PingTimeout: 2 * time.Second}, map[string]Handler{"/": h})
	inParallel(32, func(int) {
		client, err := wiretest.TryDial(t, f.endpoint+"?EIO=4&transport=websocket")
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Cut()
		client.Send("40")
		for pings := 0; pings < 300; {
			got, _, err := client.TryRead()
			if err != nil {
				t.Errorf("after %d pings: %v", pings, err)
				return
			}
			if got == "2" {
				client.Send("3")
				pings++
			}
		}
	})
}
