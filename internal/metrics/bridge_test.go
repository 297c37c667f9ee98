package metrics_test

import (
	"log/slog"
	"strings"
	"testing"

	"rolecall/internal/metrics"
)

// What is shared with servers of other kinds is told, with the reason of what was refused.
func TestBridge(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	m.WatchBridge(func() metrics.BridgeFigures {
		return metrics.BridgeFigures{
			Connected: true, Published: 1, Received: 2, Delivered: 3, Requests: 4, Dropped: 5, Overflowed: 6, Unanswered: 7,
			Refused: map[string]int64{"room": 8, "event": 0},
		}
	})
	seen := scrape(t, m, slog.New(slog.DiscardHandler))
	for _, line := range []string{
		"connected 1", "published_total 1", "received_total 2", "delivered_total 3", "requests_total 4",
		`lost_total{direction="out"} 5`, `lost_total{direction="in"} 6`, "unanswered_total 7",
		`refused_total{reason="room"} 8`, `refused_total{reason="event"} 0`,
	} {
		if !strings.Contains(seen, "\nrolecall_bridge_"+line+"\n") {
			t.Errorf("no line %q in %s", line, seen)
		}
	}
}
