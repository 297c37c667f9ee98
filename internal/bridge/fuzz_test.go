package bridge_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/bridge"
	"rolecall/internal/bridge/wire"
	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
)

// Whatever is published on whichever channel, nothing panics, a socket stands in no room that only an identity opens, and
// hears no event of the server's own.
func FuzzHandle(f *testing.F) {
	policy := bridge.Policy{Rooms: []string{roles.ChatRooms, roles.UserRooms}}
	made, err := bridge.New(bridge.Options{
		URL: "redis://127.0.0.1:1", Deployment: "ours", Policies: map[string]bridge.Policy{"/": policy},
		Describe: func(realtime.Socket) (bridge.Person, bool) { return bridge.Person{}, true },
	})
	if err != nil {
		f.Fatal(err)
	}
	engine := native.New(realtime.Options{SocketRooms: true})
	engine.Namespace("/", door{make(chan struct{}, 1000)})
	made.Attach(engine)
	server := httptest.NewServer(engine)
	var clients []*sioclient.Client
	f.Cleanup(func() {
		for _, client := range clients {
			client.Close()
		}
		if err := engine.Drain(context.Background()); err != nil {
			f.Error(err)
		}
		server.Close()
	})
	identity := []string{"user:u", "role:driver", "fleet:a"}
	heard := make(chan string, 1000)
	dial := func(t *testing.T) {
		client, err := sioclient.Dial(context.Background(), server.URL, sioclient.Options{
			Auth: map[string]any{"rooms": identity}, Observe: func(event sioclient.Event) {
				select {
				case heard <- event.Name:
				default:
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, client)
	}
	for _, message := range []string{
		`{"type":2,"opts":{"rooms":["user:u"],"except":[]},"rooms":["user:x"]}`, `{"type":3,"opts":{"rooms":[]},"rooms":["user:u"]}`,
		`{"type":5,"requestId":"a","opts":{"rooms":["user:u"]}}`, `{"type":1,"requestId":"a"}`, `{"type":4,"opts":{"rooms":["user:u"]},"close":true}`,
		`{"type":6,"requestId":"a","data":["x"]}`, "\x85\xa3uid\xa1a\xa9requestId\xa1r\xa4type\x07\xa6packet\x82\xa4type\x02\xa4data\x91\xa3ask\xa4opts\x81\xa5rooms\x91\xa6user:u",
	} {
		f.Add(true, "", []byte(message))
	}
	good := wire.Broadcast{UID: "a", Namespace: "/", Event: "e", Rooms: []string{"user:u"}}
	message, err := good.Append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(false, "user:u#", message)
	f.Add(false, "", message)
	f.Fuzz(func(t *testing.T, request bool, behind string, message []byte) {
		if engine.SocketCount("user:u") == 0 { // it may have been disconnected
			dial(t)
		}
		made.Handle(t.Context(), "/", request, behind, message)
		for socket := range engine.OpenSockets("role:driver") {
			for _, room := range socket.Rooms() {
				if !slices.Contains(identity, room) && roles.Room(room).IsOfIdentity() {
					t.Errorf("a socket was put into %q", room)
				}
			}
			if !socket.InRoom("user:u") || !socket.InRoom("fleet:a") {
				t.Errorf("a socket stands in %q", socket.Rooms())
			}
		}
		for len(heard) > 0 {
			if name := <-heard; slices.ContainsFunc(bridge.OwnEvents(), func(own string) bool { return strings.HasPrefix(name, own) }) {
				t.Errorf("a client heard %s", name)
			}
		}
		if made.Metrics().Refused["panic"] > 0 {
			t.Error("a panic")
		}
	})
}
