package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

func placeholder(num int) string { return fmt.Sprintf(`{"_placeholder":true,"num":%d}`, num) }

// TestBinaryEvents: attachments follow their event in the order of their numbers, which placeholders anywhere in the
// arguments refer to, in any order.
func TestBinaryEvents(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connect(t)
	client.Send("40/chat,")
	expectPrefix(t, client, `40/chat,{"sid":"`)
	big := bytes.Repeat([]byte{0, 0xff}, 30_000)
	for _, tt := range []struct {
		head        string
		args        []string
		attachments [][]byte
		to          *recorder
		ack         string
	}{
		{`451-`, []string{placeholder(0)}, [][]byte{{1, 2, 3, 4}}, f.root, ""},
		{`451-7`, []string{placeholder(0)}, [][]byte{{}}, f.root, `437[[` + placeholder(0) + `]]`},
		{`451-/chat,`, []string{placeholder(0)}, [][]byte{{4}}, f.chat, ""},
		{`452-/chat,18446744073709551615`, []string{placeholder(1), placeholder(0)}, [][]byte{{1}, {2, 3}}, f.chat,
			`43/chat,18446744073709551615[[` + placeholder(1) + `,` + placeholder(0) + `]]`},
		{`453-`, []string{`{"a":[` + placeholder(0) + `,{"b":` + placeholder(1) + `}]}`, `"between"`, `[[` + placeholder(2) + `]]`},
			[][]byte{[]byte("2probe"), []byte("\xff\xfe"), big}, f.root, ""},
		{`450-`, nil, nil, f.root, ""},
		{`4510-`, []string{placeholder(9)}, [][]byte{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}}, f.root, ""},
	} {
		t.Run(tt.head, func(t *testing.T) {
			client.Send(tt.head + `[` + strings.Join(append([]string{`"file"`}, tt.args...), ",") + `]`)
			for i, data := range tt.attachments {
				if i > 0 {
					client.Send("3") // packets of Engine.IO may come between
				}
				client.SendBinary(data)
			}
			ev := tt.to.expectEvent(t, "file", tt.args...)
			if len(ev.Binary) != len(tt.attachments) {
				t.Fatalf("%d attachments", len(ev.Binary))
			}
			for i, data := range tt.attachments {
				if !bytes.Equal(ev.Binary[i], data) {
					t.Errorf("attachment %d: %d bytes, want %d", i, len(ev.Binary[i]), len(data))
				}
			}
			if tt.ack != "" {
				client.Expect(tt.ack)
			}
		})
	}
	expectAlive(t, client)
}

func TestBinaryEventsOverPolling(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connectPolling(t)
	client.MustPost(`452-["file",` + placeholder(0) + `,` + placeholder(1) + `]`)
	client.MustPost("b")
	client.MustPost("bAAEC/w==\x1e421[\"after\"]") // header and attachments may come in different requests
	ev := f.root.expectEvent(t, "file", placeholder(0), placeholder(1))
	if len(ev.Binary) != 2 || len(ev.Binary[0]) != 0 || !bytes.Equal(ev.Binary[1], []byte{0, 1, 2, 0xff}) {
		t.Errorf("attachments: %v", ev.Binary)
	}
	f.root.expectEvent(t, "after")
	client.Expect(`431[[]]`)
}

// TestBinaryEventsAcrossAnUpgrade: the header may come over polling and the attachment over the WebSocket.
func TestBinaryEventsAcrossAnUpgrade(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connectPolling(t)
	webSocket := probe(t, client)
	client.MustPost(`451-["file",` + placeholder(0) + `]`)
	webSocket.Send("5")
	webSocket.SendBinary([]byte{7})
	if ev := f.root.expectEvent(t, "file", placeholder(0)); len(ev.Binary) != 1 || !bytes.Equal(ev.Binary[0], []byte{7}) {
		t.Errorf("attachments: %v", ev.Binary)
	}
}

