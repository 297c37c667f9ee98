package bridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"rolecall/internal/bridge"
	"rolecall/internal/bridge/wire"
	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/servers"
	"rolecall/test/servicetest"
	"rolecall/test/socketstest"
)

func TestMain(m *testing.M) {
	// The client library looks at a cluster, and lets go of its connections, after a pause, for which it also stays when it has
	// been closed.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}

// node is a server, as far as the bridge knows of it.
type node struct {
	*bridge.Bridge
	t    *testing.T
	url  string
	log  *servicetest.Lines
	stop func()
}

// door lets everybody in, into the rooms that the CONNECT payload names.
type door struct{ connected chan struct{} }

func (d door) Authenticate(_ context.Context, socket realtime.Socket, hs realtime.Handshake) error {
	var who struct {
		Rooms []string `json:"rooms"`
	}
	err := json.Unmarshal(hs.Auth, &who)
	socket.Join(who.Rooms...)
	return err
}
func (d door) Connected(realtime.Socket)             { d.connected <- struct{}{} }
func (d door) Event(realtime.Socket, realtime.Event) {}
func (d door) Disconnected(realtime.Socket, string)  {}

// start starts a server of a deployment until the end of t.
func start(t *testing.T, url, deployment string) *node {
	t.Helper()
	n := &node{t: t, log: &servicetest.Lines{}}
	policy := bridge.Policy{Rooms: []string{roles.ChatRooms, roles.UserRooms}}
	made, err := bridge.New(bridge.Options{
		URL: url, Deployment: deployment, Policies: map[string]bridge.Policy{"/": policy, "/chat": policy},
		Describe: func(socket realtime.Socket) (bridge.Person, bool) {
			return bridge.Person{Data: len(socket.Rooms())}, true
		},
		Logger: slog.New(slog.NewTextHandler(n.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	n.Bridge = made
	engine := native.New(realtime.Options{SocketRooms: true})
	for _, name := range []string{"/", "/chat"} {
		engine.Namespace(name, door{make(chan struct{}, 1000)})
	}
	n.Attach(engine)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { n.Run(ctx) })
	n.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(n.stop)
	n.url = socketstest.Serve(t, engine)
	n.connected()
	return n
}

func (n *node) connected() {
	n.t.Helper()
	eventually(n.t, "the bridge is up", func() bool { return n.Metrics().Connected })
}

func (n *node) dial(rooms ...string) *socketstest.Client {
	n.t.Helper()
	client, err := socketstest.Dial(n.t, n.url, sioclient.Options{Auth: map[string]any{"rooms": rooms}})
	if err != nil {
		n.t.Fatal(err)
	}
	return client
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// elsewhere is another server of Socket.IO, message by message.
type elsewhere struct {
	t      *testing.T
	client rueidis.Client
	heard  chan rueidis.PubSubMessage
}

func listen(t *testing.T, url string) *elsewhere {
	t.Helper()
	e := &elsewhere{t: t, heard: make(chan rueidis.PubSubMessage, 100_000)}
	e.client = servers.ListenRedis(t, url, "socket.io*", func(m rueidis.PubSubMessage) { e.heard <- m })
	return e
}

func (e *elsewhere) publish(channel string, message []byte) {
	e.t.Helper()
	if err := e.client.Do(e.t.Context(), e.client.B().Publish().Channel(channel).Message(rueidis.BinaryString(message)).Build()).Error(); err != nil {
		e.t.Fatal(err)
	}
}

func (e *elsewhere) emit(uid, event string, argument string, rooms ...string) {
	e.t.Helper()
	sent := wire.Broadcast{UID: uid, Namespace: "/", Event: event, Rooms: rooms, Arguments: wire.Arguments{JSON: []json.RawMessage{[]byte(argument)}}}
	message, err := sent.Append(nil)
	if err != nil {
		e.t.Fatal(err)
	}
	e.publish(wire.ChannelsOf(bridge.DefaultKey, "/").Broadcast(rooms), message)
}

// next returns the next message on a channel that begins so.
func (e *elsewhere) next(beginning string) rueidis.PubSubMessage {
	e.t.Helper()
	for deadline := time.After(20 * time.Second); ; {
		select {
		case m := <-e.heard:
			if strings.HasPrefix(m.Channel, beginning) {
				return m
			}
		case <-deadline:
			e.t.Fatalf("nothing came on %s", beginning)
		}
	}
}

// What one server of a deployment emits is published once a namespace, and no other of them tells its sockets: they have been
// told. Those of another deployment tell theirs.
func TestOneDeploymentPublishesOnce(t *testing.T) {
	t.Parallel()
	redis := servers.StartRedis(t)
	outside := listen(t, redis.URL)
	a, b, other := start(t, redis.URL, "ours"), start(t, redis.URL, "ours"), start(t, redis.URL, "theirs")
	here, there, beyond := a.dial("user:u"), b.dial("user:u"), other.dial("user:u")
	a.Emitter("/", "/chat", "/tracking").Emit(t.Context(), "order:new", map[string]int{"id": 1}, []roles.Room{"user:u"}, "chat:x", "aside:1")
	if got := beyond.Hears("order:new"); got != `{"id":1}` {
		t.Errorf("another deployment hears %s", got)
	}
	for _, want := range []string{"/", "/chat"} {
		m := outside.next("socket.io#")
		got, err := wire.DecodeBroadcast([]byte(m.Message))
		if err != nil || got.Namespace != want || m.Channel != "socket.io#"+want+"#user:u#" || len(got.Except) != 1 {
			t.Errorf("published on %s: %+v, %v", m.Channel, got, err)
		}
	}
	outside.emit("nobody", "fence", "1", "user:u")
	for _, client := range []*socketstest.Client{here, there, beyond} {
		client.Hears("fence")
	}
	for _, n := range []*node{a, b} {
		if m := n.Metrics(); m.Delivered != 1 {
			t.Errorf("%d events of others were sent to sockets, of which the fence is one", m.Delivered)
		}
	}
}

// Everything that was emitted before the end is sent, in order.
func TestDrainSendsWhatWasEmitted(t *testing.T) {
	t.Parallel()
	redis := servers.StartRedis(t)
	outside := listen(t, redis.URL)
	n := start(t, redis.URL, "ours")
	const many = 5000
	emitter := n.Emitter("/")
	for i := range many {
		emitter.Emit(t.Context(), "e", i, []roles.Room{"user:u"})
	}
	if err := n.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.stop()
	for i := range many {
		got, err := wire.DecodeBroadcast([]byte(outside.next("socket.io#/#").Message))
		if err != nil || string(got.JSON[0]) != fmt.Sprint(i) {
			t.Fatalf("event %d is %s, %v", i, got.JSON, err)
		}
	}
	if m := n.Metrics(); m.Published != many || m.Dropped != 0 {
		t.Errorf("%+v", m)
	}
}

// While Redis stands still nobody waits for it, what waits has a bound, and a stop is a matter of moments; when it goes on,
// everything does.
func TestRedisThatStandsStill(t *testing.T) {
	t.Parallel()
	redis := servers.StartRedis(t)
	n, second := start(t, redis.URL, "ours"), start(t, redis.URL, "theirs")
	client := n.dial("user:u")
	redis.Freeze()
	payload := strings.Repeat("x", 1<<18)
	for range 80 {
		begun := time.Now()
		n.Emitter("/").Emit(t.Context(), "e", payload, []roles.Room{"user:u"})
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("emitting took %s", took)
		}
		if waiting := n.Waiting(); waiting > bridge.MaxWaiting {
			t.Fatalf("%d bytes wait", waiting)
		}
	}
	if m := n.Metrics(); m.Dropped == 0 {
		t.Errorf("nothing was dropped: %+v", m)
	}
	eventually(t, "it is noticed", func() bool { return !n.Metrics().Connected && !second.Metrics().Connected })
	if text := n.log.String(); !strings.Contains(text, "redis is not heard") || !strings.Contains(text, "too much waits for Redis") {
		t.Errorf("log: %s", text)
	}
	begun := time.Now()
	second.stop()
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("the stop took %s", took)
	}
	redis.Thaw()
	n.connected()
	listen(t, redis.URL).emit("nobody", "again", "1", "user:u")
	client.Hears("again")
}

// In a cluster of Redis everybody hears everything too.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	redis := servers.StartRedis(t, "--cluster-enabled", "yes")
	if answer := redis.Ask("CLUSTER ADDSLOTSRANGE 0 16383"); answer != "+OK" {
		t.Fatal(answer)
	}
	eventually(t, "the cluster is up", func() bool { return strings.Contains(redis.Ask("CLUSTER INFO"), "cluster_state:ok") })
	outside := listen(t, redis.URL)
	a, b := start(t, redis.URL+"?cluster=true", "ours"), start(t, redis.URL+"?cluster=true", "theirs")
	client := b.dial("user:u")
	a.Emitter("/").Emit(t.Context(), "e", 1, []roles.Room{"user:u"})
	client.Hears("e")
	outside.publish("socket.io-request#/#", []byte(`{"uid":"x","requestId":"a","type":5,"opts":{"rooms":["user:u"]}}`))
	for range 2 {
		outside.next("socket.io-response#/#")
	}
}

// A user who may do no more than docs/bridge.md says is enough.
func TestUserOfItsOwn(t *testing.T) {
	t.Parallel()
	redis := servers.StartRedis(t)
	if answer := redis.Ask("ACL SETUSER bridge on >word resetchannels &socket.io-re* &socket.io#/#* &socket.io#/chat#* nocommands +@connection +@pubsub"); answer != "+OK" {
		t.Fatal(answer)
	}
	url := strings.Replace(redis.URL, "redis://", "redis://bridge:word@", 1)
	a, b := start(t, url, "ours"), start(t, url, "theirs")
	client := b.dial("user:u")
	a.Emitter("/").Emit(t.Context(), "e", 1, []roles.Room{"user:u"})
	client.Hears("e")
}

// Whatever others ask how often, each is answered; what costs much beyond a rate with nothing.
func TestFloodOfRequests(t *testing.T) {
	t.Parallel()
	redis := servers.StartRedis(t)
	outside := listen(t, redis.URL)
	n := start(t, redis.URL, "ours")
	n.dial("user:u")
	const many = 2000
	for i := range many {
		outside.publish("socket.io-request#/#", fmt.Appendf(nil, `{"uid":"x","requestId":"%d","type":1}`, i))
	}
	full, empty := 0, 0
	for range many {
		var answer struct{ Rooms []string }
		if err := json.Unmarshal([]byte(outside.next("socket.io-response#/#").Message), &answer); err != nil || answer.Rooms == nil {
			t.Fatalf("%v, %v", answer, err)
		}
		if len(answer.Rooms) > 0 {
			full++
		} else {
			empty++
		}
	}
	if full < 100 || empty < many/2 {
		t.Errorf("%d were answered, %d with nothing", full, empty)
	}
	if m := n.Metrics(); m.Refused["too_often"] != int64(empty) || m.Requests != many {
		t.Errorf("%+v", m)
	}
}

// A flood of events is told as far as it can be; more than may wait is counted.
func TestFloodOfEvents(t *testing.T) {
	t.Parallel()
	redis := servers.StartRedis(t)
	outside := listen(t, redis.URL)
	n := start(t, redis.URL, "ours")
	client := n.dial("user:u")
	big := `"` + strings.Repeat("x", 200_000) + `"`
	for range 300 { // most of it goes to rooms that there are not
		outside.emit("x", "e", big, "chat:nobody")
		outside.publish("socket.io#/#", bytes.Repeat([]byte{0x91}, 300_000))
	}
	outside.emit("x", "last", "1", "user:u")
	eventually(t, "what can be told is told", func() bool {
		m := n.Metrics()
		return m.Overflowed > 0 || m.Refused["malformed"] == 300
	})
	before := n.Metrics().Delivered
	eventually(t, "the bridge goes on", func() bool {
		outside.emit("x", "still here", "1", "user:u")
		return n.Metrics().Delivered > before
	})
	client.Hears("still here")
}
