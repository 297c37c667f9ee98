package enginetest

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// testArguments: a payload may be several arguments, by every way there is.
func (s suite) testArguments(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("room")
	h.event = func(_ realtime.Socket, ev realtime.Event) { ev.Ack(realtime.Arguments{true, "b"}) }
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client, socket := f.connect(h)
	several := realtime.Arguments{"/chat", nil, map[string]int{"a": 1}, rawJSON(`[2]`)}
	if err := socket.Emit("direct", several); err != nil {
		t.Fatal(err)
	}
	client.Expect(`42["direct","/chat",null,{"a":1},[2]]`)
	f.server.Emitter("/").Emit("room", several, []string{"room"}, nil)
	client.Expect(`42["room","/chat",null,{"a":1},[2]]`)
	client.Send(`427["e"]`)
	client.Expect(`437[true,"b"]`)
	if socket.Emit("none", realtime.Arguments{}) == nil || socket.Emit("bad", realtime.Arguments{1, func() {}}) == nil {
		t.Error("what is no argument is sent")
	}
}

// notes are what a watcher is told, a line each.
type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

func (n *notes) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.lines)
}

func (n *notes) Opened(socket realtime.Socket) { n.note("opened %s", name(socket)) }
func (n *notes) Ended(socket realtime.Socket, reason string) {
	n.note("ended %s: %s", name(socket), reason)
}
func (n *notes) Received(socket realtime.Socket, event string) {
	n.note("received %s: %s", name(socket), event)
}

func (n *notes) Sent(event string, to iter.Seq[realtime.Socket]) {
	var names []string
	for socket := range to {
		names = append(names, name(socket))
	}
	slices.Sort(names)
	n.note("sent %s to %s", event, strings.Join(names, " and "))
}

func name(socket realtime.Socket) string { return fmt.Sprint(socket.Data(), socket.Namespace()) }

// testWatch: a watcher hears of everything, once, and of nothing before or after it watches.
func (s suite) testWatch(t *testing.T) {
	h, chat := newStub(t), newStub(t)
	enter := func(_ context.Context, socket realtime.Socket, hs realtime.Handshake) error {
		socket.SetData(strings.Trim(string(hs.Auth), `{}":`))
		socket.Join("all", string(hs.Auth), "chat:room")
		return nil
	}
	h.authenticate, chat.authenticate = enter, enter
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h, "/chat": chat})
	emit := f.server.Emitter("/", "/chat")
	dial := func(who, namespace string) (*wiretest.WebSocket, realtime.Socket) {
		client, stub := f.dial(), h
		if namespace != "" {
			stub = chat
		}
		client.Send(fmt.Sprintf(`40%s{"%s":""}`, namespace, who))
		expectPrefix(t, client, "40"+namespace+"{")
		return client, wiretest.Receive(t, "Connected", stub.conns)
	}
	emit.Emit("unseen", 1, []string{"all"}, nil)
	watcher := &notes{}
	f.server.Watch(watcher)
	ada, adas := dial("ada", "")
	bob, _ := dial("bob", "")
	eve, eves := dial("eve", "/chat,")
	emit.Emit("wide", 1, []string{"all", "chat:room"}, nil)
	emit.Emit("narrow", 1, []string{"all"}, []string{`{"bob":""}`})
	emit.Emit("nowhere", 1, []string{"nobody"}, nil)
	_ = adas.Emit("direct", realtime.Arguments{1, 2})
	ada.Send(`42["question",{"text":"hush"}]`)
	wiretest.Eventually(t, "the event is noted", func() bool { return slices.Contains(watcher.all(), "received ada/: question") })
	bob.Send("41")
	hears := func(line string) func() bool { return func() bool { return slices.Contains(watcher.all(), line) } }
	wiretest.Eventually(t, "an end is noted", hears("ended bob/: client namespace disconnect"))
	eves.Disconnect(false)
	eve.Expect(`42/chat,["wide",1]`)
	wiretest.Eventually(t, "another end is noted", hears("ended eve/chat: server namespace disconnect"))
	f.server.Watch(nil)
	emit.Emit("unseen", 1, []string{"all"}, nil)
	ada.Send(`42["unseen"]`)
	_ = adas.Emit("unseen", nil)

	want := []string{
		"opened ada/", "opened bob/", "opened eve/chat",
		"sent wide to ada/ and bob/", "sent wide to eve/chat",
		"sent narrow to ada/", "sent narrow to eve/chat", "sent direct to ada/",
		"received ada/: question", "ended bob/: client namespace disconnect", "ended eve/chat: server namespace disconnect",
	}
	got := slices.DeleteFunc(watcher.all(), func(line string) bool { return strings.HasSuffix(line, " to ") })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a watcher is told otherwise (-want +got):\n%s", diff)
	}
}

// testTraffic: connections and sockets are told at any time, what passes only while there is a watcher.
func (s suite) testTraffic(t *testing.T) {
	h := newStub(t)
	h.event = echo
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h, "/empty": newStub(t)})
	unseen, _ := f.connect(h)
	unseen.Send(`421["e"]`)
	unseen.Expect("431[[]]")
	if got := f.server.Traffic(); got.Connections != 1 || got.Polling != 0 || got.Opened+got.PacketsIn+got.PacketsOut+got.BytesIn+got.BytesOut != 0 {
		t.Errorf("nobody watches: %+v", got)
	}
	f.server.Watch(&notes{})
	client, _ := f.connect(h)
	client.Send(`421["e"]`)
	client.Expect("431[[]]")
	response, err := http.Get(f.endpoint + "?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	wiretest.Eventually(t, "a client polls", func() bool { return f.server.Traffic().Polling == 1 })
	in := int64(len("0") + len(`21["e"]`))
	wiretest.Eventually(t, "what has passed is counted", func() bool { // what a client has read may not be yet
		got := f.server.Traffic()
		return got.PacketsIn == 2 && got.BytesIn == in && got.PacketsOut == 2 && got.BytesOut > int64(len("31[[]]"))
	})
	got := f.server.Traffic()
	if got.Connections != 3 || got.Opened != 2 || got.Sockets["/"] != 2 || got.Sockets["/empty"] != 0 || len(got.Sockets) != 2 {
		t.Errorf("%+v", got)
	}
	client.Cut()
	wiretest.Eventually(t, "a connection has closed", func() bool {
		return cmp.Diff(map[string]int64{"transport close": 1}, f.server.Traffic().Closed) == ""
	})
	wiretest.Eventually(t, "it is open no longer", func() bool { return f.server.Traffic().Connections == 2 })
}

// testConnectionShowsNoSecret: what is shown of a connection's id is a small part of it, and not the node's name.
func (s suite) testConnectionShowsNoSecret(t *testing.T) {
	h := newStub(t)
	f := s.start(t, realtime.Options{IDPrefix: "a-node-of-a-long-name."}, map[string]realtime.Handler{"/": h})
	_, socket := f.connect(h)
	_, other := f.connect(h)
	mine := socket.Connection()
	if shown := mine.Shown(); len(shown) != 8 || !strings.Contains(mine.ID, shown) || shown == other.Connection().Shown() {
		t.Errorf("%q is shown of %q", shown, mine.ID)
	}
	if mine.RawQuery != "EIO=4&transport=websocket" || mine.Origin != "" {
		t.Errorf("the connection is of another request: %+v", mine)
	}
}
