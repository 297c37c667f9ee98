//go:build linux

package target_test

import (
	"net"
	"sync"
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
	server, err := workshop.Start(t.Context(), target.HubDirect, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	connection, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := server.Alive(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(server.PID(), syscall.SIGKILL); err != nil {
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
	if connection, err := net.Dial("tcp", server.Addr().String()); err == nil {
		t.Error("something still listens")
		_ = connection.Close()
	}
}

// Two nodes with PostgreSQL and Redis know of each other, keep what they store, and leave nothing behind.
func TestPair(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a server")
	}
	workshop, err := target.Build(t.Context(), "../..", t.TempDir(), []target.Name{target.RolecallPair})
	if err != nil {
		t.Fatal(err)
	}
	server, err := workshop.Start(t.Context(), target.RolecallPair, target.Options{Metrics: true})
	if err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	defer stop()
	for i, node := range server.Nodes {
		if nodes, err := node.Metric(t.Context(), "rolecall_bus_nodes"); err != nil || nodes != 2 {
			t.Errorf("node %d sees %g nodes: %v", i, nodes, err)
		}
		if _, err := node.Metric(t.Context(), "rolecall_nonsense"); err == nil {
			t.Error("a metric that there is not has a value")
		}
	}
	stored, err := server.Stored(t.Context())
	if err != nil || stored.Positions != 0 || stored.Messages != 0 || stored.Bytes == 0 || stored.LogBytes == 0 {
		t.Errorf("stored is %+v: %v", stored, err)
	}
	used, err := server.Backing()
	if err != nil || used.Postgres == 0 || used.Redis == 0 {
		t.Errorf("what stands behind it has used %+v: %v", used, err)
	}
	if cpu, err := server.CPU(); err != nil || cpu == 0 {
		t.Errorf("it has used %v: %v", cpu, err)
	}
	if err := server.Alive(); err != nil {
		t.Error(err)
	}
	stop()
	if server.Alive() == nil {
		t.Error("a server that has ended counts as alive")
	}
}
