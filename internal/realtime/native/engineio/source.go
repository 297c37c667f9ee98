package engineio

import (
	"net"
	"sync"
)

const (
	// sharedBuffer is the size of the buffers that connections borrow to read.
	sharedBuffer = 8 << 10
	// ownBuffer is the size of the buffer of a connection that cannot borrow. It
	// holds frame headers and small messages; larger ones are read past it.
	ownBuffer = 1 << 10
)

type buffer [sharedBuffer]byte

// buffers is a cache, in which nothing is ever looked up.
var buffers = sync.Pool{New: func() any { return new(buffer) }} //nolint:gochecknoglobals // see above

func borrowBuffer() *buffer { return buffers.Get().(*buffer) } //nolint:forcetypeassert // see New

func releaseBuffer(b *buffer) {
	if b != nil {
		buffers.Put(b)
	}
}

// source reads a connection through a buffer. Where the connection allows it the
// buffer is borrowed, and only while it has something in it: an idle connection
// has none. It is for one reader.
type source struct {
	conn       net.Conn
	descriptor *descriptor // nil for a connection that must wait in its own Read

	unread   []byte // in borrowed, in own, or what came before the source was made
	borrowed *buffer
	own      []byte
}

// Read is part of io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if len(s.unread) == 0 {
		if len(p) >= sharedBuffer {
			return s.conn.Read(p)
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.unread)
	s.unread = s.unread[n:]
	if len(s.unread) == 0 {
		s.release()
	}
	return n, nil
}

// fill reads what has arrived, at least a byte.
func (s *source) fill() error {
	if s.descriptor != nil {
		buffer, n, err := s.descriptor.fill()
		if err != nil {
			return err
		}
		s.borrowed, s.unread = buffer, buffer[:n]
		return nil
	}
	if s.own == nil {
		s.own = make([]byte, ownBuffer)
	}
	n, err := s.conn.Read(s.own)
	s.unread = s.own[:n]
	if n > 0 {
		return nil // an error comes again with the next Read
	}
	return err
}

// release gives the buffer back, with what is unread in it.
func (s *source) release() {
	releaseBuffer(s.borrowed)
	s.borrowed, s.unread = nil, nil
}
