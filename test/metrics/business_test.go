package metrics

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// watched starts a server that operators can look into.
func watched(t *testing.T, change func(c *config.Config)) *harness.Server {
	t.Helper()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return harness.Start(t, func(c *config.Config) {
		c.AdminAddr = "127.0.0.1:0"
		if change != nil {
			change(c)
		}
	})
}

// do is some business of every kind: people come, write, report, ask and are refused.
func do(t *testing.T, s *harness.Server) {
	t.Helper()
	admin := harness.Person("root", roles.Admin, "")
	amy, dora := harness.Person("amy", roles.Vendor, ""), harness.Person("dora", roles.Driver, "acme")
	watcher := s.Dial(harness.Person("cora", roles.Company, "acme"), "/tracking")
	root, writer, driver := s.Dial(admin, "/"), s.Dial(amy, "/chat"), s.Dial(dora, "/tracking")

	harness.Must[harness.Ack](writer, "room:join", map[string]any{"roomId": "lobby"})
	harness.Must[harness.Ack](root, "room:join", map[string]any{"roomId": "lobby"})
	harness.Must[harness.Ack](writer, "chat:message", map[string]any{"roomId": "lobby", "text": "hello"})
	harness.Heard[struct{}](root, "chat:message")
	harness.Must[harness.Ack](driver, "tracking:update", map[string]any{"lat": 52.5, "lng": 13.4})
	harness.Heard[struct{}](watcher, "tracking:positions")

	if ack := writer.Ask("chat:message", map[string]any{"roomId": "lobby", "text": ""}); ack.Code != "invalid_payload" {
		t.Errorf("an empty text: %s", ack.Raw)
	}
	ctx, cancel := context.WithTimeout(t.Context(), harness.Deadline)
	defer cancel()
	if raw, err := writer.Call(ctx, "any:name-a-client-likes"); err != nil || !strings.Contains(string(raw), "not_found") {
		t.Errorf("an unknown event: %s, %v", raw, err)
	}
	expired := amy
	expired.ExpiresAt = time.Now().Add(-time.Hour)
	if _, err := s.TryDial(expired, "/chat"); !harness.IsRefused(err, "auth_expired") {
		t.Errorf("an expired token: %v", err)
	}
	for path, want := range map[string]int{"/me": http.StatusOK, "/drivers/dora": http.StatusOK, "/rooms/lobby/messages": http.StatusOK, "/notices/none": http.StatusNotFound} {
		if answer := s.REST(http.MethodGet, "/api/v1"+path, admin, nil); answer.Status != want {
			t.Errorf("%s answers %d", path, answer.Status)
		}
	}
	if answer := s.REST(http.MethodPost, "/api/v1/notices", admin, map[string]any{
		"title": "t", "body": "b", "audience": map[string]any{"all": true},
	}); answer.Status != http.StatusCreated {
		t.Errorf("a notice: %d %s", answer.Status, answer.Body)
	}
	if answer := s.REST(http.MethodGet, "/api/v1/me", auth.Identity{}, nil); answer.Status != http.StatusUnauthorized {
		t.Errorf("no token: %d", answer.Status)
	}
	response, err := http.Get(s.URL + "/")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the page: %v", err)
	}
	_ = response.Body.Close()
}

// What is done is seen: every figure that has to move has moved, by as much as it has to.
func TestBusinessIsSeen(t *testing.T) {
	t.Parallel()
	s := watched(t, nil)
	do(t, s)
	exactly := func(want float64, name string, labels ...string) {
		t.Helper()
		if got := s.Scrape().Sum(name, labels...); got != want {
			t.Errorf("%s%v is %v, want %v", name, labels, got, want)
		}
	}
	atLeast := func(least float64, name string, labels ...string) {
		t.Helper()
		s.Eventually(name+" has moved", func() bool { return s.Scrape().Sum(name, labels...) >= least })
	}
	exactly(4, "rolecall_connections")
	exactly(1, "rolecall_sockets", "namespace", "/chat", "role", "vendor")
	exactly(2, "rolecall_sockets", "namespace", "/tracking")
	atLeast(4, "rolecall_connect_duration_seconds")
	exactly(1, "rolecall_refusals_total", "door", "connect", "code", "auth_expired")

	exactly(1, "rolecall_events_total", "event", "chat:message", "outcome", "ok")
	exactly(1, "rolecall_events_total", "event", "chat:message", "outcome", "invalid_payload")
	exactly(1, "rolecall_events_total", "event", "unknown", "outcome", "not_found")
	exactly(1, "rolecall_events_total", "event", "tracking:update")
	exactly(2, "rolecall_event_duration_seconds", "event", "chat:message")
	exactly(1, "rolecall_refusals_total", "door", "event", "code", "invalid_payload")
	atLeast(2, "rolecall_deliveries_total", "namespace", "/chat")
	atLeast(1, "rolecall_deliveries_total", "namespace", "/tracking")

	exactly(1, "rolecall_refusals_total", "door", "rest", "code", "auth_required")
	exactly(1, "rolecall_http_requests_total", "route", "/api/v1/drivers/{id}", "method", "GET", "status", "200")
	exactly(1, "rolecall_http_requests_total", "route", "/api/v1/notices/{id}", "status", "404")
	exactly(1, "rolecall_http_requests_total", "route", "/", "status", "200")
	atLeast(4, "rolecall_http_requests_total", "route", "/socket.io/", "status", "101")
	exactly(1, "rolecall_http_request_duration_seconds", "route", "/api/v1/drivers/{id}")
	exactly(0, "rolecall_http_request_duration_seconds", "route", "/socket.io/")

	for _, store := range []string{"chat", "notices", "people", "tracking"} {
		atLeast(1, "rolecall_commit_items", "store", store)
		atLeast(1, "rolecall_commit_duration_seconds", "store", store)
		exactly(0, "rolecall_commit_failures_total", "store", store)
	}
	atLeast(1, "rolecall_online_users", "role", "driver")
	exactly(1, "rolecall_drivers", "status", "online")
	exactly(1, "rolecall_retention_runs_total", "what", "positions", "outcome", "ok")
	exactly(1, "rolecall_bus_connected")
	exactly(1, "rolecall_database_up")
	exactly(1, "rolecall_ready")
	atLeast(4096, "rolecall_database_size_bytes")
	atLeast(1, "rolecall_disk_free_bytes")
	atLeast(1, "go_goroutines")
	atLeast(1, "process_resident_memory_bytes")
}