// TestOddPlaceholders: the server leaves arguments as they are written, so it is for the event's handler to refuse a
// placeholder that refers to nothing. It gets what came, and the connection lives.
func TestOddPlaceholders(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connect(t)
	for _, args := range [][]string{
		{placeholder(1)}, {placeholder(-1)}, {`{"_placeholder":true,"num":"0"}`}, {`{"_placeholder":true}`},
		{`{"_placeholder":true,"num":0.5}`}, {`{"_placeholder":true,"num":99999999999999999999}`}, {`{"_placeholder":false,"num":0}`},
		{placeholder(0), placeholder(0)}, {},
	} {
		client.Send(`451-` + `[` + strings.Join(append([]string{`"file"`}, args...), ",") + `]`)
		client.SendBinary([]byte{1})
		if ev := f.root.expectEvent(t, "file", args...); len(ev.Binary) != 1 {
			t.Errorf("%s: %d attachments", args, len(ev.Binary))
		}
	}
	expectAlive(t, client)
}

// TestBrokenAttachments end the connection.
func TestBrokenAttachments(t *testing.T) {
	t.Parallel()
	type step = func(*wiretest.WebSocket)
	say := func(packet string) step { return func(s *wiretest.WebSocket) { s.Send(packet) } }
	attach := func(size int) step { return func(s *wiretest.WebSocket) { s.SendBinary(make([]byte, size)) } }
	one := `["file",` + placeholder(0) + `]`
	for _, tt := range []struct {
		name  string
		steps []step
		codes string
		most  int // events that are in order and may come through before the end
	}{
		{"attachment of nothing", []step{attach(3)}, "1002", 0},
		{"empty attachment of nothing", []step{attach(0)}, "1002", 0},
		{"attachment of an event without", []step{say(`42` + one), attach(3)}, "1002", 1},
		{"one attachment too many", []step{say(`451-` + one), attach(3), attach(3)}, "1002", 1},
		{"attachment of an event with none", []step{say(`450-["file"]`), attach(3)}, "1002", 1},
		{"event instead of an attachment", []step{say(`451-` + one), say(`42["e"]`)}, "1002", 0},
		{"event instead of the second attachment", []step{say(`452-` + one), attach(3), say(`42["e"]`)}, "1002", 0},
		{"header instead of an attachment", []step{say(`451-` + one), say(`451-` + one)}, "1002", 0},
		{"CONNECT instead of an attachment", []step{say(`451-` + one), say(`40/chat,`)}, "1002", 0},
		{"DISCONNECT instead of an attachment", []step{say(`451-` + one), say(`41`)}, "1002", 0},
		{"ack instead of an attachment", []step{say(`451-` + one), say(`431[]`)}, "1002", 0},
		{"11 attachments", []step{say(`4511-` + one)}, "1002", 0},
		{"many attachments", []step{say(`451000000000-` + one)}, "1002", 0},
		{"attachments beyond all numbers", []step{say(`45` + strings.Repeat("9", 400) + `-` + one)}, "1002", 0},
		{"attachment beyond the limit", []step{say(`451-` + one), attach(smallPayload + 1)}, "1009", 0},
		// Together too large: no message is (1009), the packet is (1002).
		{"attachments beyond the limit", []step{say(`452-` + one), attach(smallPayload / 2), attach(smallPayload / 2)}, "1002 1009", 0},
		{"attachments to another namespace", []step{say(`451-/chat,` + one), attach(3)}, "1002", 0},
		{"ack with a missing attachment", []step{say(`461-1[` + placeholder(0) + `]`), say(`42["e"]`)}, "1002", 0},
		{"ack with 11 attachments", []step{say(`4611-1[` + placeholder(0) + `]`)}, "1002", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := start(t, realtime.Options{MaxPayload: smallPayload})
			client, _ := f.connect(t)
			for _, do := range tt.steps {
				do(client)
			}
			if code := fmt.Sprint(int(client.ReadClose())); !strings.Contains(tt.codes, code) {
				t.Errorf("close code %s, want %s", code, tt.codes)
			}
			wiretest.Receive(t, "the socket's end", f.root.gone)
			if n := len(f.root.events); n > tt.most {
				t.Errorf("%d events came through", n)
			}
		})
	}
}

