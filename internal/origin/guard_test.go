package origin_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"rolecall/internal/origin"
)

// TestGuard: whoever runs the server learns which page is kept out, and is not flooded with it.
func TestGuard(t *testing.T) {
	var log bytes.Buffer
	now := time.Now()
	guard := origin.NewGuard(origin.NewPolicy([]string{"https://friend.example"}), slog.New(slog.NewTextHandler(&log, nil)),
		func() time.Time { return now })
	ask := func(from string) bool {
		return guard.Allows(&http.Request{Host: "app.example", Header: http.Header{"Origin": {from}}})
	}
	if !ask("https://friend.example") || !ask("https://app.example") || log.Len() > 0 {
		t.Fatalf("a page that may connect: %s", &log)
	}
	evil := "https://evil.example\n" + strings.Repeat("x", 10_000)
	for range 1000 {
		if ask(evil) {
			t.Fatal("a stranger may connect")
		}
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), "count=1") || log.Len() > 1000 {
		t.Errorf("%d lines of %d bytes: %.300s", lines, log.Len(), &log)
	}
	now = now.Add(time.Hour)
	ask(evil)
	if lines := strings.Count(log.String(), "\n"); lines != 2 || !strings.Contains(log.String(), "count=1000") {
		t.Errorf("%d lines: %.900s", lines, &log)
	}
}
