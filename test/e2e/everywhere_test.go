package e2e_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"rolecall/internal/bus/local"
	"rolecall/internal/bus/redis"
	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
	"rolecall/internal/roles"
	"rolecall/internal/services/administration"
	"rolecall/test/harness"
	"rolecall/test/servers"
)

// statsOf asks a node how all are doing.
func statsOf(t *testing.T, node *harness.Server) administration.Stats {
	t.Helper()
	answer := node.REST(http.MethodGet, "/api/v1/stats", harness.Person("root", roles.Admin, ""), nil)
	if answer.Status != http.StatusOK {
		t.Fatalf("stats: %d %s", answer.Status, answer.Body)
	}
	return harness.Decode[administration.Stats](t, answer.Body)
}

// namesOf are the nodes that have answered.
func namesOf(stats *administration.Stats) []string {
	names := make([]string, len(stats.Nodes))
	for i := range stats.Nodes {
		names[i] = stats.Nodes[i].Node
	}
	return names
}

// mute joins the nodes of a Redis and answers nothing, until the test calls leave.
func mute(t *testing.T, url, name string) (leave func()) {
	t.Helper()
	made, err := redis.New(redis.Options{URL: url, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	made.Attach(local.New(native.New(realtime.Options{})))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		made.Run(ctx)
		made.Close()
	}()
	left := false
	leave = func() {
		if !left {
			left = true
			stop()
			<-done
		}
	}
	t.Cleanup(leave)
	return leave
}

// TestAdministrationOfAllNodes: whichever node an admin asks tells of all, and has somebody's sockets end on all.
func TestAdministrationOfAllNodes(t *testing.T) {
	t.Parallel()
	harness.RunsOnce(t)
	server := servers.StartRedis(t)
	nodes := threeNodes(t, server, nil)
	amy, driver := harness.Person("amy", roles.Company, "acme"), harness.Person("d1", roles.Driver, "acme")
	boss := harness.Person("root", roles.Admin, "")
	at := []*harness.Socket{nodes[0].Dial(amy, "/"), nodes[1].Dial(amy, "/chat")}
	phone := nodes[1].Dial(driver, "/")
	if ack := phone.Ask("tracking:update", map[string]any{"lat": 1.5, "lng": 2.5, "ts": time.Now().UnixMilli()}); ack.Status != "ok" {
		t.Fatalf("position refused: %s", ack.Raw)
	}

	for i, node := range nodes {
		harness.Eventually(t, "a node counts them all", func() bool {
			stats := statsOf(t, node)
			return stats.Connections == 3 && stats.UsersOnline == 2 && stats.Drivers["online"] == 1 && stats.Drivers["offline"] == 0 &&
				stats.Sockets["/"][roles.Company] == 1 && stats.Sockets["/chat"][roles.Company] == 1 && stats.Sockets["/"][roles.Driver] == 1
		})
		stats := statsOf(t, node)
		if names := namesOf(&stats); !slices.Equal(names, []string{"n0", "n1", "n2"}) || len(stats.Unanswered) != 0 || !stats.Nodes[i].Self {
			t.Errorf("node %d: %v have answered, %v have not", i, names, stats.Unanswered)
		}
		if of := stats.Nodes[1]; of.Connections != 2 || of.UsersOnline != 2 || of.Drivers["online"] != 1 {
			t.Errorf("node 1 as node %d tells of it: %+v", i, of)
		}
		list := harness.Decode[administration.SocketList](t, node.REST(http.MethodGet, harness.Path("users", "amy", "sockets"), boss, nil).Body)
		if list.Total != 2 || len(list.Items) != 2 || list.Items[0].Node != "n1" || list.Items[0].Namespace != "/chat" || list.Items[1].Node != "n0" {
			t.Errorf("sockets by node %d: %+v", i, list)
		}
	}

	leave := mute(t, server.URL, "mute")
	harness.Eventually(t, "who does not answer is named", func() bool { return slices.Equal(statsOf(t, nodes[0]).Unanswered, []string{"mute"}) })
	list := harness.Decode[administration.SocketList](t, nodes[2].REST(http.MethodGet, harness.Path("users", "amy", "sockets"), boss, nil).Body)
	if list.Total != 2 || !slices.Equal(list.Unanswered, []string{"mute"}) {
		t.Errorf("sockets beside one who does not answer: %+v", list)
	}
	leave()
	harness.Eventually(t, "who has left is not", func() bool { return len(statsOf(t, nodes[0]).Unanswered) == 0 })

	if answer := nodes[2].REST(http.MethodPost, harness.Path("users", "amy", "disconnect"), boss, nil); answer.Status != http.StatusOK {
		t.Fatalf("disconnect: %d %s", answer.Status, answer.Body)
	}
	ended(t, at...)
	phone.Fence()
	if answer := nodes[2].REST(http.MethodPost, harness.Path("users", "d1", "revoke"), boss, nil); answer.Status != http.StatusOK {
		t.Fatalf("revoke: %d %s", answer.Status, answer.Body)
	}
	ended(t, phone)
	for i, node := range nodes {
		if _, err := node.TryDial(driver, "/"); !harness.IsRefused(err, "auth_invalid") {
			t.Errorf("node %d lets a revoked token in: %v", i, err)
		}
	}

	server.Kill()
	harness.Eventually(t, "without Redis a node tells of itself", func() bool {
		stats := statsOf(t, nodes[0])
		names := namesOf(&stats)
		return !stats.Bus.OK && slices.Equal(names, []string{"n0"})
	})
}

// ended waits for the end of sockets.
func ended(t *testing.T, sockets ...*harness.Socket) {
	t.Helper()
	late := time.After(harness.Deadline)
	for i, socket := range sockets {
		select {
		case <-socket.Done():
		case <-late:
			t.Fatalf("socket %d is still there", i)
		}
	}
}
