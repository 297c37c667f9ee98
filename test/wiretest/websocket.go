// Package wiretest is a client for tests that speaks Engine.IO packet by packet,
// so that a test can also say what no real client would.
package wiretest

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// Timeout is how long a client waits for anything before the test fails.
const Timeout = 10 * time.Second

// Socket is a WebSocket client.
type Socket struct {
	tb   testing.TB
	conn net.Conn
	r    io.Reader
}

// Dial opens a WebSocket and fails the test if that fails. The test closes it.
func Dial(tb testing.TB, url string) *Socket {
	tb.Helper()
	s, err := TryDial(tb, url)
	if err != nil {
		tb.Fatalf("dial %s: %v", url, err)
	}
	return s
}

// TryDial opens a WebSocket. The test closes it.
func TryDial(tb testing.TB, url string) (*Socket, error) {
	ctx, cancel := context.WithTimeout(tb.Context(), Timeout)
	defer cancel()
	dialer := ws.Dialer{
		TLSConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a test server's certificate
		Header:    ws.HandshakeHeaderHTTP{"User-Agent": {"wiretest"}},
	}
	conn, early, _, err := dialer.Dial(ctx, "ws"+strings.TrimPrefix(url, "http"))
	if err != nil {
		return nil, err
	}
	s := &Socket{tb: tb, conn: conn, r: conn}
	if early != nil {
		s.r = early
	} else {
		s.r = bufio.NewReader(conn)
	}
	tb.Cleanup(s.Cut)
	return s, nil
}

// Cut closes the connection without a word.
func (s *Socket) Cut() { _ = s.conn.Close() }

// Conn is the connection below.
func (s *Socket) Conn() net.Conn { return s.conn }

// Send sends a text message. A broken connection shows when reading.
func (s *Socket) Send(text string) { s.SendFrame(ws.NewTextFrame([]byte(text))) }

// SendBinary sends a binary message.
func (s *Socket) SendBinary(data []byte) { s.SendFrame(ws.NewBinaryFrame(data)) }

// SendFrame sends a frame, masked.
func (s *Socket) SendFrame(frame ws.Frame) {
	frame.Payload = append([]byte(nil), frame.Payload...) // masking happens in place
	s.SendRaw(ws.MustCompileFrame(ws.MaskFrameInPlace(frame)))
}

// SendRaw sends bytes as they are.
func (s *Socket) SendRaw(data []byte) {
	_ = s.conn.SetWriteDeadline(time.Now().Add(Timeout))
	_, _ = s.conn.Write(data)
}

// CloseError says that the server sent a Close frame.
type CloseError struct{ Code ws.StatusCode }

func (e *CloseError) Error() string { return "closed by the server" }

// TryRead reads the next message.
func (s *Socket) TryRead() (data string, binary bool, err error) {
	_ = s.conn.SetReadDeadline(time.Now().Add(Timeout))
	header, err := ws.ReadHeader(s.r)
	if err != nil {
		return "", false, err
	}
	payload := make([]byte, header.Length)
	if _, err := io.ReadFull(s.r, payload); err != nil {
		return "", false, err
	}
	if header.OpCode == ws.OpClose {
		code, _ := ws.ParseCloseFrameData(payload)
		s.SendFrame(ws.NewCloseFrame(payload))
		return "", false, &CloseError{Code: code}
	}
	return string(payload), header.OpCode == ws.OpBinary, nil
}

// Read reads the next message, leaving out pings, which it answers.
func (s *Socket) Read() string {
	s.tb.Helper()
	for {
		data, _, err := s.TryRead()
		if err != nil {
			s.tb.Fatalf("read: %v", err)
		}
		if data != "2" {
			return data
		}
		s.Send("3")
	}
}

// Expect reads the next message and fails the test if it is another.
func (s *Socket) Expect(want string) {
	s.tb.Helper()
	if got := s.Read(); got != want {
		s.tb.Fatalf("read %q, want %q", got, want)
	}
}

// ReadClose reads until the server closes and returns the code of its Close
// frame, or 0 where the connection just ended.
func (s *Socket) ReadClose() ws.StatusCode {
	s.tb.Helper()
	for {
		_, _, err := s.TryRead()
		closed := (*CloseError)(nil)
		timeout := net.Error(nil)
		switch {
		case errors.As(err, &closed):
			return closed.Code
		case errors.As(err, &timeout) && timeout.Timeout():
			s.tb.Fatal("the server did not close the connection")
		case err != nil:
			return 0
		}
	}
}
