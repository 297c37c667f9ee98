//go:build unix

package e2e_test

import (
	"fmt"
	"testing"

	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/test/harness"
	"rolecall/test/servers"
)

// TestTwoNodesOverOneDatabase: people on two servers that share a database and Redis hear each room's messages once and in
// order, and each notice; also those of a time in which the servers did not hear each other.
func TestTwoNodesOverOneDatabase(t *testing.T) {
	harness.RunsOnce(t)
	server, database := servers.StartRedis(t), servers.Database(t)
	shared := func(c *config.Config) { c.RedisURL, c.DatabaseURL = server.URL, database }
	a, b := harness.Start(t, shared), harness.Start(t, shared)
	areReady := func() bool { return readyStatus(t, a) == "ready" && readyStatus(t, b) == "ready" }
	harness.Eventually(t, "the nodes hear each other", areReady)

	amy, bob := harness.Person("amy", roles.Vendor, ""), harness.Person("bob", roles.Vendor, "")
	here, there := a.Dial(amy, "/"), b.Dial(bob, "/")
	inbox, elsewhere := a.Dial(amy, "/notifications"), b.Dial(bob, "/notifications")
	inbox.Fence()
	elsewhere.Fence()
	joins := func(s *harness.Socket) {
		t.Helper()
		if ack := s.Ask("room:join", "lobby"); ack.Status != "ok" {
			t.Fatalf("join: %s", ack.Raw)
		}
	}
	joins(here)
	joins(there)
	type said struct {
		Seq  int64  `json:"seq"`
		Text string `json:"text"`
	}
	sent := int64(0)
	say := func(s *harness.Socket) {
		t.Helper()
		sent++
		if ack := s.Ask("chat:message", map[string]any{"roomId": "lobby", "text": fmt.Sprint(sent)}); ack.Status != "ok" {
			t.Fatalf("message refused: %s", ack.Raw)
		}
	}
	heard := int64(0)
	all := func(when string) {
		t.Helper()
		for heard < sent {
			heard++
			for who, s := range map[string]*harness.Socket{"amy": here, "bob": there} {
				if m := harness.Heard[said](s, "chat:message"); m.Seq != heard || m.Text != fmt.Sprint(heard) {
					t.Fatalf("%s: %s heard %+v, want message %d", when, who, m, heard)
				}
			}
		}
	}
	for range 10 {
		say(here)
		say(there)
	}
	all("in quiet times")

	server.Kill()
	harness.Eventually(t, "the nodes do not hear each other", func() bool {
		return readyStatus(t, a) == "degraded" && readyStatus(t, b) == "degraded"
	})
	say(here)
	say(there)
	say(here)
	boss := harness.Person("boss", roles.Admin, "")
	if ack := a.Dial(boss, "/notifications").Ask("system:broadcast", map[string]any{
		"title": "while apart", "audience": map[string]any{"all": true},
	}); ack.Status != "ok" {
		t.Fatalf("notice refused: %s", ack.Raw)
	}
	server.Start()
	harness.Eventually(t, "the nodes hear each other again", areReady)
	all("after the outage")
	type notice struct {
		Title string `json:"title"`
	}
	for who, s := range map[string]*harness.Socket{
		"amy": here, "amy, by /notifications": inbox, "bob": there, "bob, by /notifications": elsewhere,
	} {
		if told := harness.Heard[notice](s, "system:notice"); told.Title != "while apart" {
			t.Errorf("%s was told %+v", who, told)
		}
	}
}
