package engineio

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// connection is one WebSocket connection. One goroutine reads from it; one at a
// time writes to it.
type connection struct {
	// Set before anybody else knows the connection.
	conn         net.Conn
	descriptor   *descriptor // nil where nothing can be written without waiting
	writeTimeout time.Duration
	compression  *compression // how messages are compressed; nil where the client has not agreed to any
	textOnly     bool         // the client takes bytes as base64 alone

	reader messageReader // the reading goroutine's
	source *source       // what reader reads from; the reading goroutine's

	// Each safe by itself.
	closing sync.Once
	shed    atomic.Bool // tells the draining goroutine that its batch is no longer wanted

	progress progress // guarded by the session's lock
}

// progress is how far the writing to a connection has come.
type progress struct {
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

// finish notes that nothing more will be written.
func (p *progress) finish() {
	if !p.done && p.finished != nil {
		close(p.finished)
	}
	p.done = true
}

func newConnection(conn net.Conn, writeTimeout time.Duration, compression *compression) *connection {
	c := &connection{conn: conn, descriptor: newDescriptor(conn), writeTimeout: writeTimeout, compression: compression}
	c.source = &source{conn: conn, descriptor: c.descriptor}
	c.reader.r = c.source
	c.reader.compression = compression
	return c
}

// readFirst has what the HTTP server has read already read again. Its buffer is let go.
func (c *connection) readFirst(early *bufio.Reader) {
	if n := early.Buffered(); n > 0 {
		peeked, _ := early.Peek(n) // cannot fail: that much is buffered
		c.reader.r = io.MultiReader(bytes.NewReader(bytes.Clone(peeked)), c.reader.r)
	}
}

// cut closes the connection; reads and writes fail from then on.
func (c *connection) cut() {
	c.closing.Do(func() { _ = c.conn.Close() }) // nothing is left to be done about an error
}

// readyLocked says whether messages can be written at once. The session's lock is held.
func (c *connection) readyLocked() bool {
	return c.descriptor != nil && !c.progress.draining && c.progress.partial == nil
}

// bytesOf is a message as this connection is to get it.
func (c *connection) bytesOf(m *Message) []byte {
	if c.textOnly && m.binary {
		m = m.asText()
	}
	if c.compression == nil {
		return m.frame
	}
	return c.compression.frame(m)
}

// writeNowLocked writes what the connection takes without waiting, and returns the
// messages of which nothing has been written. The end of a message cut short is
// left in progress.partial. The session's lock is held.
func (c *connection) writeNowLocked(messages []*Message) (rest []*Message, err error) {
	for len(messages) > 0 {
		frame, count := c.bytesOf(messages[0]), 1
		var joined *buffer
		if len(messages) > 1 {
			if joined, frame, count = c.join(messages); count == 1 {
				frame = c.bytesOf(messages[0])
			}
		}
		written, err := c.descriptor.tryWrite(frame)
		releaseBuffer(joined)
		if err != nil {
			return nil, err
		}
		if written < len(frame) {
			return c.cutShortLocked(messages, written), nil
		}
		messages = messages[count:]
	}
	return nil, nil
}

// join copies as many of the messages as fit into one buffer, at least one.
func (c *connection) join(messages []*Message) (buffer *buffer, joined []byte, count int) {
	buffer = borrowBuffer()
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

// cutShortLocked finds the message in which the writing ended.
func (c *connection) cutShortLocked(messages []*Message, written int) (rest []*Message) {
	for i, m := range messages {
		frame := c.bytesOf(m)
		if written < len(frame) {
			if written == 0 {
				return messages[i:]
			}
			c.progress.partial = &partial{frame[written:], m}
			return messages[i+1:]
		}
		written -= len(frame)
	}
	return nil
}

// write writes what is left of a message and then messages, waiting for the client to
// read. Each 64 KiB may take the write timeout, so that a long message on a slow line
// is not cut off while the line moves.
func (c *connection) write(rest []byte, messages []*Message) error {
	out := chunks{connection: c}
	if err := out.add(rest); err != nil {
		return err
	}
	for _, m := range messages {
		if c.shed.Load() && !m.binary {
			break // what has been added ends with a whole packet
		}
		if err := out.add(c.bytesOf(m)); err != nil {
			return err
		}
	}
	return out.finish()
}

// writeAll writes bytes, waiting if need be.
func (c *connection) writeAll(data []byte) error {
	if c.descriptor != nil {
		written, err := c.descriptor.tryWrite(data)
		if data = data[written:]; err != nil || len(data) == 0 {
			return err
		}
	}
	out := chunks{connection: c}
	if err := out.add(data); err != nil {
		return err
	}
	return out.finish()
}

// writeChunk is how many bytes one write deadline covers.
const writeChunk = 64 << 10

// chunks gathers bytes into chunks of which each has its own deadline.
type chunks struct {
	connection *connection
	parts      net.Buffers // of the chunk that is being gathered
	size       int         // of the parts, in bytes
}

func (o *chunks) add(data []byte) error {
	for len(data) > 0 {
		part := data[:min(len(data), writeChunk-o.size)]
		data = data[len(part):]
		o.parts = append(o.parts, part)
		if o.size += len(part); o.size == writeChunk {
			if err := o.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *chunks) flush() error {
	if len(o.parts) == 0 {
		return nil
	}
	if err := o.connection.conn.SetWriteDeadline(time.Now().Add(o.connection.writeTimeout)); err != nil {
		return err
	}
	parts := o.parts // which writing consumes
	_, err := parts.WriteTo(o.connection.conn)
	o.parts, o.size = o.parts[:0], 0
	return err
}

// finish writes what has been gathered and takes the deadline off.
func (o *chunks) finish() error {
	if err := o.flush(); err != nil {
		return err
	}
	return o.connection.conn.SetWriteDeadline(time.Time{})
}
