package conformance_test

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"rolecall/internal/realtime"
)

// Compression by permessage-deflate, RFC 7692.

const rsv1 = 4 // of ws.Header.Rsv: the frame begins a compressed message

// compressed is a message as section 7.2.1 has it.
func compressed(t *testing.T, message string) []byte {
	t.Helper()
	var out bytes.Buffer
	writer, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(writer, message); err != nil {
		t.Fatal(err)
	}
	if err := writer.Flush(); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte{0, 0, 0xff, 0xff})
}

// inflated undoes compressed, as section 7.2.2 has it.
func inflated(t *testing.T, data []byte) string {
	t.Helper()
	tail := strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")
	plain, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(data), tail)))
	if err != nil {
		t.Fatalf("inflate: %v", err)
	}
	return string(plain)
}

// compressedFrame is a frame with RSV1 set.
func compressedFrame(op ws.OpCode, fin bool, payload []byte) []byte {
	frame := ws.NewFrame(op, fin, payload)
	frame.Header.Rsv = rsv1
	return masked(frame)
}

// compressing opens a connection to "/" on which compression has been agreed.
func compressing(t *testing.T, options realtime.Options) (*fixture, *rawConnection) {
	t.Helper()
	f := start(t, options)
	s := f.dialRaw(t)
	header := upgradeHeader(map[string]string{"Sec-Websocket-Extensions": "permessage-deflate; client_max_window_bits"})
	got := s.request(http.MethodGet, "?EIO=4&transport=websocket", header, text("40"))
	if agreed := got.header.Get("Sec-Websocket-Extensions"); got.status != 101 || !strings.HasPrefix(agreed, "permessage-deflate") {
		t.Fatalf("opening handshake: %d, extensions %q", got.status, agreed)
	}
	s.frame() // the open packet
	s.frame() // the answer to CONNECT
	return f, s
}

func TestCompressionIsOffered(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{CompressFrom: 100})
	for offer, agreed := range map[string]bool{
		"":                            false,
		"permessage-deflate":          true,
		"x-other, permessage-deflate": true,
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover": true,
		"permessage-deflate; client_max_window_bits=15":                              true,
		"permessage-deflate; nonsense":                                               false,
		"permessage-deflate; nonsense, permessage-deflate":                           true,
		"permessage-bzip2":       false,
		"x-webkit-deflate-frame": false,
	} {
		s := f.dialRaw(t)
		header := upgradeHeader(map[string]string{"Sec-Websocket-Extensions": offer})
		got := s.request(http.MethodGet, "?EIO=4&transport=websocket", header, nil)
		answer := got.header.Get("Sec-Websocket-Extensions")
		if got.status != 101 || strings.HasPrefix(answer, "permessage-deflate") != agreed || !agreed && answer != "" {
			t.Errorf("%q: %d, agreed on %q", offer, got.status, answer)
		}
	}
}

func TestCompressedMessages(t *testing.T) {
	t.Parallel()
	f, s := compressing(t, realtime.Options{CompressFrom: 100})
	long := strings.Repeat("long ", 100)
	packet := compressed(t, `421["e","`+long+`"]`)
	s.write(compressedFrame(ws.OpText, true, packet))
	f.root.expectEvent(t, "e", `"`+long+`"`)
	frame := s.frame()
	if frame.Header.Rsv != rsv1 || len(frame.Payload) >= len(long) || inflated(t, frame.Payload) != `431[["`+long+`"]]` {
		t.Errorf("ack: %+v %q", frame.Header, frame.Payload)
	}
	s.write(compressedFrame(ws.OpText, false, packet[:5])) // RSV1 is set in the first frame alone, section 6.1
	s.write(masked(ws.NewPingFrame([]byte("between"))))
	s.write(masked(ws.NewFrame(ws.OpContinuation, true, packet[5:])))
	f.root.expectEvent(t, "e", `"`+long+`"`)
	s.expectFrame(ws.OpPong, "between")
	s.frame()
	s.write(text(`422["plain"]`)) // a message need not be compressed
	s.expectFrame(ws.OpText, `432[[]]`)
	s.write(compressedFrame(ws.OpText, true, compressed(t, `423["short"]`)))
	s.expectFrame(ws.OpText, `433[[]]`)
}

// TestWhatMessagesMayBecome: an event of the size that events may have passes however well it was compressed. A short message
// that becomes far longer ends its connection before it has, though plain messages may be as long.
func TestWhatMessagesMayBecome(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		content string
		taken   bool
	}{
		"an event of spaces":             {strings.Repeat(" ", 100_000), true},
		"as long as the engine takes":    {strings.Repeat(" ", 900_000), false},
		"as long, and hardly compressed": {hardly(900_000), true},
		"as long, as well as lists are":  {list(900_000), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, s := compressing(t, realtime.Options{CompressFrom: 100, MaxPayload: 1_000_000})
			packet := compressed(t, `42["e","`+tc.content+`"]`)
			s.write(compressedFrame(ws.OpText, true, packet))
			if !tc.taken {
				s.expectClose(1009)
				return
			}
			f.root.expectEvent(t, "e", `"`+tc.content+`"`)
		})
	}
}

// hardly is text of so many bytes that becomes half as long.
func hardly(size int) string {
	random := make([]byte, size/2)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random) // never fails
	return hex.EncodeToString(random)
}

// list is text of so many bytes that is alike from entry to entry but for a number, and becomes a twentieth as long.
func list(size int) string {
	text := make([]byte, 0, size)
	numbers := hardly(size)
	for n := 0; len(text) < size-100; n += 6 {
		text = append(text, "lat and lng and heading and speed and accuracy and altitude and battery of number "...)
		text = append(text, numbers[n:n+6]...)
	}
	return string(text)
}

func TestBrokenCompression(t *testing.T) {
	t.Parallel()
	bomb := compressed(t, event(200*smallPayload))
	if len(bomb) > smallPayload {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	for _, tt := range []struct {
		name string
		data []byte
		code int
	}{
		{"grows beyond the limit", compressedFrame(ws.OpText, true, bomb), 1009},
		{"no deflate stream", compressedFrame(ws.OpText, true, []byte{0xff, 0xff, 0xff}), 1007},
		{"not UTF-8", compressedFrame(ws.OpText, true, compressed(t, "42[\"\xff\"]")), 1007},
		{"no packet", compressedFrame(ws.OpText, true, compressed(t, "abc")), 1002},
		{"compressed control frame", compressedFrame(ws.OpPing, true, nil), 1002},
		{"bit set in a continuation", append(compressedFrame(ws.OpText, false, []byte{1}),
			compressedFrame(ws.OpContinuation, true, []byte{1})...), 1002},
		{"second reserved bit", []byte{0xe1, 0x81, 0, 0, 0, 0, '6'}, 1002},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, s := compressing(t, realtime.Options{CompressFrom: 100, MaxPayload: smallPayload})
			s.write(tt.data)
			s.expectClose(tt.code)
		})
	}
}