// A socket that ends is counted no more.
func TestWhatEndsIsSeenToEnd(t *testing.T) {
	t.Parallel()
	s := watched(t, nil)
	socket := s.Dial(harness.Person("amy", roles.Vendor, ""), "/chat")
	s.Eventually("amy is seen", func() bool {
		seen := s.Scrape()
		return seen.Sum("rolecall_sockets") == 1 && seen.Sum("rolecall_online_users") == 1
	})
	socket.Close()
	s.Eventually("nobody is seen", func() bool {
		seen := s.Scrape()
		return seen.Sum("rolecall_sockets") == 0 && seen.Sum("rolecall_online_users") == 0 && seen.Sum("rolecall_connections") == 0
	})
}

// Limits that are met are counted by their kind, whichever door they are met at.
func TestLimitsAreSeen(t *testing.T) {
	t.Parallel()
	s := watched(t, func(c *config.Config) {
		c.Rates[limit.Chat] = limit.Rate{Requests: 1, Period: time.Hour, Burst: 1}
		c.MaxSocketsPerUser = 1
		c.HandshakesPerIP = limit.Rate{Requests: 1, Period: time.Hour, Burst: 3}
		c.MaxConnectionsPerIP = 1
	})
	amy := harness.Person("amy", roles.Vendor, "")
	socket := s.Dial(amy, "/chat")
	harness.Must[harness.Ack](socket, "room:join", map[string]any{"roomId": "lobby"})
	harness.Must[harness.Ack](socket, "chat:message", map[string]any{"roomId": "lobby", "text": "hello"})
	if ack := socket.Ask("chat:message", map[string]any{"roomId": "lobby", "text": "hello"}); ack.Code != "rate_limited" {
		t.Errorf("the second message: %s", ack.Raw)
	}
	for range 3 { // one more connection than may be, again, and one more handshake
		if _, err := s.TryDial(amy, "/chat"); err == nil {
			t.Error("there is room for more")
		}
	}
	seen := s.Scrape()
	for kind, want := range map[string]float64{"chat": 1, "typing": 0, "connections_per_ip": 2, "handshakes_per_ip": 1} {
		if got := seen.Sum("rolecall_limit_hits_total", "kind", kind); got != want {
			t.Errorf("%v hits of %s, want %v", got, kind, want)
		}
	}
	if got := seen.Sum("rolecall_refusals_total", "door", "handshake"); got != 3 {
		t.Errorf("%v refused handshakes", got)
	}
}

// Nobody reaches by the public listener what the admin listener serves, nor finds a user in it.
func TestAdminListenerIsApart(t *testing.T) {
	t.Parallel()
	s := watched(t, nil)
	do(t, s)
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile"} {
		response, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("the public listener answers %s with %s", path, response.Status)
		}
	}
	all, err := io.ReadAll(s.Admin("/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"dora", "amy", "cora", "acme", "lobby", "any:name-a-client-likes"} {
		if strings.Contains(string(all), `"`+secret) {
			t.Errorf("metrics speak of %s", secret)
		}
	}
	if profile, err := io.ReadAll(s.Admin("/debug/pprof/heap")); err != nil || len(profile) == 0 {
		t.Errorf("no heap profile: %v", err)
	}
	response, err := http.Get(s.AdminURL() + "/debug/pprof/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("the command line is answered with %s", response.Status)
	}
}

// Without an address there is no second listener.
func TestNoAdminListenerUnlessAsked(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	if url := s.AdminURL(); url != "" {
		t.Errorf("operators are served at %s", url)
	}
}
