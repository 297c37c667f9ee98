package enginetest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// What servers of other kinds ask of an engine: sockets by their ids, all of a namespace, events of any number of arguments.

// sidOf reads a socket's id from the answer to CONNECT.
func sidOf(t *testing.T, answer string) string {
	t.Helper()
	var told struct{ SID string }
	_, payload, _ := strings.Cut(answer, "{")
	if err := json.Unmarshal([]byte("{"+payload), &told); err != nil || told.SID == "" {
		t.Fatalf("answer to CONNECT: %q, %v", answer, err)
	}
	return told.SID
}

func (s suite) testSocketRooms(t *testing.T) {
	h, chat := newStub(t), newStub(t)
	h.authenticate, chat.authenticate = joins("red"), joins("red")
	var mu sync.Mutex
	var changed []string
	f := s.start(t, realtime.Options{SocketRooms: true, RoomChanged: func(room string) {
		mu.Lock()
		defer mu.Unlock()
		changed = append(changed, room)
	}}, map[string]realtime.Handler{"/": h, "/chat": chat})
	enter := func(namespace string, h *stub) (*wiretest.WebSocket, string, realtime.Socket) {
		client := f.dial()
		client.Send("40" + namespace)
		id := sidOf(t, expectPrefix(t, client, "40"+namespace+`{"sid":"`))
		socket := wiretest.Receive(t, "Connected", h.conns)
		if socket.ID() != id {
			t.Errorf("the socket of the id %s says %s", id, socket.ID())
		}
		if rooms := socket.Rooms(); !slices.Equal(rooms, []string{"red"}) {
			t.Errorf("the rooms are %q", rooms)
		}
		return client, id, socket
	}
	first, firstID, _ := enter("", h)
	second, secondID, _ := enter("", h)
	third, thirdID, _ := enter("/chat,", chat)

	emit := func(event string, to, except []string) { f.server.Emitter("/").Emit(event, 1, to, except) }
	emit("one", []string{firstID}, nil)
	first.Expect(`42["one",1]`)
	emit("nobody here", []string{thirdID}, nil)
	emit("all", []string{realtime.Everyone}, nil)
	first.Expect(`42["all",1]`)
	second.Expect(`42["all",1]`)
	emit("others", []string{realtime.Everyone, "red"}, []string{firstID})
	second.Expect(`42["others",1]`)
	emit("first again", []string{realtime.Everyone}, []string{secondID})
	first.Expect(`42["first again",1]`)
	f.server.Emitter("/chat").Emit("chat", 1, []string{realtime.Everyone}, nil)
	third.Expect(`42/chat,["chat",1]`)

	rooms := f.server.Rooms("/")
	slices.Sort(rooms)
	want := []string{firstID, secondID, "red"}
	slices.Sort(want)
	if diff := cmp.Diff(want, rooms); diff != "" {
		t.Errorf("rooms of / (-want +got):\n%s", diff)
	}
	if rooms := f.server.Rooms("/none"); len(rooms) != 0 {
		t.Errorf("rooms of a namespace that there is not: %q", rooms)
	}
	first.Cut()
	wiretest.Eventually(t, "a socket has left its own room", func() bool { return !slices.Contains(f.server.Rooms("/"), firstID) })
	mu.Lock()
	defer mu.Unlock()
	if i := slices.IndexFunc(changed, func(room string) bool { return room != "red" }); i >= 0 {
		t.Errorf("told of the room %q", changed[i])
	}
}

func (s suite) testSocketsIn(t *testing.T) {
	h := newStub(t)
	h.authenticate = func(_ context.Context, socket realtime.Socket, hs realtime.Handshake) error {
		var rooms struct{ Rooms []string }
		err := json.Unmarshal(hs.Auth, &rooms)
		socket.Join(rooms.Rooms...)
		return err
	}
	f := s.start(t, realtime.Options{SocketRooms: true}, map[string]realtime.Handler{"/": h, "/chat": newStub(t)})
	name := make(map[string]string) // by id
	for _, rooms := range []string{`"a"`, `"a","b"`, `"b"`, ``} {
		client := f.dial()
		client.Send(`40{"rooms":[` + rooms + `]}`)
		name[sidOf(t, expectPrefix(t, client, `40{"sid":"`))] = rooms
		wiretest.Receive(t, "Connected", h.conns)
	}
	for _, tt := range []struct {
		namespace     string
		rooms, except []string
		want          []string
	}{
		{"/", []string{"a"}, nil, []string{`"a"`, `"a","b"`}},
		{"/", []string{"a", "b"}, nil, []string{`"a"`, `"a","b"`, `"b"`}},
		{"/", []string{"a", "b"}, []string{"b", "none"}, []string{`"a"`}},
		{"/", []string{realtime.Everyone}, []string{"a"}, []string{``, `"b"`}},
		{"/", nil, nil, nil},
		{"/chat", []string{"a", realtime.Everyone}, nil, nil},
		{"/none", []string{realtime.Everyone}, nil, nil},
	} {
		var got []string
		for socket := range f.server.SocketsIn(tt.namespace, tt.rooms, tt.except) {
			got = append(got, name[socket.ID()])
		}
		slices.Sort(got)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("in %q but %q of %s (-want +got):\n%s", tt.rooms, tt.except, tt.namespace, diff)
		}
	}
}

