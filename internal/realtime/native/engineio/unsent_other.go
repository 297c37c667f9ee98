//go:build !linux

package engineio

import "net"

// limitUnsent does nothing here: how much the kernel takes in for a client is its own affair.
func limitUnsent(net.Conn) {}
