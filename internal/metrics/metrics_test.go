package metrics_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rolecall/internal/disk"
	"rolecall/internal/limit"
	"rolecall/internal/metrics"
	"rolecall/internal/roles"
)

// hot is what is called for every event, socket, request and commit.
func hot(m *metrics.Metrics) map[string]func() {
	event, namespace, commits := m.Event("chat:message"), m.Namespace("/chat"), m.Commits("chat")
	return map[string]func(){
		"event answered": func() { event.Answered(3 * time.Millisecond) },
		"event refused":  func() { event.Refused("rate_limited", time.Millisecond) },
		"limit":          func() { m.LimitHit(limit.Chat) },
		"let in":         func() { namespace.LetIn(time.Millisecond) },
		"open and close": func() { namespace.Opened(roles.Driver); namespace.Closed(roles.Driver) },
		"commit":         func() { commits.Committed(100, 5*time.Millisecond, nil) },
		"request":        func() { m.Request(http.MethodGet, "/api/v1/me", 200, time.Millisecond) },
	}
}

// What is counted for every event makes no garbage.
func TestCountingAllocatesNothing(t *testing.T) {
	for name, count := range hot(metrics.New()) {
		if allocations := testing.AllocsPerRun(1000, count); allocations > 0 {
			t.Errorf("%s: %v allocations", name, allocations)
		}
	}
}

func BenchmarkCounting(b *testing.B) {
	for name, count := range hot(metrics.New()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				count()
			}
		})
		b.Run(name+", from all processors", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(each *testing.PB) {
				for each.Next() {
					count()
				}
			})
		})
	}
}

func scrape(t *testing.T, m *metrics.Metrics, log *slog.Logger) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler(log).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("answered with %d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

// A source that fails is left out and named in the log; the others are told.
func TestSourceThatFails(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	m := metrics.New()
	m.Watch(metrics.Sources{
		Connections:  func() int { return 7 },
		Disk:         func() (disk.Space, error) { return disk.Space{}, errors.New("no such disk") },
		DatabaseSize: func(context.Context) (int64, error) { return 0, errors.New("no such database") },
		Stored:       func(context.Context) error { return errors.New("down") },
		Ready:        func(context.Context) error { return nil },
	})
	seen := scrape(t, m, slog.New(slog.NewTextHandler(&lines, nil)))
	for _, line := range []string{"rolecall_connections 7\n", "rolecall_database_up 0\n", "rolecall_ready 1\n"} {
		if !strings.Contains(seen, "\n"+line) {
			t.Errorf("no line %q in %s", line, seen)
		}
	}
	for _, name := range []string{"rolecall_disk_free_bytes", "rolecall_database_size_bytes", "rolecall_bus_nodes", "rolecall_queued_bytes"} {
		if strings.Contains(seen, name) {
			t.Errorf("%s is told, which is not known", name)
		}
	}
	if !strings.Contains(lines.String(), "no such disk") || !strings.Contains(lines.String(), "no such database") {
		t.Errorf("the log has %s", lines.String())
	}
}

// Whatever a client sends as a method, there are few series.
func TestMethodsAreFew(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	for _, method := range []string{"GET", "BREW", "ANYTHING", "get"} {
		m.Request(method, "/api/v1/me", 405, time.Millisecond)
	}
	if got := strings.Count(scrape(t, m, slog.New(slog.DiscardHandler)), "\nrolecall_http_requests_total{"); got != 2 {
		t.Errorf("%d series of requests, want those of GET and OTHER", got)
	}
}

// A run of retention that failed is told apart from those that came to their end.
func TestSwept(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	m.Swept("positions", 5, nil)
	m.Swept("positions", 2, errors.New("disk"))
	seen := scrape(t, m, slog.New(slog.DiscardHandler))
	for _, line := range []string{
		`rolecall_retention_deleted_total{what="positions"} 7`,
		`rolecall_retention_runs_total{outcome="failed",what="positions"} 1`,
		`rolecall_retention_runs_total{outcome="ok",what="positions"} 1`,
	} {
		if !strings.Contains(seen, line) {
			t.Errorf("no line %q", line)
		}
	}
}