// testListedOnceAnswered: who has read the answer to CONNECT is listed, though what has sent it may not have noted that yet.
func (s suite) testListedOnceAnswered(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("a")
	h.connected = func(realtime.Socket) {}
	f := s.start(t, realtime.Options{SocketRooms: true}, map[string]realtime.Handler{"/": h})
	const many = 200
	for i := range many {
		client := f.dial()
		client.Send("40")
		expectPrefix(t, client, `40{"sid":"`)
		listed, selected := 0, 0
		for range f.server.OpenSockets("a") {
			listed++
		}
		for range f.server.SocketsIn("/", []string{"a"}, nil) {
			selected++
		}
		if listed != i+1 || selected != i+1 {
			t.Fatalf("of %d sockets %d are listed and %d selected", i+1, listed, selected)
		}
	}
}

func (s suite) testRawArguments(t *testing.T) {
	h := newStub(t)
	h.authenticate = joins("red")
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client, socket := f.connect(h)
	args := func(binary [][]byte, list ...string) realtime.RawArguments {
		a := realtime.RawArguments{Attachments: binary}
		for _, text := range list {
			a.JSON = append(a.JSON, rawJSON(text))
		}
		return a
	}
	for _, tt := range []struct {
		payload realtime.RawArguments
		want    string
	}{
		{args(nil), `42["e"]`}, {args(nil, "1"), `42["e",1]`}, {args(nil, `{"a":1}`, "null", `"x"`), `42["e",{"a":1},null,"x"]`},
	} {
		f.server.Emitter("/").Emit("e", tt.payload, []string{"red"}, nil)
		client.Expect(tt.want)
		if err := socket.Emit("e", tt.payload); err != nil {
			t.Error(err)
		}
		client.Expect(tt.want)
	}
	binary := args([][]byte{{1}, {2}}, `{"_placeholder":true,"num":0}`, "5", `[{"_placeholder":true,"num":1}]`)
	f.server.Emitter("/").Emit("e", binary, []string{"red"}, nil)
	client.Expect(`452-["e",{"_placeholder":true,"num":0},5,[{"_placeholder":true,"num":1}]]`)
	for _, want := range []string{"\x01", "\x02"} {
		if got := client.Read(); got != want {
			t.Errorf("an attachment is %q, want %q", got, want)
		}
	}
}

func (s suite) testAnswerWithBinaryData(t *testing.T) {
	h := newStub(t)
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client, socket := f.connect(h)
	type outcome struct {
		answer realtime.Answer
		err    error
	}
	outcomes := make(chan outcome, 1)
	go func() {
		answer, err := socket.Call(t.Context(), "question", realtime.RawArguments{JSON: []json.RawMessage{rawJSON("1"), rawJSON("2")}})
		outcomes <- outcome{answer, err}
	}()
	question := client.Read()
	id, ok := strings.CutSuffix(strings.TrimPrefix(question, "42"), `["question",1,2]`)
	if !ok {
		t.Fatalf("asked %q", question)
	}
	client.Send("461-" + id + `[{"_placeholder":true,"num":0},"more"]`)
	client.SendBinary([]byte{7, 8})
	got := wiretest.Receive(t, "an answer", outcomes)
	want := realtime.Answer{Args: []json.RawMessage{rawJSON(`{"_placeholder":true,"num":0}`), rawJSON(`"more"`)}, Binary: [][]byte{{7, 8}}}
	if diff := cmp.Diff(want, got.answer); diff != "" || got.err != nil {
		t.Errorf("answered (%v, -want +got):\n%s", got.err, diff)
	}
}
