package e2e_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/test/harness"
	"rolecall/test/servers"
	"rolecall/test/wiretest"
)

// threeNodes starts three servers that hear each other.
func threeNodes(t *testing.T, redis *servers.Redis, change func(c *config.Config)) []*harness.Server {
	t.Helper()
	all := make([]*harness.Server, 3)
	for i := range all {
		all[i] = harness.Start(t, func(c *config.Config) {
			c.RedisURL, c.NodeName = redis.URL, fmt.Sprintf("n%d", i)
			if change != nil {
				change(c)
			}
		})
	}
	for _, node := range all {
		harness.Eventually(t, "the nodes hear each other", func() bool { return readyStatus(t, node) == "ready" })
	}
	return all
}

// socketsOn counts a user's sockets on all nodes.
func socketsOn(nodes []*harness.Server, userID string) int {
	n := 0
	for _, node := range nodes {
		n += node.SocketCount(roles.UserRoom(userID))
	}
	return n
}

// rush connects a user so many times at once, over all nodes, and returns the sockets that were let in; the others must have
// been refused for their number.
func rush(t *testing.T, nodes []*harness.Server, who string, times int) []*harness.Socket {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	var in []*harness.Socket
	for i := range times {
		all.Go(func() {
			socket, err := nodes[i%len(nodes)].TryDial(harness.Person(who, roles.Driver, "acme"), "/")
			if err != nil {
				if !harness.IsRefused(err, "too_many_connections") {
					t.Errorf("refused: %v", err)
				}
				return
			}
			mu.Lock()
			defer mu.Unlock()
			in = append(in, socket)
		})
	}
	all.Wait()
	return in
}

// TestSocketsOfAUserOnAllNodes: a user has so many sockets on all nodes together, however many come at once and wherever; of
// those as many as may be are let in. Without Redis each node counts its own, and refuses nobody for want of an answer.
func TestSocketsOfAUserOnAllNodes(t *testing.T) {
	t.Parallel()
	harness.RunsOnce(t)
	const most = 5
	redis := servers.StartRedis(t)
	nodes := threeNodes(t, redis, func(c *config.Config) { c.MaxSocketsPerUser = most })
	for round := range 5 {
		user := fmt.Sprintf("amy%d", round)
		in := rush(t, nodes, user, 18)
		if n := socketsOn(nodes, user); len(in) != most || n != most {
			t.Fatalf("%d were let in, %d are there, want %d", len(in), n, most)
		}
		in[0].Close()
		harness.Eventually(t, "one has gone", func() bool { return socketsOn(nodes, user) == most-1 })
		if again := rush(t, nodes, user, 6); len(again) != 1 {
			t.Errorf("%d came in the place of one", len(again))
		}
	}

	redis.Freeze()
	for i, node := range nodes { // nobody answers: each node counts its own, whether it knows already or not
		for range most {
			node.Dial(harness.Person("bob", roles.Driver, "acme"), "/")
		}
		if _, err := node.TryDial(harness.Person("bob", roles.Driver, "acme"), "/"); !harness.IsRefused(err, "too_many_connections") {
			t.Errorf("node %d: one too many without Redis: %v", i, err)
		}
	}
	redis.Thaw()
}

// TestSilentSocketsElsewhereMakeRoom: the oldest socket of a user that answers no ping makes room for a new one, on whichever
// node either is.
func TestSilentSocketsElsewhereMakeRoom(t *testing.T) {
	t.Parallel()
	harness.RunsOnce(t)
	if harness.Engine() == "zishang520" {
		t.Skip("the library sends pings by its own clock alone")
	}
	redis := servers.StartRedis(t)
	nodes := threeNodes(t, redis, func(c *config.Config) { c.MaxSocketsPerUser = 3 })
	phone := harness.Person("phone", roles.Driver, "acme")
	nodes[0].Dial(phone, "/tracking") // the oldest of all, and alive
	var silent []*wiretest.WebSocket
	for i := range 2 {
		client := wiretest.Dial(t, nodes[i].URL+"/socket.io/?EIO=4&transport=websocket")
		client.Read()
		client.Send(`40/tracking,{"token":"` + harness.Token(t, phone) + `"}`)
		if answer := client.Read(); !strings.HasPrefix(answer, "40/tracking,{") {
			t.Fatalf("CONNECT was answered with %s", answer)
		}
		silent = append(silent, client)
	}
	began := time.Now()
	nodes[2].Dial(phone, "/tracking") // for which those are pinged that are elsewhere
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("a place was made after %s, before anybody can have been found to be silent", took)
	}
	closed(t, silent[0])
	nodes[2].Dial(phone, "/tracking")
	closed(t, silent[1])
	harness.Eventually(t, "three are left", func() bool { return socketsOn(nodes, "phone") == 3 })
	if refused := rush(t, nodes, "phone", 3); len(refused) != 0 {
		t.Errorf("%d more were let in, though all three answer", len(refused))
	}
}

// closed reads what a connection still has to tell, until its end.
func closed(t *testing.T, client *wiretest.WebSocket) {
	t.Helper()
	for range 20 {
		if _, _, err := client.TryRead(); err != nil {
			return
		}
	}
	t.Error("the connection is still open")
}