// TestUnfinishedBinaryEvent is forgotten with its connection.
func TestUnfinishedBinaryEvent(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connect(t)
	client.Send(`452-["file",` + placeholder(0) + `]`)
	client.SendBinary([]byte{1})
	client.Cut()
	f.root.expectGone(t, "transport close")
	if len(f.root.events) != 0 {
		t.Error("an unfinished event came through")
	}
}

// TestBytesAsText: on a WebSocket a client may send bytes as base64, as on polls. It gets them so where it asks for that.
func TestBytesAsText(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{CompressFrom: 1})
	f.root.onEvent = func(socket realtime.Socket, ev realtime.Event) {
		if len(ev.Binary) == 0 {
			return
		}
		attachments := [][]byte{ev.Binary[0], bytes.Repeat(ev.Binary[0], 2)}
		payload := realtime.Payload{JSON: json.RawMessage(`[` + placeholder(0) + `,` + placeholder(1) + `]`), Attachments: attachments}
		if err := socket.Emit("back", payload); err != nil {
			t.Error(err)
		}
	}
	for query, want := range map[string][2]string{"": {"\x01\x02\x03\x04", "\x01\x02\x03\x04\x01\x02\x03\x04"}, "&b64=1": {"bAQIDBA==", "bAQIDBAECAwQ="}} {
		client := wiretest.Dial(t, f.endpoint+"?EIO=4&transport=websocket"+query)
		expectPrefix(t, client, "0{")
		client.Send("40")
		expectPrefix(t, client, `40{"sid":"`)
		client.Send(`451-["file",` + placeholder(0) + `]`)
		client.Send("bAQIDBA==")
		client.Expect(`452-["back",[` + placeholder(0) + `,` + placeholder(1) + `]]`)
		for _, bytes := range want {
			if data, binary, err := client.TryRead(); data != bytes || binary != (query == "") || err != nil {
				t.Errorf("%q: read %q, binary: %t, %v", query, data, binary, err)
			}
		}
		client.Send("b!")
		expectClose(t, client, 1002)
	}
}

// TestBytesFromTheServer: attachments follow their event or ack in order; other bytes go as base64 text.
func TestBytesFromTheServer(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	payload := realtime.Payload{
		JSON:        json.RawMessage(`{"nested":[` + placeholder(1) + `,` + placeholder(0) + `]}`),
		Attachments: [][]byte{{1, 2, 3, 4}, {}},
	}
	f.root.onEvent = func(_ realtime.Socket, ev realtime.Event) {
		if len(ev.Binary) == 0 {
			ev.Ack(payload)
			return
		}
		ev.Ack(ev.Binary)
	}
	raw := f.webSocket(t)
	socket := wiretest.Receive(t, "Connected", f.root.connected)
	poller, polled := f.connectPolling(t)
	for _, c := range []realtime.Socket{socket, polled} {
		if err := c.Emit("file", payload); err != nil {
			t.Fatal(err)
		}
		if err := c.Emit("base64", []byte{1, 2, 3, 4}); err != nil {
			t.Fatal(err)
		}
	}
	header := `452-["file",` + string(payload.JSON) + `]`
	raw.expectFrame(ws.OpText, header)
	raw.expectFrame(ws.OpBinary, "\x01\x02\x03\x04")
	raw.expectFrame(ws.OpBinary, "")
	raw.expectFrame(ws.OpText, `42["base64","AQIDBA=="]`)
	expectPackets(t, poller, header, "bAQIDBA==", "b", `42["base64","AQIDBA=="]`)

	raw.write(text(`421["e"]`))
	raw.expectFrame(ws.OpText, `462-1[`+string(payload.JSON)+`]`)
	raw.expectFrame(ws.OpBinary, "\x01\x02\x03\x04")
	raw.expectFrame(ws.OpBinary, "")
	raw.write(text(`451-2["e",` + placeholder(0) + `]`))
	raw.write(masked(ws.NewBinaryFrame([]byte{1, 2, 3, 4})))
	raw.expectFrame(ws.OpText, `432[["AQIDBA=="]]`)
}
