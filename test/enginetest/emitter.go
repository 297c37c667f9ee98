package enginetest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"rolecall/internal/realtime"
	"rolecall/internal/shared"
	"rolecall/test/wiretest"
)

func (s suite) testEmitter(t *testing.T) {
	h, chat := newStub(t), newStub(t)
	byToken := func(_ context.Context, socket realtime.Socket, hs realtime.Handshake) error {
		socket.Join("everybody")
		for _, room := range []string{"red", "green", "blue"} {
			if strings.Contains(string(hs.Auth), room) {
				socket.Join(room)
			}
		}
		return nil
	}
	h.authenticate, chat.authenticate = byToken, byToken
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h, "/chat": chat})
	dial := func(namespace, rooms string) *wiretest.WebSocket {
		client := f.dial()
		client.Send(fmt.Sprintf(`40%s{"rooms":"%s"}`, namespace, rooms))
		expectPrefix(t, client, "40"+namespace+"{")
		return client
	}
	clients := map[string]*wiretest.WebSocket{
		"red": dial("", "red"), "red green": dial("", "red green"), "blue": dial("", "blue"), "none": dial("", ""),
		"chat": dial("/chat,", "red"),
	}
	if n := f.server.SocketCount("red"); n != 3 {
		t.Errorf("%d sockets are red", n)
	}
	if n := f.server.SocketCount("red", "green"); n != 1 {
		t.Errorf("%d sockets are red and green", n)
	}
	if f.server.SocketCount() != 0 || f.server.SocketCount("") != 0 {
		t.Error("sockets stand in no room")
	}
	for _, tt := range []struct {
		name       string
		namespaces []string
		payload    any
		to, except []string
		want       []string
		text       string
	}{
		{"one room", []string{"/"}, 1, []string{"red"}, nil, []string{"red", "red green"}, `["e",1]`},
		{"two rooms, once each", []string{"/"}, 1, []string{"red", "green"}, nil, []string{"red", "red green"}, `["e",1]`},
		{"except", []string{"/"}, 1, []string{"red", "blue"}, []string{"green"}, []string{"red", "blue"}, `["e",1]`},
		{"two namespaces", []string{"/", "/chat", "/nope"}, 1, []string{"red"}, nil, []string{"red", "red green", "chat"}, `["e",1]`},
		{"nobody", []string{"/"}, 1, nil, nil, nil, ""},
		{"nobody, with exceptions", []string{"/"}, 1, nil, []string{"red"}, nil, ""},
		{"room without sockets", []string{"/"}, 1, []string{"black"}, nil, nil, ""},
		{"a shared payload", []string{"/"}, shared.New([]byte(`{"a":1}`)), []string{"blue"}, nil, []string{"blue"}, `["e",{"a":1}]`},
		{"no HTML escapes", []string{"/"}, "<&>", []string{"blue"}, nil, []string{"blue"}, `["e","<&>"]`},
		{"raw JSON as it is", []string{"/"}, rawJSON(`{ "a":1 }`), []string{"blue"}, nil, []string{"blue"}, `["e",{ "a":1 }]`},
		{"not JSON", []string{"/"}, func() {}, []string{"red"}, nil, nil, ""},
	} {
		s.run(t, tt.name, func(t *testing.T) {
			f.server.Emitter(tt.namespaces...).Emit("e", tt.payload, tt.to, tt.except)
			for _, name := range tt.want {
				prefix := "42"
				if name == "chat" {
					prefix += "/chat,"
				}
				clients[name].Expect(prefix + tt.text)
			}
		})
	}
	if log := f.log.String(); strings.Count(log, "reaches nobody") != 2 || strings.Count(log, "cannot encode") != 1 {
		t.Errorf("log: %s", log)
	}
	f.server.Emitter("/").Emit("disconnect", 1, []string{"red"}, nil)
	if !strings.Contains(f.log.String(), "cannot have this name") {
		t.Error("a reserved name was taken")
	}
	// Nothing else has reached anybody: the next message each reads is the last.
	f.server.Emitter("/", "/chat").Emit("end", nil, []string{"everybody", "red"}, nil)
	for name, client := range clients {
		prefix := "42"
		if name == "chat" {
			prefix += "/chat,"
		}
		client.Expect(prefix + `["end",null]`)
	}
}

func (s suite) testDisconnectRoom(t *testing.T) {
	h, chat := newStub(t), newStub(t)
	entered := make(chan struct{}, 1)
	h.authenticate = func(ctx context.Context, socket realtime.Socket, hs realtime.Handshake) error {
		socket.Join("user:1")
		if strings.Contains(string(hs.Auth), "slow") {
			entered <- struct{}{}
			<-ctx.Done()
		}
		return nil
	}
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h, "/chat": chat})
	client, _ := f.connect(h)
	client.Send("40/chat,")
	expectPrefix(t, client, "40/chat,{")
	connecting := f.dial()
	connecting.Send(`40{"slow":true}`)
	wiretest.Receive(t, "Authenticate", entered)
	bystander := f.dial()
	bystander.Send("40/chat,")
	expectPrefix(t, bystander, "40/chat,{")

	f.server.DisconnectRoom("user:1")
	client.ReadClose()
	connecting.ReadClose()
	wiretest.Eventually(t, "the others are gone", func() bool { return f.server.Connections() == 1 })
	wiretest.Eventually(t, "the room is empty", func() bool { return f.server.SocketCount("user:1") == 0 })
	if chat.disconnects.Load() != 1 || h.disconnects.Load() != 1 {
		wiretest.Eventually(t, "Disconnected", func() bool { return chat.disconnects.Load() == 1 && h.disconnects.Load() == 1 })
	}
}
