//go:build unix

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/test/harness"
	"rolecall/test/servers"
)

// TestDatabaseStopsAndComesBack: PostgreSQL is stopped, and then killed, while people write to it. What is refused meanwhile is
// refused as unavailable, /readyz says why, and when the database is there again the server goes on by itself: everything that
// was acknowledged is there, once, and what clients send again under the same id is, too.
func TestDatabaseStopsAndComesBack(t *testing.T) {
	database := servers.StartPostgres(t)
	server := harness.Start(t, func(c *config.Config) { c.DatabaseURL = database.Database() })
	const writers = 4
	var acked, refused atomic.Int64
	var ended atomic.Bool
	sent := make([][]string, writers)
	var writing sync.WaitGroup
	for i := range writers {
		socket := server.Dial(harness.Person(fmt.Sprintf("writer-%d", i), roles.Vendor, ""), "/")
		writing.Go(func() {
			for n := 0; !ended.Load(); n++ {
				id := fmt.Sprintf("%d-%d", i, n)
				for !ended.Load() {
					ack := socket.Ask("chat:message", map[string]any{"roomId": "crash", "text": id, "clientId": id})
					if ack.Status == "ok" {
						sent[i] = append(sent[i], id)
						acked.Add(1)
						break
					}
					if refused.Add(1); ack.Code != "unavailable" {
						t.Errorf("a message was refused: %s", ack.Raw)
						return
					}
				}
			}
		})
	}
	for _, end := range []func(){database.Stop, database.Kill} {
		before := acked.Load()
		server.Eventually("people write", func() bool { return acked.Load() > before+50 })
		end()
		missed := refused.Load()
		server.Eventually("it is noticed", func() bool { return refused.Load() > missed+writers })
		if status, sentence := readiness(t, server); status != http.StatusServiceUnavailable || !strings.Contains(sentence, "database cannot be reached") {
			t.Errorf("/readyz: %d %q", status, sentence)
		}
		database.Start()
		server.Eventually("it is ready again", func() bool {
			status, _ := readiness(t, server)
			return status == http.StatusOK
		})
	}
	after := acked.Load()
	server.Eventually("people write again", func() bool { return acked.Load() > after+50 })
	ended.Store(true)
	writing.Wait()
	found := make(map[string]int)
	for i, m := range allMessages(t.Context(), t, server.URL) {
		if found[m.Text]++; m.Seq != int64(i+1) {
			t.Fatalf("the sequence has a gap: message %d is seq %d", i+1, m.Seq)
		}
	}
	for i := range writers {
		for _, id := range sent[i] {
			if found[id] != 1 {
				t.Fatalf("the acknowledged message %s is there %d times", id, found[id])
			}
		}
	}
}
