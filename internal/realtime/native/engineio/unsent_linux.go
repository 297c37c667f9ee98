package engineio

import (
	"net"

	"golang.org/x/sys/unix"
)

// maxUnsent is how many bytes of a connection the kernel may hold that it has not sent yet. Left alone it takes some
// megabytes for a client that does not read, all of them too late to be replaced by newer values and each written by a
// system call of its own. What has been sent and not been acknowledged does not count, so fast lines stay fast.
const maxUnsent = 128 << 10

// limitUnsent bounds what the kernel takes in for a client. Where it cannot, the queue merely begins later.
func limitUnsent(conn net.Conn) {
	if layered, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = layered.NetConn()
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
	})
}
