package engineio

import (
	"crypto/tls"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUnsentIsLimitedBelowTLS as well.
func TestUnsentIsLimitedBelowTLS(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	limitUnsent(tls.Server(conn, &tls.Config{MinVersion: tls.VersionTLS13}))
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var limit int
	var problem error
	err = raw.Control(func(fd uintptr) {
		limit, problem = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT)
	})
	if err != nil || problem != nil || limit != maxUnsent {
		t.Errorf("limit %d, %v, %v", limit, err, problem)
	}
}
