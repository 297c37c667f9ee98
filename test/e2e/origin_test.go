package e2e

import (
	"net/http"
	"strings"
	"testing"

	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// Which pages get in is the same for sessions, their preflights and REST.
func TestOrigins(t *testing.T) {
	t.Parallel()
	named := harness.Start(t, func(c *config.Config) {
		c.AllowedOrigins = []string{"https://friend.example", "https://Upper.Example:443", "capacitor://localhost"}
	})
	demo := harness.Start(t, func(c *config.Config) { c.Demo = true })
	nowhere := harness.Start(t, func(c *config.Config) { c.AllowedOrigins = []string{"null", "file://"} })
	everyone := harness.Start(t, func(c *config.Config) { c.AllowedOrigins = []string{"*"} })
	own := strings.TrimPrefix(named.URL, "http://")
	for _, tc := range []struct {
		name    string
		server  *harness.Server
		host    string // empty for the server's address
		origin  string
		allowed bool
		cross   bool // a page of another origin, which needs CORS headers
	}{
		{"no page", named, "", "", true, false},
		{"own", named, "", named.URL, true, false},
		{"own, behind a proxy with TLS", named, "app.example", "https://app.example", true, false},
		{"own, with the scheme's port", named, "app.example:443", "https://app.example", true, false},
		{"own, in capitals", named, "app.example", "https://APP.example", true, false},
		{"own, Swift's client", named, "app.example", "wss://app.example:443", true, false},
		{"own, Swift's client without TLS", named, "", "ws://" + own, true, false},
		{"own, with the port of a proxy's plain side", named, "app.example:80", "https://app.example", true, false},
		{"own host, other port", named, "", "http://127.0.0.1:1", false, true},
		{"own name within another", named, "app.example", "https://app.example.evil.example", false, true},
		{"own as a user", named, "app.example", "https://app.example@evil.example", false, true},
		{"stranger", named, "", "https://evil.example", false, true},
		{"null", named, "", "null", false, true},
		{"no origin at all", named, "", "evil", false, true},
		{"a list", named, "", "https://friend.example,https://evil.example", false, true},
		{"a list with blanks", named, "", "https://friend.example https://evil.example", false, true},
		{"friend", named, "", "https://friend.example", true, true},
		{"friend, named with capitals and port", named, "", "https://upper.example", true, true},
		{"friend, scheme of its own", named, "", "capacitor://localhost", true, true},
		{"friend without TLS", named, "", "http://friend.example", false, true},
		{"friend, other port", named, "", "https://friend.example:8443", false, true},
		{"friend's WebSocket", named, "", "wss://friend.example:443", true, true},
		{"another app", named, "", "ionic://localhost", false, true},
		{"a development server", named, "", "http://localhost:3000", false, true},
		{"a development server, in the demo", demo, "", "http://localhost:3000", true, true},
		{"and by address", demo, "", "http://127.0.0.1:5173", true, true},
		{"and by address of version 6", demo, "", "http://[::1]:4200", true, true},
		{"a stranger, in the demo", demo, "", "https://evil.example", false, true},
		{"a file, in the demo", demo, "", "null", false, true},
		{"a file, where those may", nowhere, "", "null", true, true},
		{"an app's file, where those may", nowhere, "", "file://", true, true},
		{"a stranger, where files may", nowhere, "", "https://evil.example", false, true},
		{"everyone", everyone, "", "https://evil.example", true, true},
		{"everyone, null", everyone, "", "null", true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, call := range []struct{ method, path string }{
				{"GET", pollingHandshake}, {"OPTIONS", pollingHandshake}, {"GET", webSocketHandshake},
				{"GET", "/api/v1/me"}, {"OPTIONS", "/api/v1/me"}, {"GET", "/openapi.yaml"},
				{"GET", clientFile}, {"OPTIONS", clientFile}, {"GET", clientFile + ".map"}, {"GET", "/socket.io/socket.io.esm.min.js"},
			} {
				checkOrigin(t, tc.server, tc.host, tc.origin, call.method, call.path, tc.allowed, tc.cross)
			}
		})
	}
	for _, path := range []string{pollingHandshake, "/api/v1/me", "/"} {
		got := request(t, named, "", "GET", path, "", "Origin", "http://"+own, "Origin", "https://evil.example")
		if got.status != http.StatusBadRequest || got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s with two origins: %d %v", path, got.status, got.header)
		}
	}
}

