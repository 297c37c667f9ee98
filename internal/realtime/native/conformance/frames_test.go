package conformance_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// smallPayload is the MaxPayload of tests that send too much.
const smallPayload = 1000

// event is an event packet of exactly so many bytes.
func event(size int) string {
	const head, tail = `42["e","`, `"]`
	return head + strings.Repeat("x", size-len(head)-len(tail)) + tail
}

// TestBrokenPackets sends whole WebSocket messages that are no packets.
func TestBrokenPackets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		packet string
		code   int
		reason string
	}{
		{"empty", "", 1002, "parse error"},
		{"open", "0", 1002, "parse error"},
		{"upgrade", "5", 1002, "parse error"},
		{"type 7", "7", 1002, "parse error"},
		{"type 9", "9x", 1002, "parse error"},
		{"letters", "abc", 1002, "parse error"},
		{"type of polling's binary packets", "bAQID", 1002, "parse error"},
		{"blank before the type", ` 42["e"]`, 1002, "parse error"},
		{"two packets in one", "42[\"e\"]\x1e42[\"f\"]", 1002, "parse error"},
		{"message without content", "4", 1002, "parse error"},
		{"not UTF-8", "42[\"\xff\"]", 1007, "parse error"},
		{"not UTF-8, a surrogate", "42[\"\xed\xa0\x80\"]", 1007, "parse error"},
		{"not UTF-8, too long a form", "42[\"\xc0\xaf\"]", 1007, "parse error"},
		{"not UTF-8 behind a type that is ignored", "6\xff", 1007, "parse error"},
		{"one byte too many", event(smallPayload + 1), 1009, "transport error"},
		{"far too many", event(50 * smallPayload), 1009, "transport error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := start(t, realtime.Options{MaxPayload: smallPayload})
			client, _ := f.connect(t)
			client.Send(tt.packet)
			client.Send(`42["late"]`)
			expectClose(t, client, tt.code)
			f.root.expectGone(t, tt.reason)
			if len(f.root.events) != 0 {
				t.Error("an event came through")
			}
		})
	}
}

func TestPacketsThatSayNothing(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connect(t)
	client.Send("6")
	client.Send("6ignored")
	client.Send("3ignored")
	expectAlive(t, client)
}

func TestLargestMessage(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{MaxPayload: smallPayload})
	client, _ := f.connect(t)
	client.Send(event(smallPayload))
	ev := wiretest.Receive(t, "the event", f.root.events)
	if len(ev.Args) != 1 || len(ev.Args[0]) != smallPayload-len(`42["e",]`) {
		t.Errorf("arguments: %s", ev.Args)
	}
	expectAlive(t, client)
}

// TestFragments: a message may come in any number of frames, empty ones included, with control frames between them
// (RFC 6455, section 5.4), and in a frame whose length is written in more bytes than it needs to be read.
func TestFragments(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	s := f.webSocket(t)
	argument := `"` + strings.Repeat("ü", 200) + `"`
	packet, answer := `421["grüße",`+argument+`]`, `431[[`+argument+`]]`
	for _, size := range []int{1, 7, 126, len(packet)} {
		op := ws.OpText
		for rest := []byte(packet); len(rest) > 0; op = ws.OpContinuation {
			part := rest[:min(size, len(rest))] // cuts characters in the middle as well
			rest = rest[len(part):]
			s.write(masked(ws.NewFrame(op, false, part)))
		}
		s.write(masked(ws.NewPongFrame([]byte("unasked"))))
		s.write(masked(ws.NewFrame(ws.OpContinuation, true, nil)))
		s.expectFrame(ws.OpText, answer)
		f.root.expectEvent(t, "grüße", argument)
	}
	for _, b := range text(packet) { // as slow as can be
		s.write([]byte{b})
	}
	s.expectFrame(ws.OpText, answer)
}

