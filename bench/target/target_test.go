//go:build linux

package target_test

import (
	"net"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rolecall/bench/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A server takes connections when Start returns, is known to have died when it has, and is gone after Stop.
func TestLifeOfAServer(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a server")
	}
	workshop, err := target.Build(t.Context(), "../..", t.TempDir(), []target.Name{target.HubDirect})
	if err != nil {
		t.Fatal(err)
	}
	server, err := workshop.Start(t.Context(), target.HubDirect)
	if err != nil {
		t.Fatal(err)
	}
	connection, err := net.Dial("tcp", server.Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := server.Alive(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(server.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-server.Ended():
	case <-time.After(10 * time.Second):
		t.Fatal("a killed server counts as alive")
	}
	if server.Alive() == nil {
		t.Error("a server that has ended counts as alive")
	}
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
	if connection, err := net.Dial("tcp", server.Addr.String()); err == nil {
		t.Error("something still listens")
		_ = connection.Close()
	}
}
