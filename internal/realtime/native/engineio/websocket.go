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
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

const (
	// writeChunk is how many bytes one write deadline covers.
	writeChunk = 64 << 10

	handshakeGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455, section 1.3
)

// webSocket is one WebSocket connection. One goroutine reads from it; one at a
// time writes to it.
type webSocket struct {
	conn         net.Conn
	descriptor   *descriptor // nil where nothing can be written without waiting
	reader       messageReader
	writeTimeout time.Duration
	closeOnce    sync.Once
	// shed tells the draining goroutine that its batch is no longer wanted.
	shed atomic.Bool
	// compression is how messages are compressed; nil where the client has not agreed to any.
	compression *compression

	// The rest is guarded by the session's lock.

	draining bool          // a goroutine is writing what the connection did not take at once
	partial  *partial      // a message of which the beginning has been written
	done     bool          // the Close frame has been written, or cannot be
	finished chan struct{} // closed then; made by who waits for it
}

// partial is what is left of a message.
type partial struct {
	rest    []byte
	message *Message
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

// takeOver takes the connection of an opening handshake from the HTTP server, with
// the answer that is to be written to it (RFC 6455, section 4.2). When it reports
// false the request has been refused.
func (s *Session) takeOver(w http.ResponseWriter, r *http.Request) (socket *webSocket, answer []byte, ok bool) {
	key := r.Header.Get("Sec-WebSocket-Key")
	nonce, err := base64.StdEncoding.DecodeString(key)
	if r.Method != http.MethodGet || !r.ProtoAtLeast(1, 1) || err != nil || len(nonce) != 16 {
		errBadRequest().write(w)
		return nil, nil, false
	}
	if r.Header.Get("Sec-WebSocket-Version") != "13" {
		w.Header().Set("Sec-WebSocket-Version", "13")
		errBadRequest().write(w)
		return nil, nil, false
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2 has no connection to take over
		errBadRequest().write(w)
		return nil, nil, false
	}
	_ = conn.SetDeadline(time.Time{}) // the HTTP server's; a broken connection shows in the write
	limitUnsent(conn)
	compression, extension := s.server.negotiateCompression(r.Header)
	answer = append(make([]byte, 0, 512), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"...)
	answer = append(answer, "Sec-WebSocket-Accept: "+acceptKey(key)+"\r\n"...)
	if protocol := firstProtocol(r.Header); protocol != "" {
		answer = append(answer, "Sec-WebSocket-Protocol: "+protocol+"\r\n"...)
	}
	if extension != "" {
		answer = append(answer, "Sec-WebSocket-Extensions: "+extension+"\r\n"...)
	}
	return s.server.newWebSocket(conn, &s.limit, buffered.Reader, compression), append(answer, "\r\n"...), true
}

// firstProtocol is the first subprotocol that a client offers. None means anything
// to Engine.IO, but a client that offers some gives up when none is chosen.
func firstProtocol(header http.Header) string {
	first, _, _ := strings.Cut(header.Get("Sec-WebSocket-Protocol"), ",")
	if first = strings.TrimSpace(first); !httpguts.ValidHeaderFieldName(first) {
		return ""
	}
	return first
}

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + handshakeGUID)) //nolint:gosec // see the import
	return base64.StdEncoding.EncodeToString(sum[:])
}

// newWebSocket wraps a connection of which early may have read some bytes. The
// HTTP server's buffers are let go.
func (s *Server) newWebSocket(conn net.Conn, limit *atomic.Int64, early *bufio.Reader, compression *compression) *webSocket {
	c := &webSocket{conn: conn, descriptor: newDescriptor(conn), writeTimeout: s.config.WriteTimeout, compression: compression}
	c.reader = messageReader{
		r:           &source{conn: conn, descriptor: c.descriptor},
		limit:       limit,
		compression: compression,
	}
	if n := early.Buffered(); n > 0 {
		peeked, _ := early.Peek(n) // cannot fail: that much is buffered
		c.reader.r = io.MultiReader(bytes.NewReader(bytes.Clone(peeked)), c.reader.r)
	}
	return c
}

// ready says whether messages can be written at once. The session's lock is held.
func (c *webSocket) ready() bool { return c.descriptor != nil && !c.draining && c.partial == nil }

