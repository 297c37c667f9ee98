package wsframe_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"pgregory.net/rapid"

	"rolecall/bench/wsframe"
)

// What is appended, another implementation reads as the same message.
func TestAppendIsReadByOthers(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 100_000} {
		payload := bytes.Repeat([]byte("x"), size)
		wire := bytes.NewReader(wsframe.Append(nil, wsframe.Text, payload))
		got, opcode, err := wsutil.ReadClientData(struct {
			io.Reader
			io.Writer
		}{wire, io.Discard})
		if err != nil || opcode != ws.OpText || !bytes.Equal(got, payload) || wire.Len() != 0 {
			t.Errorf("%d bytes: read opcode %d, %d bytes, %d left over, error %v", size, opcode, len(got), wire.Len(), err)
		}
	}
}

// What another implementation writes is read as the same messages, however the bytes are cut into pieces.
func TestNextReadsOthersInAnyPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.SampledFrom([]int{0, 1, 125, 126, 127, 300, 65535, 65536}), 1, 6).Draw(t, "sizes")
		var wire bytes.Buffer
		for i, size := range sizes {
			payload := bytes.Repeat([]byte{byte('a' + i)}, size)
			fragment := ws.OpText
			for _, cut := range rapid.SliceOfN(rapid.IntRange(0, size), 0, 3).Draw(t, "fragments") {
				cut = min(cut, len(payload))
				if err := ws.WriteFrame(&wire, ws.NewFrame(fragment, false, payload[:cut])); err != nil {
					t.Fatal(err)
				}
				payload, fragment = payload[cut:], ws.OpContinuation
			}
			if err := ws.WriteFrame(&wire, ws.NewFrame(fragment, true, payload)); err != nil {
				t.Fatal(err)
			}
		}
		var held []byte
		read := 0
		for wire.Len() > 0 {
			held = append(held, wire.Next(rapid.IntRange(1, 70_000).Draw(t, "piece"))...)
			for {
				opcode, payload, size, err := wsframe.Next(held)
				if err != nil {
					t.Fatal(err)
				}
				if size == 0 {
					break
				}
				if want := bytes.Repeat([]byte{byte('a' + read)}, sizes[read]); opcode != wsframe.Text || !bytes.Equal(payload, want) {
					t.Fatalf("message %d: opcode %d, %d bytes, want %d", read, opcode, len(payload), len(want))
				}
				held = held[size:]
				read++
			}
		}
		if read != len(sizes) || len(held) != 0 {
			t.Fatalf("read %d of %d messages, %d bytes left", read, len(sizes), len(held))
		}
	})
}

func TestNextRefuses(t *testing.T) {
	for name, data := range map[string][]byte{
		"reserved bit":             {0xC1, 0},
		"half a Close":             {0x08, 0},
		"fragment of nothing":      {0x80, 0},
		"a message within another": {0x01, 0, 0x81, 0},
		"a ping between fragments": {0x01, 0, 0x89, 0},
		"masked":                   {0x81, 0x80},
		"endless":                  {0x81, 127, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
		"text of http":             []byte("HTTP/1.1 400 Bad Request\r\n"),
		"one too large":            {0x81, 127, 0, 0, 0, 0, 1, 0, 0, 1},
	} {
		if _, _, _, err := wsframe.Next(data); !errors.Is(err, wsframe.ErrFrame) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestHandshakeIsAccepted(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(wsframe.Handshake("localhost", "/socket.io/?EIO=4&transport=websocket")); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range answer {
		if size, err := wsframe.Accepted(answer[:cut]); size != 0 || err != nil {
			t.Fatalf("the first %d bytes: size %d, error %v", cut, size, err)
		}
	}
	if size, err := wsframe.Accepted(append(answer, "rest"...)); size != len(answer) || err != nil {
		t.Errorf("size %d, error %v, want %d", size, err, len(answer))
	}
}

func TestAcceptedRefuses(t *testing.T) {
	for name, test := range map[string]struct{ answer, want string }{
		"refusal":    {"HTTP/1.1 503 Service Unavailable\r\n\r\n", "503"},
		"wrong hash": {"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: AAAA\r\n\r\n", "Accept"},
	} {
		if _, err := wsframe.Accepted([]byte(test.answer)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one about %q", name, err, test.want)
		}
	}
}

func FuzzNext(f *testing.F) {
	f.Add([]byte{0x81, 3, 'a', 'b', 'c'})
	f.Add([]byte{0x81, 126, 0, 1, 'a'})
	f.Fuzz(func(t *testing.T, data []byte) {
		_, payload, size, err := wsframe.Next(data)
		if err == nil && (size > len(data) || len(payload) > size) {
			t.Fatalf("%d bytes, %d of them payload, out of %d", size, len(payload), len(data))
		}
	})
}
