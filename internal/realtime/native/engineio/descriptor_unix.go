//go:build unix

package engineio

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// descriptor reads and writes a connection without waiting: what cannot be done
// at once is left to the caller. It is for one reader and one writer at a time.
type descriptor struct {
	raw syscall.RawConn

	// What the functions below are about, kept here so that no call allocates.
	readFunc  func(fd uintptr) bool
	writeFunc func(fd uintptr) bool
	in        *buffer
	out       []byte
	n         int
	readErr   error
	written   int
	writeErr  error
}

// newDescriptor returns nil for a connection that is more than its descriptor,
// such as one with TLS.
func newDescriptor(conn net.Conn) *descriptor {
	if tcp, ok := conn.(*net.TCPConn); ok {
		return rawDescriptor(tcp)
	}
	if unix, ok := conn.(*net.UnixConn); ok {
		return rawDescriptor(unix)
	}
	return nil
}

func rawDescriptor(conn syscall.Conn) *descriptor {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil
	}
	d := &descriptor{raw: raw}
	d.readFunc, d.writeFunc = d.read, d.write
	return d
}

// fill waits until there is something to read and reads it into a buffer, which
// is borrowed only then.
func (d *descriptor) fill() (buffer *buffer, n int, err error) {
	if err := d.raw.Read(d.readFunc); err != nil {
		return nil, 0, err
	}
	buffer, n, err = d.in, d.n, d.readErr
	d.in = nil
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		releaseBuffer(buffer)
		return nil, 0, err
	}
	return buffer, n, nil
}

func (d *descriptor) read(fd uintptr) (done bool) {
	buffer := borrowBuffer()
	for {
		d.n, d.readErr = readNow(fd, buffer[:])
		switch {
		case errors.Is(d.readErr, syscall.EINTR):
			continue
		case errors.Is(d.readErr, syscall.EAGAIN):
			releaseBuffer(buffer)
			return false
		}
		d.in = buffer
		return true
	}
}

// tryWrite writes as much as the connection takes at once.
func (d *descriptor) tryWrite(data []byte) (written int, err error) {
	d.out, d.written, d.writeErr = data, 0, nil
	err = d.raw.Write(d.writeFunc)
	d.out = nil
	if err == nil {
		err = d.writeErr
	}
	return d.written, err
}

func (d *descriptor) write(fd uintptr) (done bool) {
	for d.written < len(d.out) {
		n, err := writeNow(fd, d.out[d.written:])
		if n > 0 {
			d.written += n
		}
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return true
		case err != nil:
			d.writeErr = err
			return true
		}
	}
	return true
}
