//go:build !unix

package engineio

import "net"

// descriptor does not exist here: connections are read and written by goroutines
// that wait.
type descriptor struct{}

func newDescriptor(net.Conn) *descriptor { return nil }

func (*descriptor) fill() (*buffer, int, error) { return nil, 0, nil }

func (*descriptor) tryWrite([]byte) (int, error) { return 0, nil }
