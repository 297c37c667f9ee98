package conformance_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// TestArguments: every type of JSON comes through as it was written, and goes back so in the ack.
func TestArguments(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	webSocket, _ := f.connect(t)
	poller, _ := f.connectPolling(t)
	for i, args := range [][]string{
		{},
		{`null`},
		{`true`, `false`},
		{`0`, `-0`, `1.5`, `-2e-7`, `9007199254740993`, `123456789012345678901234567890`},
		{`""`, `"text"`, `"ünï 🎉"`, `"\u00fc\ud83c\udf89\u0000\n\"\\"`, `"]],["`, `"\u2028"`},
		{`{}`, `{"a":{"b":[{}]},"":null}`, `{"a":1,"a":2}`},
		{`[]`, `[[],[[1,"2",null]]]`},
		{`{"_placeholder":true,"num":0}`}, // means nothing in an event without attachments
		{`{"__proto__":{"x":1},"constructor":1}`},
		{`"` + strings.Repeat("x", 100_000) + `"`},
	} {
		packet := fmt.Sprintf(`42%d[%s]`, i, strings.Join(append([]string{`"e"`}, args...), ","))
		want := fmt.Sprintf(`43%d[[%s]]`, i, strings.Join(args, ","))
		webSocket.Send(packet)
		f.root.expectEvent(t, "e", args...)
		webSocket.Expect(want)
		poller.MustPost(packet)
		f.root.expectEvent(t, "e", args...)
		poller.Expect(want)
	}
}

// TestBlanks between the parts of the payload mean nothing.
func TestBlanks(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connect(t)
	client.Send("421[ \"e\" ,\t1\n,\r[ 2 ] ]\n")
	f.root.expectEvent(t, "e", `1`, `[ 2 ]`)
	client.Expect(`431[[1,[2]]]`)
}

func TestEventNames(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connect(t)
	for written, name := range map[string]string{
		`"message"`: "message", `""`: "", `" "`: " ", `"chat:message"`: "chat:message", `"ü"`: "ü", `"\u0061b"`: "ab",
		`"\""`: `"`, `"error"`: "error", `"Connect"`: "Connect", `"connection"`: "connection", `"ping"`: "ping",
		`"__proto__"`: "__proto__", `7`: "7", `-1.5`: "-1.5", `"` + strings.Repeat("n", 1000) + `"`: strings.Repeat("n", 1000),
	} {
		client.Send(`42[` + written + `,1]`)
		f.root.expectEvent(t, name, `1`)
	}
}

// TestReservedEventNames cannot be sent: clients and servers give them a meaning of their own.
func TestReservedEventNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		`"connect"`, `"connect_error"`, `"disconnect"`, `"disconnecting"`, `"newListener"`, `"removeListener"`, `"dis\u0063onnect"`,
	} {
		for _, packet := range []string{`42[` + name + `]`, `421[` + name + `,{}]`, `450-[` + name + `]`} {
			t.Run(packet, func(t *testing.T) {
				t.Parallel()
				f := start(t, realtime.Options{})
				client, _ := f.connect(t)
				client.Send(packet)
				expectClose(t, client, 1002)
				f.root.expectGone(t, "parse error")
				if len(f.root.events) != 0 {
					t.Error("an event came through")
				}
			})
		}
	}
}

func TestNamespaceOfEvents(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connect(t)
	client.Send("40/chat,")
	expectPrefix(t, client, `40/chat,{"sid":"`)
	chat := wiretest.Receive(t, "Connected", f.chat.connected)
	client.Send(`42["to /"]`)
	client.Send(`42/chat,["to /chat",","]`)
	client.Send(`42/,["to /, written out"]`)
	client.Send(`42/chat,5["acked"]`)
	f.root.expectEvent(t, "to /")
	f.root.expectEvent(t, "to /, written out")
	f.chat.expectEvent(t, "to /chat", `","`)
	f.chat.expectEvent(t, "acked")
	client.Expect(`43/chat,5[[]]`)
	if err := socket.Emit("from", "/"); err != nil {
		t.Fatal(err)
	}
	client.Expect(`42["from","/"]`)
	if err := chat.Emit("from", "/chat"); err != nil {
		t.Fatal(err)
	}
	client.Expect(`42/chat,["from","/chat"]`)
}

