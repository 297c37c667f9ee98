package e2e_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/test/harness"
	"rolecall/test/servers"
)

type shownPerson struct {
	UserID string `json:"userId"`
}

// readyStatus is what /readyz says.
func readyStatus(t *testing.T, server *harness.Server) string {
	t.Helper()
	answer := server.RESTWith(http.MethodGet, "/readyz", "", nil)
	if answer.Status != http.StatusOK {
		t.Errorf("/readyz: %d", answer.Status)
	}
	return harness.Decode[struct {
		Status string `json:"status"`
	}](t, answer.Body).Status
}

// TestTwoNodes: who is connected to one node is shown what comes in on another, sees who comes and goes there, and is told
// once; without Redis each node goes on, and says so.
func TestTwoNodes(t *testing.T) {
	harness.RunsOnce(t)
	server := servers.StartRedis(t)
	shared := func(c *config.Config) { c.RedisURL = server.URL }
	a, b := harness.Start(t, shared), harness.Start(t, shared)
	boss := b.Dial(harness.Person("boss", roles.Company, "acme"), "/")
	harness.Eventually(t, "the nodes hear each other", func() bool {
		return readyStatus(t, a) == "ready" && readyStatus(t, b) == "ready"
	})

	driver := harness.Person("d1", roles.Driver, "acme")
	phone := a.Dial(driver, "/")
	if came := harness.Heard[shownPerson](boss, "presence:online"); came.UserID != "d1" {
		t.Errorf("%s came", came.UserID)
	}
	if ack := phone.Ask("tracking:update", map[string]any{"lat": 1.5, "lng": 2.5, "ts": time.Now().UnixMilli()}); ack.Status != "ok" {
		t.Fatalf("position refused: %s", ack.Raw)
	}
	shown := harness.Heard[struct {
		Positions []struct {
			DriverID string `json:"driverId"`
		} `json:"positions"`
	}](boss, "tracking:positions")
	if len(shown.Positions) != 1 || shown.Positions[0].DriverID != "d1" {
		t.Errorf("shown: %+v", shown)
	}

	// A second phone on the other node, and the end of the first: nobody is told that the driver has gone.
	second := b.Dial(driver, "/")
	phone.Close()
	harness.Eventually(t, "the first phone has gone", func() bool { return a.SocketCount(roles.UserRoom("d1")) == 0 })
	a.Dial(harness.Person("d9", roles.Driver, "acme"), "/")
	for came := (shownPerson{}); came.UserID != "d9"; { // that the driver is there may be told again
		came = harness.Heard[shownPerson](boss, "presence:online")
	}
	boss.HeardNothing("presence:offline")
	second.Close()
	if gone := harness.Heard[shownPerson](boss, "presence:offline"); gone.UserID != "d1" {
		t.Errorf("%s has gone", gone.UserID)
	}

	server.Kill()
	harness.Eventually(t, "the nodes say that they are alone", func() bool {
		return readyStatus(t, a) == "degraded" && readyStatus(t, b) == "degraded"
	})
	there := b.Dial(harness.Person("d2", roles.Driver, "acme"), "/")
	if came := harness.Heard[shownPerson](boss, "presence:online"); came.UserID != "d2" {
		t.Errorf("%s came", came.UserID)
	}
	there.Fence()
	server.Start()
	// The watcher is told anew who is there: what it was told while there was no Redis may have lacked something.
	for list := []shownPerson(nil); !slices.Contains(list, shownPerson{"d2"}); {
		list = harness.Heard[[]shownPerson](boss, "presence:list")
	}
	harness.Eventually(t, "the nodes hear each other again", func() bool {
		return readyStatus(t, a) == "ready" && readyStatus(t, b) == "ready"
	})
	a.Dial(harness.Person("d3", roles.Driver, "acme"), "/")
	for came := (shownPerson{}); came.UserID != "d3"; {
		came = harness.Heard[shownPerson](boss, "presence:online")
	}
}
