package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/test/harness"
	"rolecall/test/wiretest"
)

// TestHeartbeat: what is configured is what clients are told, and what is kept to.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	server := harness.Start(t, func(c *config.Config) {
		c.PingInterval, c.PingTimeout = 150*time.Millisecond, 250*time.Millisecond
	})
	client := wiretest.Dial(t, server.URL+webSocketHandshake)
	var open struct{ PingInterval, PingTimeout int }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(client.Read(), "0")), &open); err != nil || open.PingInterval != 150 || open.PingTimeout != 250 {
		t.Errorf("told of %+v, %v", open, err)
	}
	for range 2 { // and again, since it was answered
		if ping, _, err := client.TryRead(); ping != "2" || err != nil {
			t.Fatalf("read %q, %v", ping, err)
		}
		client.Send("3")
	}
	client.ReadClose() // and no more, since it was not
}

// TestSilentSocketsMakeRoom: who has as many sockets as may be comes in again in the place of the oldest of those that have
// not answered their last ping.
func TestSilentSocketsMakeRoom(t *testing.T) {
	t.Parallel()
	server := harness.Start(t, func(c *config.Config) {
		c.PingInterval, c.PingTimeout, c.MaxSocketsPerUser = 100*time.Millisecond, time.Minute, 3
	})
	phone := harness.Person("phone", roles.Driver, "acme")
	server.Dial(phone, "/tracking") // answers its pings
	var silent []*wiretest.WebSocket
	for range 2 {
		client := wiretest.Dial(t, server.URL+webSocketHandshake)
		client.Read()
		client.Send(`40/tracking,{"token":"` + harness.Token(t, phone) + `"}`)
		if answer := client.Read(); !strings.HasPrefix(answer, "40/tracking,{") {
			t.Fatalf("CONNECT was answered with %s", answer)
		}
		if ping, _, err := client.TryRead(); ping != "2" || err != nil {
			t.Fatalf("read %q, %v", ping, err)
		}
		silent = append(silent, client)
	}
	server.Dial(phone, "/tracking")
	silent[0].ReadClose()
	server.Dial(phone, "/")
	silent[1].ReadClose()
	server.Eventually("three sockets are left", func() bool {
		return server.SocketCount(roles.UserRoom("phone")) == 3
	})
	if _, err := server.TryDial(phone, "/"); err == nil {
		t.Error("a fourth was let in, though all three answer")
	}
}
