package conformance_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"rolecall/test/wiretest"
)

// The bodies of refused requests, as Engine.IO clients know them.
const (
	unknownTransport = `{"code":0,"message":"Transport unknown"}`
	unknownSession   = `{"code":1,"message":"Session ID unknown"}`
	badMethod        = `{"code":2,"message":"Bad handshake method"}`
	badRequest       = `{"code":3,"message":"Bad request"}`
	tooLarge         = `{"code":3,"message":"Payload too large"}`
	stopping         = `{"code":3,"message":"Server is stopping"}`
	tooMany          = `{"code":3,"message":"Too many connections"}`
	badVersion       = `{"code":5,"message":"Unsupported protocol version"}`
)

// answer is an answer to an HTTP request.
type answer struct {
	status int
	header http.Header
	body   string
}

// do makes a request, also when the test is about to end.
func (f *fixture) do(t *testing.T, method, query string, header http.Header, body string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wiretest.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, f.endpoint+query, strings.NewReader(body))
	if err != nil {
		t.Fatalf("request: %v", err)
	}
	if header != nil {
		request.Header = header
	}
	response, err := f.http.Client().Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, query, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, query, err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

func (a answer) expect(t *testing.T, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Errorf("answer: %d %s, want %d %s", a.status, a.body, status, body)
	}
}

// The key of the example in RFC 6455, section 1.3.
const sampleKey = "dGhlIHNhbXBsZSBub25jZQ=="

// upgradeHeader is a correct opening handshake, with changes: a header set to "" is left out.
func upgradeHeader(changes map[string]string) http.Header {
	header := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {sampleKey},
	}
	for name, value := range changes {
		if value == "" {
			header.Del(name)
			continue
		}
		header.Set(name, value)
	}
	return header
}

// acceptOf is the Sec-WebSocket-Accept that belongs to a key (RFC 6455, section 4.2.2).
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// rawConnection is a connection on which a test writes and reads every byte itself.
type rawConnection struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

// dialRaw connects to the server without a word.
func (f *fixture) dialRaw(t *testing.T) *rawConnection {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: wiretest.Timeout}).DialContext(t.Context(), "tcp", f.http.Listener.Addr().String())
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(wiretest.Timeout))
	return &rawConnection{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// request writes a request with glued behind it, and returns the answer; its body is read.
func (s *rawConnection) request(method, query string, header http.Header, glued []byte) answer {
	s.t.Helper()
	var text bytes.Buffer
	text.WriteString(method + " /socket.io/" + query + " HTTP/1.1\r\nHost: " + s.conn.RemoteAddr().String() + "\r\n")
	_ = header.Write(&text)
	text.WriteString("\r\n")
	text.Write(glued)
	s.write(text.Bytes())
	response, err := http.ReadResponse(s.r, &http.Request{Method: method})
	if err != nil {
		s.t.Fatalf("answer: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusSwitchingProtocols {
		return answer{response.StatusCode, response.Header, ""}
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("answer: %v", err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

func (s *rawConnection) write(data []byte) {
	s.t.Helper()
	if _, err := s.conn.Write(data); err != nil {
		s.t.Fatalf("write: %v", err)
	}
}

// readFrame reads one frame of up to 1 MiB.
func (s *rawConnection) readFrame() (ws.Frame, error) {
	header, err := ws.ReadHeader(s.r)
	if err != nil {
		return ws.Frame{}, err
	}
	if header.Length > 1<<20 {
		return ws.Frame{}, fmt.Errorf("a frame of %d bytes", header.Length)
	}
	frame := ws.Frame{Header: header, Payload: make([]byte, header.Length)}
	_, err = io.ReadFull(s.r, frame.Payload)
	return frame, err
}

// frame reads one frame and fails the test if there is none.
func (s *rawConnection) frame() ws.Frame {
	s.t.Helper()
	frame, err := s.readFrame()
	if err != nil {
		s.t.Fatalf("read a frame: %v", err)
	}
	return frame
}

// expectFrame fails the test if the next frame is not a whole, unmasked one with this content.
func (s *rawConnection) expectFrame(op ws.OpCode, payload string) {
	s.t.Helper()
	frame := s.frame()
	if h := frame.Header; h.OpCode != op || !h.Fin || h.Rsv != 0 || h.Masked || string(frame.Payload) != payload {
		s.t.Fatalf("frame %+v %.200q, want opcode %d with %.200q", h, frame.Payload, op, payload)
	}
}

// expectClose fails the test if the next frame is not a Close frame with this code, whatever its reason, and answers it.
func (s *rawConnection) expectClose(code int) {
	s.t.Helper()
	frame := s.frame()
	got, _ := ws.ParseCloseFrameData(frame.Payload)
	if h := frame.Header; h.OpCode != ws.OpClose || !h.Fin || h.Rsv != 0 || h.Masked || int(got) != code {
		s.t.Fatalf("frame %+v %q, want a Close frame with %d", h, frame.Payload, code)
	}
	_, _ = s.conn.Write(masked(ws.NewCloseFrame(frame.Payload))) // the server may have ended the connection already
}

// expectEnd fails the test unless the server has nothing more to say and ends the connection.
func (s *rawConnection) expectEnd() {
	s.t.Helper()
	if rest, err := io.ReadAll(s.r); err != nil || len(rest) > 0 {
		s.t.Errorf("at the end: %q, %v", rest, err)
	}
}

// webSocket opens a connection whose frames the test reads itself, connected to "/".
func (f *fixture) webSocket(t *testing.T) *rawConnection {
	t.Helper()
	s := f.dialRaw(t)
	if got := s.request(http.MethodGet, "?EIO=4&transport=websocket", upgradeHeader(nil), nil); got.status != 101 {
		t.Fatalf("opening handshake: %d %s", got.status, got.body)
	}
	s.frame() // the open packet
	s.write(masked(ws.NewTextFrame([]byte("40"))))
	s.frame() // the answer to CONNECT
	return s
}

// masked is a frame as a client sends it.
func masked(frame ws.Frame) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(frame))
}

// text is a whole text message as a client sends it.
func text(packet string) []byte { return masked(ws.NewTextFrame([]byte(packet))) }

// closeFrame is the payload of a Close frame.
func closeFrame(code int, reason string) string {
	return string(ws.NewCloseFrameBody(ws.StatusCode(code), reason))
}
