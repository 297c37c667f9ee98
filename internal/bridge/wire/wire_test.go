package wire_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rolecall/internal/bridge/wire"
)

// golden is what the official packages have written: see testdata/record.mjs.
type golden struct {
	Name, Channel, Hex string
	message            []byte
}

func recorded(t testing.TB) []golden {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if all[i].message, err = hex.DecodeString(all[i].Hex); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func args(values ...string) (raw []json.RawMessage) {
	for _, value := range values {
		raw = append(raw, json.RawMessage(value))
	}
	return raw
}

func placeholder(i string) string { return `{"_placeholder":true,"num":` + i + `}` }

func broadcast(namespace, event string, rooms []string, arguments ...string) wire.Broadcast {
	return wire.Broadcast{
		UID: "AbCdEf", Namespace: namespace, Event: event, Rooms: rooms, Arguments: wire.Arguments{JSON: args(arguments...)},
	}
}

// The broadcasts of golden.json, as they are understood.
func broadcasts() map[string]wire.Broadcast {
	one := []string{"r1"}
	except := broadcast("/", "hi", one, `"x"`)
	except.Except = []string{"r2", "r3"}
	binary := broadcast("/", "hi", one, placeholder("0"), `{"within":`+placeholder("1")+`}`)
	binary.Binary = [][]byte{{1, 2, 3}, []byte("ab")}
	several := broadcast("/chat", "hi", []string{"a", "b"}, `{"x":1}`)
	several.UID, several.Except = wire.EmitterUID, []string{"c"}
	one5 := broadcast("/", "hi", one, "1")
	one5.UID = wire.EmitterUID
	none := broadcast("/", "hi", nil, placeholder("0"))
	none.UID, none.Binary = wire.EmitterUID, [][]byte{{1}}
	var list, members strings.Builder
	for i := range 20 {
		n, _ := json.Marshal(i)
		list.WriteString("," + string(n))
		members.WriteString(`,"m` + string(n) + `":` + string(n))
	}
	return map[string]wire.Broadcast{
		"one room /":     broadcast("/", "hi", one, "1"),
		"one room /chat": broadcast("/chat", "hi", one, "1"),
		"several rooms":  broadcast("/", "hi", []string{"chat:a", "user:b"}, `"text"`, `{"deep":[1,-1,null,true,1.5]}`),
		"no rooms":       broadcast("/", "hi", nil), "except and flags": except, "binary": binary,
		"numbers": broadcast("/", "n", one, "0", "127", "128", "255", "256", "65535", "65536", "4294967295", "4294967296",
			"9007199254740991", "-1", "-32", "-33", "-128", "-129", "-32768", "-32769", "-2147483648", "-2147483649", "0.5", "null"),
		"strings": broadcast("/", "s", one, `""`, `"é€😀"`, `"`+strings.Repeat("x", 31)+`"`, `"`+strings.Repeat("x", 32)+`"`,
			`"`+strings.Repeat("x", 256)+`"`),
		"what is no JSON":                       broadcast("/", "o", one, `"2001-09-09T01:46:40.000Z"`, "null", `{"kept":null}`),
		"a room that is a number":               broadcast("/", "hi", []string{"5"}, "1"),
		"long lists":                            broadcast("/", "l", one, "["+list.String()[1:]+"]", "{"+members.String()[1:]+"}"),
		"emitter: one room":                     one5,
		"emitter: several rooms of a namespace": several,
		"emitter: no rooms, binary":             none,
	}
}

// Broadcasts are understood as the official packages mean them, and written byte by byte as they write them.
func TestGoldenBroadcasts(t *testing.T) {
	t.Parallel()
	// What is written otherwise: flags are of no use to those who read ours, NaN and a time are something else in JSON, and the
	// emitter puts flags before except.
	differ := map[string]bool{"except and flags": true, "numbers": true, "what is no JSON": true, "a room that is a number": true}
	found := 0
	for _, message := range recorded(t) {
		want, known := broadcasts()[message.Name]
		if !known {
			continue
		}
		found++
		got, err := wire.DecodeBroadcast(message.message)
		if err != nil {
			t.Errorf("%s: %v", message.Name, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", message.Name, diff)
		}
		if uid := wire.UIDOf(message.message); uid != want.UID {
			t.Errorf("%s is from %q", message.Name, uid)
		}
		channels := wire.ChannelsOf("socket.io", want.Namespace)
		if channel := channels.Broadcast(want.Rooms); channel != message.Channel {
			t.Errorf("%s goes to %s, want %s", message.Name, channel, message.Channel)
		}
		if room, ok := channels.RoomOf(message.Channel); !ok || len(want.Rooms) == 1 && room != want.Rooms[0] ||
			len(want.Rooms) != 1 && room != "" {
			t.Errorf("the channel of %s is of %q, %t", message.Name, room, ok)
		}
		if differ[message.Name] || want.UID == wire.EmitterUID {
			continue
		}
		if bytes, err := want.Append(nil); err != nil || hex.EncodeToString(bytes) != message.Hex {
			t.Errorf("%s is written as\n%x, %v, want\n%s", message.Name, bytes, err, message.Hex)
		}
	}
	if found != len(broadcasts()) {
		t.Errorf("%d of %d broadcasts were recorded", found, len(broadcasts()))
	}
}

func selection(r wire.Request, rooms []string, except ...string) wire.Request {
	r.Selected, r.Rooms, r.Except = true, rooms, except
	return r
}

// The requests of golden.json, as they are understood.
func requests() map[string]wire.Request {
	one := []string{"r1"}
	const uid = "AbCdEf"
	ask := broadcast("/", "ask", one, placeholder("0"))
	ask.Binary, ask.Timeout = [][]byte{{1}}, 5*time.Millisecond
	hello := wire.Broadcast{UID: uid, Namespace: "/", Event: "hello", Arguments: wire.Arguments{JSON: args(`"world"`, "1")}}
	acked := wire.Broadcast{UID: uid, Namespace: "/", Event: "hello"}
	emitted := wire.Broadcast{UID: wire.EmitterUID, Namespace: "/", Event: "hello", Arguments: wire.Arguments{JSON: args(`"world"`)}}
	return map[string]wire.Request{
		"join":                      selection(wire.Request{Type: wire.RemoteJoin, UID: uid, Targets: []string{"r2", "r3"}}, one),
		"leave":                     selection(wire.Request{Type: wire.RemoteLeave, UID: uid, Targets: []string{"r2"}}, one, "r4"),
		"disconnect":                selection(wire.Request{Type: wire.RemoteDisconnect, UID: uid, Close: true}, one),
		"fetch":                     selection(wire.Request{Type: wire.RemoteFetch, UID: uid, RequestID: "ReqIdX"}, one),
		"all rooms":                 {Type: wire.AllRooms, UID: uid, RequestID: "ReqIdX"},
		"server-side emit":          {Type: wire.ServerSideEmit, UID: uid, Broadcast: hello},
		"server-side emit with ack": {Type: wire.ServerSideEmit, UID: uid, RequestID: "ReqIdX", Broadcast: acked},
		"broadcast with ack":        selection(wire.Request{Type: wire.BroadcastAsking, UID: uid, RequestID: "ReqIdX", Broadcast: ask}, one),
		"emitter: join":             selection(wire.Request{Type: wire.RemoteJoin, Targets: []string{"r2"}}, one),
		"emitter: leave":            selection(wire.Request{Type: wire.RemoteLeave, Targets: []string{"r2"}}, one),
		"emitter: disconnect":       selection(wire.Request{Type: wire.RemoteDisconnect}, one),
		"emitter: server-side emit": {Type: wire.ServerSideEmit, UID: wire.EmitterUID, Broadcast: emitted},
	}
}

// TestGoldenRequests is TestGoldenBroadcasts for requests.
func TestGoldenRequests(t *testing.T) {
	t.Parallel()
	found := 0
	for _, message := range recorded(t) {
		want, known := requests()[message.Name]
		if !known {
			continue
		}
		found++
		got, err := wire.DecodeRequest(message.message)
		if err != nil {
			t.Errorf("%s: %v", message.Name, err)
			continue
		}
		if diff := cmp.Diff(&want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", message.Name, diff)
		}
		if want.UID != "AbCdEf" || want.Type == wire.BroadcastAsking {
			continue
		}
		if want.Selected && want.Except == nil {
			want.Except = []string{}
		}
		if bytes, err := want.Append(nil); err != nil || hex.EncodeToString(bytes) != message.Hex {
			t.Errorf("%s is written as\n%s, %v, want\n%s", message.Name, bytes, err, message.message)
		}
	}
	if found != len(requests()) {
		t.Errorf("%d of %d requests were recorded", found, len(requests()))
	}
}

// What servers of other versions have written, and what JSON leaves open.
func TestOtherForms(t *testing.T) {
	t.Parallel()
	old, err := wire.DecodeRequest([]byte(`{"uid":"a","requestId":"b","type":2,"sid":"c","room":"d"}`))
	want := &wire.Request{Type: wire.RemoteJoin, UID: "a", RequestID: "b", Socket: "c", Targets: []string{"d"}}
	if diff := cmp.Diff(want, old); diff != "" || err != nil {
		t.Errorf("a server before version 6: %v\n%s", err, diff)
	}
	packed := []byte("\x82\xa4type\x05\xa4opts\x80")
	fetch, err := wire.DecodeRequest(packed)
	if err != nil || fetch.Type != wire.RemoteFetch || !fetch.Selected || len(fetch.Rooms) != 0 {
		t.Errorf("a request in MessagePack: %+v, %v", fetch, err)
	}
	// notepack.io before version 3: what is not defined, a time, an ArrayBuffer; and a packet without a namespace.
	before := []byte("\x93\xa1u\x82\xa4type\x02\xa4data\x94\xa1e\xd4\x00\x00\xd7\x00\x00\x00\x00\xe8\xd4\xa5\x10\x00\xc7\x03\x00abc\x81\xa5rooms\xc0")
	b, err := wire.DecodeBroadcast(before)
	meant := wire.Broadcast{UID: "u", Namespace: "/", Event: "e", Arguments: wire.Arguments{
		JSON: args("null", `"2001-09-09T01:46:40.000Z"`, placeholder("0")), Binary: [][]byte{[]byte("abc")},
	}}
	if diff := cmp.Diff(meant, b); diff != "" || err != nil {
		t.Errorf("an old MessagePack: %v\n%s", err, diff)
	}
}

// What is no message is told, whatever it is; where it could mislead a client, too.
func TestMalformed(t *testing.T) {
	t.Parallel()
	long := append([]byte("\x93\xa1u\x82\xa4type\x02\xa4data\x92\xa1e"), bytes.Repeat([]byte{0x91}, 1000)...)
	for name, message := range map[string][]byte{
		"empty": {}, "no array": []byte("\x01"), "JSON": []byte(`["u",{"type":2,"data":["e"]},{}]`), "too short": []byte("\x92\xa1u\x80"),
		"cut short": []byte("\x93\xa6AbC"), "bytes behind": []byte("\x93\xa1u\x82\xa4type\x02\xa4data\x91\xa1e\x80\x00"),
		"a long array that is not there": []byte("\xdd\xff\xff\xff\xff\x01"), "a map by numbers": []byte("\x93\xa1u\x81\x01\x02\x80"),
		"no type": []byte("\x93\xa1u\x81\xa4data\x91\xa1e\x80"), "an ack": []byte("\x93\xa1u\x82\xa4type\x03\xa4data\x91\xa1e\x80"),
		"no event": []byte("\x93\xa1u\x82\xa4type\x02\xa4data\x90\x80"), "an event that is a map": []byte("\x93\xa1u\x82\xa4type\x02\xa4data\x91\x80\x80"),
		"a room that is a list": []byte("\x93\xa1u\x82\xa4type\x02\xa4data\x91\xa1e\x81\xa5rooms\x91\x90"), "too deep": long,
		"a type of an application":         []byte("\x93\xa1u\x82\xa4type\x02\xa4data\x92\xa1e\xd4\x05\x00\x80"),
		"a placeholder beside binary data": []byte("\x93\xa1u\x82\xa4type\x02\xa4data\x93\xa1e\x82\xac_placeholder\xc3\xa3num\x07\xc4\x01a\x80"),
		"a reserved byte":                  []byte("\x93\xa1u\xc1\x80"),
	} {
		if got, err := wire.DecodeBroadcast(message); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, message := range map[string]string{
		"empty": "", "half": `{"type":2,"opts":{`, "no type": `{"uid":"a"}`, "a type that is a text": `{"type":"2"}`, "a list": "[2]",
		"more behind": `{"type":1}{}`, "no packet": "\x81\xa4type\x07", "no data": `{"type":6}`, "data without a name": `{"type":6,"data":[]}`,
		"rooms that are a text": `{"type":2,"opts":{"rooms":"a"}}`, "twice": `{"type":2,"type":3}`,
	} {
		if got, err := wire.DecodeRequest([]byte(message)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// Responses are written as the adapter reads them: empty lists are written, and one answer of a client carries its binary data.
func TestResponses(t *testing.T) {
	t.Parallel()
	must := func(text []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	for want, got := range map[string]string{
		`{"requestId":"r","sockets":[]}`:             must(wire.AppendSockets(nil, "r", nil)),
		`{"requestId":"r","rooms":[]}`:               must(wire.AppendRooms(nil, "r", nil)),
		`{"requestId":"r","rooms":["a"]}`:            must(wire.AppendRooms(nil, "r", []string{"a"})),
		`{"requestId":"r"}`:                          must(wire.AppendDone(nil, "r")),
		`{"type":6,"requestId":"r","data":null}`:     must(wire.AppendServerAck(nil, "r", []byte("null"))),
		`{"type":8,"requestId":"r","clientCount":0}`: must(wire.AppendClientCount(nil, "r", 0)),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	ack := must(wire.AppendAck(nil, "ReqIdX", []byte(`{"a":`+placeholder("0")+`}`), [][]byte{{7}}))
	if want := "\x83\xa4type\x09\xa9requestId\xa6ReqIdX\xa6packet\x81\xa1a\xc4\x01\x07"; ack != want {
		t.Errorf("an ack is %q, want %q", ack, want)
	}
}

// Whatever comes, nothing panics, and what is understood is written so that it is understood the same.
func FuzzMessages(f *testing.F) {
	for _, message := range recorded(f) {
		f.Add(message.message)
	}
	f.Add([]byte("\x93\xa1u\x82\xa4type\x02\xa4data\x94\xa1e\xd4\x00\x00\xd7\x00\x00\x00\x00\xe8\xd4\xa5\x10\x00\xc7\x03\x00abc\x80"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if b, err := wire.DecodeBroadcast(message); err == nil {
			holdBroadcast(t, &b)
		} else if !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("an error of another kind: %v", err)
		}
		_ = wire.UIDOf(message)
		if r, err := wire.DecodeRequest(message); err == nil && r.Type == wire.BroadcastAsking {
			holdBroadcast(t, &r.Broadcast)
		}
	})
}

func holdBroadcast(t *testing.T, b *wire.Broadcast) {
	t.Helper()
	for _, argument := range b.JSON {
		if !json.Valid(argument) {
			t.Fatalf("an argument is no JSON: %s", argument)
		}
		if _, err := wire.AppendAck(nil, "r", argument, b.Binary); err != nil {
			t.Fatalf("not written as an ack: %v", err)
		}
	}
	written, err := b.Append(nil)
	if err != nil {
		t.Fatalf("not written: %v", err)
	}
	again, err := wire.DecodeBroadcast(written)
	if err != nil {
		t.Fatalf("what was written is not read: %v", err)
	}
	b.Timeout, again.Timeout = 0, 0 // in whole milliseconds
	twice, err := again.Append(nil)
	if err != nil || len(b.JSON) != len(again.JSON) || len(b.Binary) != len(again.Binary) || len(b.Rooms) != len(again.Rooms) ||
		b.Event != again.Event || b.UID != again.UID || b.Namespace != again.Namespace {
		t.Fatalf("read again as %+v (%v), was %+v", again, err, b)
	}
	if once, _ := b.Append(nil); !bytes.Equal(once, twice) && len(b.JSON) == 0 {
		t.Fatalf("%x, then %x", once, twice)
	}
}
