package engineio_test

import (
	"net"
	"strings"
	"testing"

	"rolecall/internal/realtime/native/engineio"
)

// TestTheKernelHoldsLittle: what a client does not read waits in the session's queue, where newer values replace it and
// its bound holds, and not in the kernel, which left alone would take megabytes.
func TestTheKernelHoldsLittle(t *testing.T) {
	f := start(t)
	client, session := f.webSocket()
	if tcp, ok := client.Conn().(*net.TCPConn); !ok || tcp.SetReadBuffer(4<<10) != nil {
		t.Fatal("the client's read buffer cannot be made small")
	}
	filler := engineio.TextMessage([]byte(strings.Repeat("x", 10_000)))
	for sent := 0; session.Queued() == 0; sent += 10_000 {
		if sent > 1<<20 {
			t.Fatalf("%d bytes taken for a client that does not read", sent)
		}
		if err := session.Send(filler); err != nil {
			t.Fatal(err)
		}
	}
	session.Shed()
}
