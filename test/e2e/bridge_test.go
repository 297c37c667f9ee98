//go:build unix

package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/rueidis"

	"rolecall/internal/bridge/wire"
	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/test/harness"
	"rolecall/test/servers"
)

// eavesdropper keeps what is published for servers of Socket.IO on Node.js.
type eavesdropper struct {
	t     *testing.T
	mu    sync.Mutex
	heard []wire.Broadcast
}

func eavesdrop(t *testing.T, url string) *eavesdropper {
	t.Helper()
	e := &eavesdropper{t: t}
	servers.ListenRedis(t, url, "socket.io#*", func(m rueidis.PubSubMessage) {
		sent, err := wire.DecodeBroadcast([]byte(m.Message))
		if err != nil {
			t.Errorf("on %s came what no server reads: %v", m.Channel, err)
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.heard = append(e.heard, sent)
	})
	return e
}

// count counts how often something was published: by event, namespace, rooms and payload.
func (e *eavesdropper) count() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	counted := make(map[string]int)
	for i := range e.heard {
		sent := &e.heard[i]
		rooms := slices.Sorted(slices.Values(sent.Rooms))
		counted[fmt.Sprintf("%s %s %s %s", sent.Event, sent.Namespace, rooms, sent.JSON)]++
	}
	return counted
}

// events is how many different things of an event were published in a namespace.
func (e *eavesdropper) events(event, namespace string) (n int) {
	for what := range e.count() {
		if strings.HasPrefix(what, event+" "+namespace+" ") {
			n++
		}
	}
	return n
}

// What two servers over one database tell is published once for servers on Node.js, whichever of the two has made it, and
// positions not at all.
func TestTwoNodesPublishOnceForOthers(t *testing.T) {
	redis, database := servers.StartRedis(t), servers.Database(t)
	outside := eavesdrop(t, redis.URL)
	shared := func(c *config.Config) {
		c.RedisURL, c.DatabaseURL, c.RedisBridge = redis.URL, database, []string{"chat", "notices"}
	}
	a, b := harness.Start(t, shared), harness.Start(t, shared)
	harness.Eventually(t, "the nodes hear each other", func() bool { return readyStatus(t, a) == "ready" && readyStatus(t, b) == "ready" })
	amy, bob := harness.Person("amy", roles.Vendor, ""), harness.Person("bob", roles.Vendor, "")
	here, there := a.Dial(amy, "/"), b.Dial(bob, "/")
	must := func(s *harness.Socket, event string, payload any) {
		t.Helper()
		if ack := s.Ask(event, payload); ack.Status != "ok" {
			t.Fatalf("%s: %s", event, ack.Raw)
		}
	}
	must(here, "room:join", "lobby")
	must(there, "room:join", "lobby")
	const each = 10
	for i := range each {
		must(here, "chat:message", map[string]any{"roomId": "lobby", "text": fmt.Sprint("here ", i)})
		must(there, "chat:message", map[string]any{"roomId": "lobby", "text": fmt.Sprint("there ", i)})
		must(there, "chat:message", map[string]any{"to": "amy", "text": fmt.Sprint("direct ", i)})
	}
	boss := a.Dial(harness.Person("boss", roles.Admin, ""), "/")
	far := b.Dial(harness.Person("chief", roles.Admin, ""), "/")
	for i := range each {
		must([]*harness.Socket{boss, far}[i%2], "system:broadcast", map[string]any{
			"title": fmt.Sprint(i), "audience": map[string]any{"users": []string{"amy", "bob"}},
		})
	}
	must(here, "system:read", map[string]any{"all": true})
	driver := a.Dial(harness.Person("d", roles.Driver, "acme"), "/")
	must(driver, "tracking:update", map[string]any{"lat": 50, "lng": 8})

	harness.Eventually(t, "all of it is published", func() bool {
		return outside.events("chat:message", "/") >= 3*each && outside.events("chat:message", "/chat") >= 3*each &&
			outside.events("system:notice", "/") >= each && outside.events("system:notice", "/notifications") >= each &&
			outside.events("system:unread", "/") >= 1
	})
	a.Stop()
	b.Stop() // after which nothing more comes
	for what, times := range outside.count() {
		if times != 1 && !strings.HasPrefix(what, "presence:") {
			t.Errorf("published %d times: %s", times, what)
		}
		if strings.HasPrefix(what, "tracking:") || strings.Contains(what, "/tracking") {
			t.Errorf("published: %s", what)
		}
	}
}