// TestBrokenFrames breaks the rules of RFC 6455, sections 5.1 to 5.5.
func TestBrokenFrames(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("x"), smallPayload-10)
	start42 := masked(ws.NewFrame(ws.OpText, false, []byte(`42["e"`)))
	for _, tt := range []struct {
		name string
		data []byte
		code int
	}{
		{"not masked", ws.MustCompileFrame(ws.NewTextFrame([]byte(`42["e"]`))), 1002},
		{"not masked, a control frame", ws.MustCompileFrame(ws.NewPingFrame(nil)), 1002},
		{"first reserved bit", []byte{0xc1, 0x81, 0, 0, 0, 0, '6'}, 1002},
		{"second reserved bit", []byte{0xa1, 0x81, 0, 0, 0, 0, '6'}, 1002},
		{"third reserved bit", []byte{0x91, 0x81, 0, 0, 0, 0, '6'}, 1002},
		{"reserved bit of a control frame", []byte{0xc9, 0x80, 0, 0, 0, 0}, 1002},
		{"opcode 3", []byte{0x83, 0x80, 0, 0, 0, 0}, 1002},
		{"opcode 7", []byte{0x87, 0x80, 0, 0, 0, 0}, 1002},
		{"opcode 11", []byte{0x8b, 0x80, 0, 0, 0, 0}, 1002},
		{"opcode 15", []byte{0x8f, 0x80, 0, 0, 0, 0}, 1002},
		{"ping too long", append([]byte{0x89, 0xfe, 0, 126, 0, 0, 0, 0}, make([]byte, 126)...), 1002},
		{"pong too long", append([]byte{0x8a, 0xfe, 0, 126, 0, 0, 0, 0}, make([]byte, 126)...), 1002},
		{"close too long", append([]byte{0x88, 0xfe, 0, 126, 0, 0, 0, 0}, make([]byte, 126)...), 1002},
		{"ping in fragments", masked(ws.NewFrame(ws.OpPing, false, []byte("p"))), 1002},
		{"close in fragments", masked(ws.NewFrame(ws.OpClose, false, ws.NewCloseFrameBody(1000, ""))), 1002},
		{"continuation of nothing", masked(ws.NewFrame(ws.OpContinuation, true, []byte("6"))), 1002},
		{"unfinished continuation of nothing", masked(ws.NewFrame(ws.OpContinuation, false, []byte("6"))), 1002},
		{"text in the middle of a text", append(bytes.Clone(start42), text(`42["f"]`)...), 1002},
		{"binary in the middle of a text", append(bytes.Clone(start42), masked(ws.NewBinaryFrame([]byte{1}))...), 1002},
		{"length with its top bit set", []byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, '6'}, 1002},
		{"length beyond the limit", []byte{0x81, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 1009},
		{"largest length", []byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 1009},
		{"fragments beyond the limit", bytes.Join([][]byte{
			masked(ws.NewFrame(ws.OpText, false, big)), masked(ws.NewFrame(ws.OpContinuation, false, big)),
		}, nil), 1009},
		{"binary fragments beyond the limit", bytes.Join([][]byte{
			masked(ws.NewFrame(ws.OpBinary, false, big)), masked(ws.NewFrame(ws.OpContinuation, true, big)),
		}, nil), 1009},
		{"half a character at the end", masked(ws.NewTextFrame([]byte("42[\"\xc3"))), 1007},
		{"half a character over all fragments", bytes.Join([][]byte{
			masked(ws.NewFrame(ws.OpText, false, []byte("42[\"\xc3"))), masked(ws.NewFrame(ws.OpContinuation, true, []byte(`"]`))),
		}, nil), 1007},
		{"a request instead of a frame", []byte("GET / HTTP/1.1\r\n\r\n"), 1002},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := start(t, realtime.Options{MaxPayload: smallPayload})
			s := f.webSocket(t)
			s.write(tt.data)
			s.expectClose(tt.code)
			_ = s.conn.Close()
			reason := "parse error"
			if tt.code == 1009 {
				reason = "transport error"
			}
			f.root.expectGone(t, reason)
			if len(f.root.events) != 0 {
				t.Error("an event came through")
			}
		})
	}
}

// TestTruncatedFrames cuts the connection after each byte of a message in two frames.
func TestTruncatedFrames(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	whole := append(masked(ws.NewFrame(ws.OpText, false, []byte(`42["a`))),
		masked(ws.NewFrame(ws.OpContinuation, true, bytes.Repeat([]byte(" "), 130)))...)
	cuts := []int{1, 2, 4, 6, 8, 10, 11, 12, 13, 14, 16, 18, 19, 20, 100, len(whole) - 1}
	for _, cut := range cuts {
		s := f.webSocket(t)
		s.write(whole[:cut])
		_ = s.conn.Close()
		if reason := wiretest.Receive(t, "the socket's end", f.root.gone); reason != "transport close" && reason != "transport error" {
			t.Errorf("cut after %d bytes: %q", cut, reason)
		}
	}
	if len(f.root.events) != 0 {
		t.Error("an event came through")
	}
}

// TestNothingIsReadBehindTheEnd: bytes that follow a broken frame do not hurt, however many, and the client still
// gets the Close frame.
func TestNothingIsReadBehindTheEnd(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	s := f.webSocket(t)
	s.write([]byte{0x83, 0x80, 0, 0, 0, 0})
	for range 100 {
		if _, err := s.conn.Write(bytes.Repeat(text(`42["late"]`), 100)); err != nil {
			break
		}
	}
	s.expectClose(1002)
	f.root.expectGone(t, "parse error")
	if len(f.root.events) != 0 {
		t.Error("an event came through")
	}
}

// TestServerFrames checks the frames which the server sends: whole, unmasked, with the shortest form of each length
// (RFC 6455, section 5.2).
func TestServerFrames(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	s := f.webSocket(t)
	socket := wiretest.Receive(t, "Connected", f.root.connected)
	for _, size := range []int{10, 125, 126, 127, 65_535, 65_536, 200_000} {
		payload := strings.Repeat("y", size-len(`42["e",""]`))
		if err := socket.Emit("e", payload); err != nil {
			t.Fatal(err)
		}
		head, err := s.r.Peek(2)
		if err != nil {
			t.Fatal(err)
		}
		want := byte(size)
		switch {
		case size > 65_535:
			want = 127
		case size > 125:
			want = 126
		}
		if head[0] != 0x81 || head[1] != want {
			t.Errorf("a frame of %d bytes begins with % x", size, head)
		}
		s.expectFrame(ws.OpText, `42["e","`+payload+`"]`)
	}
}