// finishLocked notes that nothing more will be written. The session's lock is held.
func (c *webSocket) finishLocked() {
	if !c.done && c.finished != nil {
		close(c.finished)
	}
	c.done = true
}

// bytesOf is a message as this connection is to get it.
func (c *webSocket) bytesOf(m *Message) []byte {
	if c.compression == nil {
		return m.frame
	}
	return c.compression.frame(m)
}

// cut closes the connection; reads and writes fail from then on.
func (c *webSocket) cut() {
	c.closeOnce.Do(func() { _ = c.conn.Close() }) // nothing is left to be done about an error
}

// writeNow writes what the connection takes without waiting, and returns the
// messages of which nothing has been written. The end of a message cut short is
// left in partial. The session's lock is held.
func (c *webSocket) writeNow(messages []*Message) (rest []*Message, err error) {
	for len(messages) > 0 {
		frame, count := c.bytesOf(messages[0]), 1
		var joined *readBuffer
		if len(messages) > 1 {
			if joined, frame, count = c.join(messages); count == 1 {
				frame = c.bytesOf(messages[0])
			}
		}
		written, err := c.descriptor.tryWrite(frame)
		releaseReadBuffer(joined)
		if err != nil {
			return nil, err
		}
		if written < len(frame) {
			return c.cutShort(messages, written), nil
		}
		messages = messages[count:]
	}
	return nil, nil
}

// join copies as many of the messages as fit into one buffer, at least one.
func (c *webSocket) join(messages []*Message) (buffer *readBuffer, joined []byte, count int) {
	buffer = borrowReadBuffer()
	joined = buffer[:0]
	for _, m := range messages {
		frame := c.bytesOf(m)
		if len(joined)+len(frame) > len(buffer) {
			break
		}
		joined = append(joined, frame...)
		count++
	}
	return buffer, joined, max(count, 1)
}

// cutShort finds the message in which the writing ended.
func (c *webSocket) cutShort(messages []*Message, written int) (rest []*Message) {
	for i, m := range messages {
		frame := c.bytesOf(m)
		if written < len(frame) {
			if written == 0 {
				return messages[i:]
			}
			c.partial = &partial{frame[written:], m}
			return messages[i+1:]
		}
		written -= len(frame)
	}
	return nil
}

// write writes what is left of a message and then messages, waiting for the client to
// read. Each 64 KiB may take the write timeout, so that a long message on a slow line
// is not cut off while the line moves.
func (c *webSocket) write(rest []byte, messages []*Message) error {
	chunk := outgoing{socket: c}
	if err := chunk.add(rest); err != nil {
		return err
	}
	for _, m := range messages {
		if c.shed.Load() && !m.binary {
			break // what has been added ends with a whole packet
		}
		if err := chunk.add(c.bytesOf(m)); err != nil {
			return err
		}
	}
	if err := chunk.flush(); err != nil {
		return err
	}
	return c.conn.SetWriteDeadline(time.Time{})
}

// writeAll writes bytes, waiting if need be.
func (c *webSocket) writeAll(data []byte) error {
	if c.descriptor != nil {
		written, err := c.descriptor.tryWrite(data)
		if data = data[written:]; err != nil || len(data) == 0 {
			return err
		}
	}
	chunk := outgoing{socket: c}
	if err := chunk.add(data); err != nil {
		return err
	}
	if err := chunk.flush(); err != nil {
		return err
	}
	return c.conn.SetWriteDeadline(time.Time{})
}

// outgoing gathers bytes into chunks of which each has its own deadline.
type outgoing struct {
	socket *webSocket
	chunk  net.Buffers
	size   int
}

func (o *outgoing) add(data []byte) error {
	for len(data) > 0 {
		part := data[:min(len(data), writeChunk-o.size)]
		data = data[len(part):]
		o.chunk = append(o.chunk, part)
		if o.size += len(part); o.size == writeChunk {
			if err := o.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *outgoing) flush() error {
	if len(o.chunk) == 0 {
		return nil
	}
	if err := o.socket.conn.SetWriteDeadline(time.Now().Add(o.socket.writeTimeout)); err != nil {
		return err
	}
	_, err := o.chunk.WriteTo(o.socket.conn)
	o.chunk, o.size = o.chunk[:0], 0
	return err
}
