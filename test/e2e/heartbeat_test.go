package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"rolecall/internal/config"
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
