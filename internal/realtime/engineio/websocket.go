package engineio

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 6455 asks for SHA-1; nothing rests on its strength
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// readBuffer holds frame headers and small messages; larger ones are read
	// past it.
	readBuffer = 1 << 10
	// writeChunk is how many bytes one write deadline covers.
	writeChunk = 64 << 10

	handshakeGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455, section 1.3
)

// webSocket is one WebSocket connection. One goroutine reads from it; one at a
// time writes to it.
type webSocket struct {
	conn         net.Conn
	reader       messageReader
	writeTimeout time.Duration

	wake       chan struct{} // tells the writer to look at the session
	writerDone chan struct{} // closed when the writer has ended
	closeOnce  sync.Once
}

// isWebSocketUpgrade says whether the request asks for a WebSocket.
func isWebSocketUpgrade(r *http.Request) bool {
	return headerHasToken(r.Header, "Connection", "upgrade") && headerHasToken(r.Header, "Upgrade", "websocket")
}

func headerHasToken(header http.Header, name, token string) bool {
	for _, value := range header.Values(name) {
		for part := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// acceptWebSocket answers the opening handshake (RFC 6455, section 4.2) and takes
// over the connection. When it reports false the request has been refused.
func (s *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request) (*webSocket, bool) {
	key := r.Header.Get("Sec-WebSocket-Key")
	nonce, err := base64.StdEncoding.DecodeString(key)
	if r.Method != http.MethodGet || err != nil || len(nonce) != 16 {
		errBadRequest().write(w)
		return nil, false
	}
	if r.Header.Get("Sec-WebSocket-Version") != "13" {
		w.Header().Set("Sec-WebSocket-Version", "13")
		errBadRequest().write(w)
		return nil, false
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2 has no connection to take over
		errBadRequest().write(w)
		return nil, false
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		acceptKey(key) + "\r\n\r\n"
	_ = conn.SetReadDeadline(time.Time{}) // the HTTP server's; a broken connection shows in the write
	_ = conn.SetWriteDeadline(time.Now().Add(s.config.WriteTimeout))
	if _, err := io.WriteString(conn, answer); err != nil {
		_ = conn.Close() // it is broken already
		return nil, false
	}
	return s.newWebSocket(conn, buffered.Reader), true
}

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + handshakeGUID)) //nolint:gosec // see the import
	return base64.StdEncoding.EncodeToString(sum[:])
}

// newWebSocket wraps a connection of which early may have read some bytes. The
// HTTP server's buffers are let go.
func (s *Server) newWebSocket(conn net.Conn, early *bufio.Reader) *webSocket {
	var source io.Reader = conn
	if n := early.Buffered(); n > 0 {
		peeked, _ := early.Peek(n) // cannot fail: that much is buffered
		source = io.MultiReader(bytes.NewReader(bytes.Clone(peeked)), conn)
	}
	return &webSocket{
		conn:         conn,
		reader:       messageReader{r: bufio.NewReaderSize(source, readBuffer), limit: s.config.MaxPayload},
		writeTimeout: s.config.WriteTimeout,
		wake:         make(chan struct{}, 1),
		writerDone:   make(chan struct{}),
	}
}

func (c *webSocket) wakeWriter() {
	select {
	case c.wake <- struct{}{}:
	default: // it has been told already
	}
}

// cut closes the connection; reads and writes fail from then on.
func (c *webSocket) cut() {
	c.closeOnce.Do(func() { _ = c.conn.Close() }) // nothing is left to be done about an error
}

// write writes messages. Each 64 KiB may take the write timeout, so that a long
// message on a slow line is not cut off while the line moves.
func (c *webSocket) write(messages []*Message) error {
	var chunk net.Buffers
	size := 0
	for _, m := range messages {
		for frame := m.frame; len(frame) > 0; {
			part := frame[:min(len(frame), writeChunk-size)]
			frame = frame[len(part):]
			chunk = append(chunk, part)
			if size += len(part); size == writeChunk {
				if err := c.writeChunk(chunk); err != nil {
					return err
				}
				chunk, size = chunk[:0], 0
			}
		}
	}
	return c.writeChunk(chunk)
}

func (c *webSocket) writeChunk(chunk net.Buffers) error {
	if len(chunk) == 0 {
		return nil
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.writeTimeout)); err != nil {
		return err
	}
	_, err := chunk.WriteTo(c.conn)
	return err
}
