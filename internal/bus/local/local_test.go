package local_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"rolecall/internal/bus"
	"rolecall/internal/bus/local"
	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/socketstest"
)

var _ bus.Bus = (*local.Bus)(nil)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// door lets everybody in, into the rooms that the CONNECT payload names.
type door struct{ connected chan struct{} }

func (d door) Authenticate(_ context.Context, socket realtime.Socket, hs realtime.Handshake) error {
	var who struct {
		Rooms []string `json:"rooms"`
	}
	if err := json.Unmarshal(hs.Auth, &who); err != nil {
		return err
	}
	socket.Join(who.Rooms...)
	return nil
}
func (d door) Connected(realtime.Socket)             { d.connected <- struct{}{} }
func (d door) Event(realtime.Socket, realtime.Event) {}
func (d door) Disconnected(realtime.Socket, string)  {}

func TestBus(t *testing.T) {
	engine := native.New(realtime.Options{})
	d := door{make(chan struct{}, 10)}
	engine.Namespace("/", d)
	engine.Namespace("/chat", d)
	nodes := local.New(engine)
	url := socketstest.Serve(t, engine)
	dial := func(namespace string, rooms ...string) *socketstest.Client {
		client, err := socketstest.Dial(t, url, sioclient.Options{Namespace: namespace, Auth: map[string]any{"rooms": rooms}})
		if err != nil {
			t.Fatal(err)
		}
		<-d.connected
		return client
	}
	amy := dial("/", "user:amy", "company:acme")
	dial("/chat", "user:amy", "company:acme")
	bob := dial("/", "user:bob", "company:acme")
	dial("/", "user:cy", "company:umbra")
	ctx := t.Context()

	if n, err := nodes.SocketCount(ctx, roles.UserRoom("amy"), roles.CompanyRoom("acme")); n != 2 || err != nil {
		t.Errorf("amy has %d sockets, %v; want 2", n, err)
	}
	online, err := nodes.Online(ctx, "amy", "bob", "dan")
	if !online["amy"] || !online["bob"] || online["dan"] || err != nil {
		t.Errorf("online: %v, %v", online, err)
	}
	for limit, want := range map[int]int{0: 0, 1: 1, 2: 2, 10: 2} {
		users, err := nodes.UsersIn(ctx, limit, roles.CompanyRoom("acme"), roles.UserRoom("amy"))
		slices.Sort(users)
		if len(users) != want || err != nil || len(slices.Compact(users)) != want || slices.Contains(users, "cy") {
			t.Errorf("at most %d in acme: %v, %v", limit, users, err)
		}
	}

	emitter := nodes.Emitter("/")
	emitter.Emit(ctx, "said", "hello", []roles.Room{roles.CompanyRoom("acme")}, roles.UserRoom("bob"))
	if got := amy.Hears("said"); got != `"hello"` {
		t.Errorf("amy hears %s", got)
	}
	emitter.EmitNewest(ctx, "newest", bus.Newest{
		Fields: json.RawMessage(`{"at":5}`), Member: "list", Values: []bus.Value{{Key: "a", JSON: json.RawMessage("1")}},
	}, roles.UserRoom("bob"))
	if got := bob.Hears("newest"); got != `{"at":5,"list":[1]}` {
		t.Errorf("bob hears %s", got)
	}
	if err := nodes.Disconnect(ctx, roles.UserRoom("bob")); err != nil {
		t.Error(err)
	}
	bob.Ended()
}

// Nobody else is there: what is told to other nodes comes to nobody, and nothing is ever missed.
func TestAlone(t *testing.T) {
	engine := native.New(realtime.Options{})
	d := door{make(chan struct{}, 10)}
	engine.Namespace("/", d)
	nodes := local.New(engine)
	amy, err := socketstest.Dial(t, socketstest.Serve(t, engine), sioclient.Options{Auth: map[string]any{"rooms": []string{"user:amy"}}})
	if err != nil {
		t.Fatal(err)
	}
	<-d.connected
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nothing waits, whatever the context
	nodes.Handle("hint", func(context.Context, bus.Message) { t.Error("the node was told what it has published") })
	nodes.Lost(func(context.Context) { t.Error("something was missed") })
	release := nodes.Listen(ctx, roles.UserRoom("amy"))
	nodes.Publish(ctx, bus.Message{Kind: "hint"})
	nodes.Publish(ctx, bus.Message{Kind: "hint", Rooms: []roles.Room{roles.UserRoom("amy")}, Body: []byte("1")})
	nodes.LocalEmitter("/").Emit(ctx, "said", "hello", []roles.Room{roles.UserRoom("amy")})
	if got := amy.Hears("said"); got != `"hello"` {
		t.Errorf("amy hears %s", got)
	}
	release()
}
