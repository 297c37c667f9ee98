package e2e_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"rolecall/internal/config"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/test/harness"
	"rolecall/test/servers"
)

// grantedOf has a user write so many messages by each of several sockets at once, and counts those that were taken.
func grantedOf(t *testing.T, sockets []*harness.Socket, each int) int {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	granted := 0
	for s, socket := range sockets {
		all.Go(func() {
			for i := range each {
				ack := socket.Ask("chat:message", map[string]any{"roomId": "yard", "text": fmt.Sprintf("%d from %d", i, s)})
				switch {
				case ack.Status == "ok":
					mu.Lock()
					granted++
					mu.Unlock()
				case ack.Code != "rate_limited":
					t.Errorf("refused: %s", ack.Raw)
				}
			}
		})
	}
	all.Wait()
	return granted
}

// TestRatesOfAllNodes: what a user may do counts on two nodes together where that is wanted, to within a credit for each; without
// Redis each node counts its own.
func TestRatesOfAllNodes(t *testing.T) {
	t.Parallel()
	rate := limit.Rate{Requests: 1, Period: time.Hour, Burst: 20}
	redis := servers.StartRedis(t)
	nodes := threeNodes(t, redis, func(c *config.Config) {
		c.RateShared = true
		c.Rates[limit.Chat] = rate
	})[:2]
	dial := func(who string) []*harness.Socket {
		sockets := make([]*harness.Socket, len(nodes))
		for i, node := range nodes {
			sockets[i] = node.Dial(harness.Person(who, roles.Driver, "acme"), "/")
			if ack := sockets[i].Ask("room:join", "yard"); ack.Status != "ok" {
				t.Fatalf("join: %s", ack.Raw)
			}
		}
		return sockets
	}
	harness.Eventually(t, "rates are counted together", func() bool { // each node has reached Redis
		return len(statsOf(t, nodes[0]).Nodes) == 3 && len(statsOf(t, nodes[1]).Nodes) == 3
	})
	for i, who := range []string{"amy", "ann", "art"} {
		granted := grantedOf(t, dial(who), 2*rate.Burst)
		if most := rate.Burst + len(nodes)*rate.Credit(); granted < rate.Burst || granted > most {
			t.Errorf("user %d was granted %d, want %d to %d", i, granted, rate.Burst, most)
		}
		if more := grantedOf(t, dial(who), 5); more != 0 {
			t.Errorf("user %d was granted %d more", i, more)
		}
	}

	redis.Kill()
	if granted := grantedOf(t, dial("cy"), 2*rate.Burst); granted != len(nodes)*rate.Burst {
		t.Errorf("without Redis %d were granted, want %d", granted, len(nodes)*rate.Burst)
	}
}