func TestAckIDs(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connect(t)
	for written, want := range map[string]string{
		"0": "0", "1": "1", "4294967296": "4294967296", "9007199254740991": "9007199254740991",
		"9223372036854775808": "9223372036854775808", "10000000000000000000": "10000000000000000000", // 20 digits
		"18446744073709551615": "18446744073709551615", "007": "7",
	} {
		client.Send(`42` + written + `["e",1]`)
		client.Expect(`43` + want + `[[1]]`)
		f.root.expectEvent(t, "e", `1`)
	}
	client.Send(`425["again"]`) // an id may be used again
	client.Expect(`435[[]]`)
	client.Send(`425["again"]`)
	client.Expect(`435[[]]`)
}

func TestImpossibleAckIDs(t *testing.T) {
	t.Parallel()
	for _, packet := range []string{
		`4218446744073709551616["e"]`, `4299999999999999999999["e"]`, `42100000000000000000000["e"]`,
		`42` + strings.Repeat("9", 500) + `["e"]`, `42-1["e"]`, `42+1["e"]`, `421.5["e"]`, `42 1["e"]`, `421e3["e"]`, `420x1["e"]`,
	} {
		t.Run(packet[:min(len(packet), 30)], func(t *testing.T) {
			t.Parallel()
			f := start(t, realtime.Options{})
			client, _ := f.connect(t)
			client.Send(packet)
			expectClose(t, client, 1002)
			f.root.expectGone(t, "parse error")
			if len(f.root.events) != 0 {
				t.Error("an event came through")
			}
		})
	}
}

// TestAcks: one answer to each event that wants one, whenever and from wherever it comes.
func TestAcks(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	acks := make(chan func(any), 10)
	f.root.onEvent = func(_ realtime.Socket, ev realtime.Event) { acks <- ev.Ack }
	client, socket := f.connect(t)
	client.Send(`421["first"]`)
	client.Send(`422["second"]`)
	client.Send(`42["no answer wanted"]`)
	first, second := wiretest.Receive(t, "the first", acks), wiretest.Receive(t, "the second", acks)
	if wiretest.Receive(t, "the third", acks) != nil {
		t.Error("an event without id has an ack")
	}
	second(map[string]any{"status": "ok"})
	client.Expect(`432[{"status":"ok"}]`)
	first(nil)
	first("twice")
	second("twice")
	if err := socket.Emit("end", true); err != nil {
		t.Fatal(err)
	}
	client.Expect(`431[null]`)
	client.Expect(`42["end",true]`) // and no second answer between

	client.Send(`423["third"]`)
	late := wiretest.Receive(t, "the third", acks)
	client.Send("41")
	f.root.expectGone(t, "client namespace disconnect")
	late("too late")
	client.Send("40")
	expectPrefix(t, client, `40{"sid":"`) // nothing was said in between
}

// TestAcksForUnknownIDs: acks that the server has not asked for are ignored.
func TestAcksForUnknownIDs(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connect(t)
	for _, packet := range []string{
		`430[]`, `431[]`, `431["again",{"a":[null]}]`, `4318446744073709551615[1]`, `43/,1[]`, `460-1[]`, `431[ ]`,
	} {
		client.Send(packet)
	}
	client.Send(`461-1[{"_placeholder":true,"num":0}]`)
	client.SendBinary([]byte{1})
	expectAlive(t, client)
	if len(f.root.events) != 0 {
		t.Error("an ack came through as an event")
	}
}

// TestOrder: events are handled, and events and acks arrive, in the order in which they were sent.
func TestOrder(t *testing.T) {
	t.Parallel()
	const events = 1000
	f := start(t, realtime.Options{})
	f.root.onEvent = func(socket realtime.Socket, ev realtime.Event) {
		if err := socket.Emit("echo", ev.Args[0]); err != nil {
			t.Error(err)
		}
		ev.Ack(ev.Args[0])
	}
	client, _ := f.connect(t)
	for i := range events {
		client.Send(fmt.Sprintf(`42%d["e",%d]`, i, i))
	}
	for i := range events {
		client.Expect(fmt.Sprintf(`42["echo",%d]`, i))
		client.Expect(fmt.Sprintf(`43%d[%d]`, i, i))
	}
}

