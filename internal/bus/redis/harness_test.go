package redis_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rolecall/internal/bus/local"
	"rolecall/internal/bus/redis"
	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/socketstest"
)

func TestMain(m *testing.M) {
	// The client library looks at a cluster, and lets go of its connections, after a pause, for which it also stays when it has
	// been closed.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}

// node is one process of a cluster, as far as the bus knows of it.
type node struct {
	*redis.Bus
	t      testing.TB
	engine realtime.Engine
	url    string
	log    *lines
	lost   chan struct{}
	stop   func()
	// connected is told of each socket that is open: its client may know before the engine counts it.
	connected chan struct{}
}

// door lets everybody in, into the rooms that the CONNECT payload names.
type door struct {
	bus       *redis.Bus
	connected chan struct{}
}

func (d door) Authenticate(ctx context.Context, socket realtime.Socket, hs realtime.Handshake) error {
	var who struct {
		Rooms []string `json:"rooms"`
	}
	if err := json.Unmarshal(hs.Auth, &who); err != nil {
		return err
	}
	defer d.bus.Listen(ctx, roles.Rooms(who.Rooms)...)()
	socket.Join(who.Rooms...)
	return nil
}
func (d door) Connected(realtime.Socket)             { d.connected <- struct{}{} }
func (d door) Event(realtime.Socket, realtime.Event) {}
func (d door) Disconnected(realtime.Socket, string)  {}

// quick are times in which a test can wait for what takes seconds in earnest.
func quick(url string) redis.Options {
	return redis.Options{URL: url, Beat: 100 * time.Millisecond, Lease: 700 * time.Millisecond, Patience: 2 * time.Second}
}

// start starts a node until the end of t.
func start(t testing.TB, o redis.Options) *node {
	t.Helper()
	log := &lines{}
	o.Logger = slog.New(slog.NewTextHandler(log, nil))
	bus, err := redis.New(o)
	if err != nil {
		t.Fatal(err)
	}
	engine := native.New(realtime.Options{RoomChanged: bus.RoomChanged})
	bus.Attach(local.New(engine))
	n := &node{Bus: bus, t: t, engine: engine, log: log, lost: make(chan struct{}, 100), connected: make(chan struct{}, 10_000)}
	bus.Lost(func(context.Context) {
		select {
		case n.lost <- struct{}{}:
		default:
		}
	})
	engine.Namespace("/", door{bus, n.connected})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { bus.Run(ctx) })
	n.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		bus.Close()
	})
	t.Cleanup(n.stop)
	n.url = socketstest.Serve(t, engine)
	bus.Await(t.Context())
	return n
}

// dial connects somebody who stands in these rooms.
func (n *node) dial(rooms ...string) *socketstest.Client {
	n.t.Helper()
	client, err := socketstest.Dial(n.t, n.url, sioclient.Options{Auth: map[string]any{"rooms": rooms}})
	if err != nil {
		n.t.Fatal(err)
	}
	receive(n.t, n.connected)
	return client
}

// say sends an event to rooms from this node.
func (n *node) say(what any, to ...roles.Room) {
	n.t.Helper()
	n.Emitter("/").Emit(n.t.Context(), "said", what, to)
}

// eventually waits until something is true.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(socketstest.Deadline)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// receive takes what comes next.
func receive[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(socketstest.Deadline):
		t.Fatal("nothing came in time")
		panic("unreachable")
	}
}

// lines is what a node logs.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func named(o redis.Options, name string) redis.Options {
	o.Name = name
	return o
}
