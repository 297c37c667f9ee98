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

// WebSocket is a client on a connection of its own.
type WebSocket struct {
	tb   testing.TB
	conn net.Conn
	r    io.Reader
}

// Dial opens a WebSocket and fails the test if that fails. The test closes it.
func Dial(tb testing.TB, url string) *WebSocket {
	tb.Helper()
	s, err := TryDial(tb, url)
	if err != nil {
		tb.Fatalf("dial %s: %v", url, err)
	}
	return s
}

// TryDial opens a WebSocket. The test closes it.
func TryDial(tb testing.TB, url string) (*WebSocket, error) {
	ctx, cancel := context.WithTimeout(tb.Context(), Timeout)
	defer cancel()
	dialer := ws.Dialer{
		TLSConfig: &tls.Config{InsecureSkipVerify: true},
		Header:    ws.HandshakeHeaderHTTP{"User-Agent": {"wiretest"}},
	}
	conn, early, _, err := dialer.Dial(ctx, "ws"+strings.TrimPrefix(url, "http"))
	if err != nil {
		return nil, err
	}
	w := &WebSocket{tb: tb, conn: conn, r: conn}
	if early != nil {
		w.r = early
	} else {
		w.r = bufio.NewReader(conn)
	}
	tb.Cleanup(w.Cut)
	return w, nil
}

// Cut closes the connection without a word.
func (w *WebSocket) Cut() { _ = w.conn.Close() }

// Conn is the connection below.
func (w *WebSocket) Conn() net.Conn { return w.conn }

// Send sends a text message. A broken connection shows when reading.
func (w *WebSocket) Send(text string) { w.SendFrame(ws.NewTextFrame([]byte(text))) }

// SendBinary sends a binary message.
func (w *WebSocket) SendBinary(data []byte) { w.SendFrame(ws.NewBinaryFrame(data)) }

// SendFrame sends a frame, masked.
func (w *WebSocket) SendFrame(frame ws.Frame) {
	frame.Payload = append([]byte(nil), frame.Payload...) // masking happens in place
	w.SendRaw(ws.MustCompileFrame(ws.MaskFrameInPlace(frame)))
}

// SendRaw sends bytes as they are.
func (w *WebSocket) SendRaw(data []byte) {
	_ = w.conn.SetWriteDeadline(time.Now().Add(Timeout))
	_, _ = w.conn.Write(data)
}

// CloseError says that the server sent a Close frame.
type CloseError struct{ Code ws.StatusCode }

func (e *CloseError) Error() string { return "closed by the server" }

// TryRead reads the next message.
func (w *WebSocket) TryRead() (data string, binary bool, err error) {
	_ = w.conn.SetReadDeadline(time.Now().Add(Timeout))
	header, err := ws.ReadHeader(w.r)
	if err != nil {
		return "", false, err
	}
	payload := make([]byte, header.Length)
	if _, err := io.ReadFull(w.r, payload); err != nil {
		return "", false, err
	}
	if header.OpCode == ws.OpClose {
		code, _ := ws.ParseCloseFrameData(payload)
		w.SendFrame(ws.NewCloseFrame(payload))
		return "", false, &CloseError{Code: code}
	}
	return string(payload), header.OpCode == ws.OpBinary, nil
}

// Read reads the next message, leaving out pings, which it answers.
func (w *WebSocket) Read() string {
	w.tb.Helper()
	for {
		data, _, err := w.TryRead()
		if err != nil {
			w.tb.Fatalf("read: %v", err)
		}
		if data != "2" {
			return data
		}
		w.Send("3")
	}
}

// Expect reads the next message and fails the test if it is another.
func (w *WebSocket) Expect(want string) {
	w.tb.Helper()
	if got := w.Read(); got != want {
		w.tb.Fatalf("read %q, want %q", got, want)
	}
}

// ReadClose reads until the server closes and returns the code of its Close
// frame, or 0 where the connection just ended.
func (w *WebSocket) ReadClose() ws.StatusCode {
	w.tb.Helper()
	for {
		_, _, err := w.TryRead()
		closed := (*CloseError)(nil)
		timeout := net.Error(nil)
		switch {
		case errors.As(err, &closed):
			return closed.Code
		case errors.As(err, &timeout) && timeout.Timeout():
			w.tb.Fatal("the server did not close the connection")
		case err != nil:
			return 0
		}
	}
}