// TestEmittedPayloads: what the server sends is one event packet with one argument, of any type of JSON.
func TestEmittedPayloads(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connect(t)
	for _, tt := range []struct {
		payload any
		want    string
	}{
		{nil, `null`},
		{true, `true`},
		{-1.5, `-1.5`},
		{"ü <b> & \u2028", `"ü <b> & \u2028"`},
		{[]any{}, `[]`},
		{map[string]any{"a": []int{1}}, `{"a":[1]}`},
		{json.RawMessage(`{ "as":"it is" }`), `{ "as":"it is" }`},
	} {
		if err := socket.Emit("e", tt.payload); err != nil {
			t.Fatal(err)
		}
		client.Expect(`42["e",` + tt.want + `]`)
	}
	for _, name := range []string{"connect", "disconnect", "connect_error", "disconnecting", "newListener", "removeListener"} {
		if err := socket.Emit(name, 1); err == nil {
			t.Errorf("the server may send %q", name)
		}
	}
	expectAlive(t, client)
}

// TestMalformedPackets ends the connection, whichever type the packet is of.
func TestMalformedPackets(t *testing.T) {
	t.Parallel()
	for _, packet := range []string{
		// no packet at all
		`4`, `47`, `49[]`, `4a`, `4[]`, `4"2"`, `4-2["e"]`, "4\x002", `4 2["e"]`,
		// DISCONNECT
		`41{}`, `41[]`, `411`, `41x`, `41/,{}`,
		// EVENT
		`42`, `42/`, `42/,`, `421`, `42[]`, `42[ ]`, `42{}`, `42"e"`, `42null`, `42[null]`, `42[true]`, `42[{}]`, `42[["e"]]`,
		`42["e"`, `42"e"]`, `42["e",]`, `42[,"e"]`, `42["e" 1]`, `42["e"]]`, `42["e"]x`, `42["e"][]`, `42x["e"]`, `42["e",01]`,
		`42["e",NaN]`, `42["e",undefined]`, `42['e']`, `42["e",{"a"}]`, `42["e","` + "\n" + `"]`, `42["e","\x"]`, `42["e","\ud8"]`,
		"42[\"e\"]\x00", `42/["e"]`,
		// ACK
		`43`, `43[]`, `431`, `431{}`, `431"x"`, `431null`, `431[`, `431[1,]`, `43-1[]`, `4318446744073709551616[]`, `43/,[]`,
		`431` + strings.Repeat("[", 65) + strings.Repeat("]", 65),
		// CONNECT_ERROR, which is the server's to send
		`44`, `44{}`, `44{"message":"x"}`, `44"x"`,
		// BINARY_EVENT
		`45`, `45-`, `45-["e"]`, `45["e"]`, `451["e"]`, `45x-["e"]`, `45-1-["e"]`, `45+1-["e"]`, `451.0-["e"]`, `45 1-["e"]`,
		`451-`, `451-[]`, `451-{}`, `451-["e"`, `450-[]`, `451-[{"_placeholder":true,"num":0}]`,
		// BINARY_ACK
		`46`, `46[]`, `461[]`, `46-1[]`, `460-[]`, `461-[]`, `461-1`, `461-1{}`, `461-1[`,
	} {
		t.Run(packet[:min(len(packet), 40)], func(t *testing.T) {
			t.Parallel()
			f := start(t, realtime.Options{})
			client, _ := f.connect(t)
			client.Send(packet)
			client.Send(`42["late"]`)
			expectClose(t, client, 1002)
			f.root.expectGone(t, "parse error")
			if len(f.root.events) != 0 {
				t.Error("an event came through")
			}
		})
	}
}

// TestDeepNesting is no breach of the protocol: the event comes without its arguments, to be answered.
func TestDeepNesting(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connect(t)
	nested := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	client.Send(`42["deep",` + nested(63) + `]`)
	if ev := f.root.expectEvent(t, "deep", nested(63)); ev.TooDeep {
		t.Error("63 levels within the event's own are called too deep")
	}
	client.Send(`421["deep",` + nested(64) + `]`)
	if ev := f.root.expectEvent(t, "deep"); !ev.TooDeep {
		t.Error("64 levels within the event's own are not called too deep")
	}
	client.Expect(`431[null]`)
	expectAlive(t, client)
}