const clientFile = "/socket.io/socket.io.js"

// TestPreflights: pages may send the headers that their tracing adds to every request, and any other, through each door.
func TestPreflights(t *testing.T) {
	t.Parallel()
	const friend = "https://friend.example"
	server := harness.Start(t, func(c *config.Config) { c.AllowedOrigins = []string{friend} })
	for method, paths := range map[string][]string{
		"GET":    {pollingHandshake, "/socket.io?EIO=4&transport=polling", clientFile, "/api/v1/me"},
		"POST":   {pollingHandshake, "/api/v1/notices"},
		"DELETE": {"/api/v1/notices/n1"},
	} {
		for _, path := range paths {
			for _, headers := range []string{"traceparent,tracestate", "authorization,baggage,content-type", "sentry-trace,x-request-id", "idempotency-key"} {
				got := request(t, server, "", "OPTIONS", path, "", "Origin", friend,
					"Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers)
				if got.status != http.StatusNoContent || got.header.Get("Access-Control-Allow-Headers") != headers ||
					got.header.Get("Access-Control-Allow-Origin") != friend ||
					!strings.Contains(got.header.Get("Access-Control-Allow-Methods"), method) || got.header.Get("Access-Control-Max-Age") == "" {
					t.Errorf("%s %s with %s: %d %v", method, path, headers, got.status, got.header)
				}
			}
		}
	}
}

// checkOrigin makes one request of a page and looks at what a browser would look at.
func checkOrigin(t *testing.T, server *harness.Server, host, origin, method, path string, allowed, cross bool) {
	t.Helper()
	token := harness.Token(t, harness.Person("vera", roles.Vendor, ""))
	r, err := http.NewRequest(method, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	for name, value := range map[string]string{
		"Origin": origin, "Access-Control-Request-Method": "GET", "Authorization": "Bearer " + token, "Connection": "Upgrade",
		"Upgrade": "websocket", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
	} {
		webSocket := strings.HasPrefix(path, webSocketHandshake) || name == "Origin" || name == "Authorization"
		if value != "" && (webSocket || name == "Access-Control-Request-Method" && method == "OPTIONS") {
			r.Header.Set(name, value)
		}
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	endpoint := strings.Contains(path, "EIO=")
	// What is no session is answered to a page of any origin: its browser keeps the answer from it for want of the header.
	if got := response.StatusCode < 400; endpoint && got != allowed {
		t.Errorf("%s %s from %q: %d, want it allowed: %t", method, path, origin, response.StatusCode, allowed)
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		return // browsers ask no more of a WebSocket
	}
	got := response.Header.Get("Access-Control-Allow-Origin")
	if allowed && cross && got != origin || !allowed && got != "" || got == "*" {
		t.Errorf("%s %s from %q: Access-Control-Allow-Origin is %q", method, path, origin, got)
	}
	rest := !strings.HasPrefix(path, "/socket.io/")
	if credentials := response.Header.Get("Access-Control-Allow-Credentials"); credentials != "" && (rest || !allowed) {
		t.Errorf("%s %s from %q: Access-Control-Allow-Credentials is %q", method, path, origin, credentials)
	}
	if origin != "" && !strings.Contains(strings.Join(response.Header.Values("Vary"), ","), "Origin") {
		t.Errorf("%s %s from %q: answers of one origin may be cached for another", method, path, origin)
	}
}
