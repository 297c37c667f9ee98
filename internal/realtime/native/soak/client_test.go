package soak_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Op codes of WebSocket frames (RFC 6455, section 5.2).
const (
	opText  = 1
	opClose = 8
)

// openingHandshake asks for an Engine.IO session on a WebSocket.
const openingHandshake = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: soak\r\n" +
	"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// client is a WebSocket client which is cheap, so that the tests are about the server. One goroutine at a time may
// read; any may write.
type client struct {
	conn    *net.TCPConn
	reader  *bufio.Reader
	buffer  []byte // holds the frame that was read last
	writing sync.Mutex
}

// closedError says that the server sent a Close frame.
type closedError struct{ code uint16 }

func (e *closedError) Error() string { return fmt.Sprintf("closed by the server (%d)", e.code) }

// dial opens a WebSocket. The early messages leave together with the opening handshake, in one write.
func dial(address string, early ...string) (*client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("dial: got a %T", conn)
	}
	c := &client{conn: tcp, reader: bufio.NewReaderSize(tcp, 1<<10)}
	if err := c.handshake(early); err != nil {
		c.cut()
		return nil, fmt.Errorf("opening handshake: %w", err)
	}
	return c, nil
}

func (c *client) handshake(early []string) error {
	request := []byte(openingHandshake)
	for _, text := range early {
		request = appendFrame(request, opText, text)
	}
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	c.expectBy(patience)
	defer c.expectBy(0)
	for line := 0; ; line++ {
		text, err := c.reader.ReadString('\n')
		switch {
		case err != nil:
			return err
		case line == 0 && !strings.HasPrefix(text, "HTTP/1.1 101 "):
			return fmt.Errorf("answered with %q", text)
		case text == "\r\n":
			return nil
		}
	}
}

// expectBy sets how long reading may take from now; 0 means for ever.
func (c *client) expectBy(limit time.Duration) {
	deadline := time.Time{}
	if limit > 0 {
		deadline = time.Now().Add(limit)
	}
	_ = c.conn.SetReadDeadline(deadline) // a broken connection shows when reading
}

// appendFrame appends a frame. Its mask is zero, which a server cannot tell from any other, so that nothing needs to
// be masked. Payloads are shorter than 64 KiB.
func appendFrame(dst []byte, op byte, payload string) []byte {
	dst = append(dst, 0x80|op)
	if len(payload) < 126 {
		dst = append(dst, 0x80|byte(len(payload)))
	} else {
		dst = append(dst, 0x80|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(payload)))
	}
	return append(append(dst, 0, 0, 0, 0), payload...)
}

// send sends text messages in one write. A broken connection shows when reading.
func (c *client) send(texts ...string) {
	var frames []byte
	for _, text := range texts {
		frames = appendFrame(frames, opText, text)
	}
	c.write(frames)
}

// sendClose sends a Close frame with the code for a normal end.
func (c *client) sendClose() { c.write(appendFrame(nil, opClose, "\x03\xe8")) }

func (c *client) write(frames []byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience)) // a broken connection shows when reading
	_, _ = c.conn.Write(frames)
}

// cut ends the TCP connection without a word.
func (c *client) cut() { _ = c.conn.Close() }

// reset ends the TCP connection with a reset.
func (c *client) reset() {
	_ = c.conn.SetLinger(0)
	c.cut()
}

// next reads the next message but pings, which it answers. The message is good until the next call. After a Close
// frame, which it answers too, it returns a *closedError.
func (c *client) next() ([]byte, error) {
	for {
		op, payload, err := c.frame()
		switch {
		case err != nil:
			return nil, err
		case op == opClose:
			c.sendClose()
			closed := &closedError{}
			if len(payload) >= 2 {
				closed.code = binary.BigEndian.Uint16(payload)
			}
			return nil, closed
		case op != opText:
			return nil, fmt.Errorf("a frame with the op code %d", op)
		case string(payload) == "2":
			c.send("3")
		default:
			return payload, nil
		}
	}
}

func (c *client) frame() (op byte, payload []byte, err error) {
	var header [8]byte
	if _, err := io.ReadFull(c.reader, header[:2]); err != nil {
		return 0, nil, err
	}
	op = header[0] & 0x0f
	if header[0]&0xf0 != 0x80 || header[1]&0x80 != 0 {
		return 0, nil, errors.New("a fragment, an extension, or a masked frame")
	}
	size := uint64(header[1])
	switch size {
	case 126:
		_, err = io.ReadFull(c.reader, header[:2])
		size = uint64(binary.BigEndian.Uint16(header[:2]))
	case 127:
		_, err = io.ReadFull(c.reader, header[:8])
		size = binary.BigEndian.Uint64(header[:8])
	}
	if err != nil {
		return 0, nil, err
	}
	if size > 1<<20 {
		return 0, nil, fmt.Errorf("a frame of %d bytes", size)
	}
	if uint64(cap(c.buffer)) < size {
		c.buffer = make([]byte, size)
	}
	c.buffer = c.buffer[:size]
	_, err = io.ReadFull(c.reader, c.buffer)
	return op, c.buffer, err
}

// expect reads the next message, which must begin with the prefix.
func (c *client) expect(prefix string) error {
	c.expectBy(patience)
	defer c.expectBy(0)
	message, err := c.next()
	if err != nil {
		return fmt.Errorf("waiting for %q: %w", prefix, err)
	}
	if !strings.HasPrefix(string(message), prefix) {
		return fmt.Errorf("waiting for %q: got %q", prefix, message)
	}
	return nil
}

// readToEnd reads until the server has ended the connection, in whichever way, and closes it.
func (c *client) readToEnd() error {
	defer c.cut()
	c.expectBy(patience)
	for {
		_, err := c.next()
		var closed *closedError
		var timeout net.Error
		switch {
		case err == nil, errors.As(err, &closed): // the TCP connection ends next
		case errors.As(err, &timeout) && timeout.Timeout():
			return fmt.Errorf("waiting for the end: %w", err)
		default:
			return nil
		}
	}
}

// connected opens a WebSocket and sends the CONNECT packet: with the opening handshake, or when the open packet
// has come. It returns when that has been answered.
func connected(address, connect string, pipelined bool) (*client, error) {
	var early []string
	if pipelined {
		early = []string{connect}
	}
	c, err := dial(address, early...)
	if err != nil {
		return nil, err
	}
	if err = c.expect("0{"); err == nil {
		if !pipelined {
			c.send(connect)
		}
		err = c.expect(`40{"sid":"`)
	}
	if err != nil {
		c.cut()
		return nil, err
	}
	return c, nil
}
