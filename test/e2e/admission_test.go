package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"rolecall/internal/config"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

const (
	pollingHandshake   = "/socket.io/?EIO=4&transport=polling"
	webSocketHandshake = "/socket.io/?EIO=4&transport=websocket"
)

// behindProxy makes every request of these tests come from a trusted proxy, so that they can play clients of any address.
func behindProxy(c *config.Config) {
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// answer is what came back to a request of a client at an address.
type answer struct {
	status int
	header http.Header
	body   string
}

// request sends a request as a proxy would on behalf of a client; headers are name, value, name, value.
func request(t *testing.T, server *harness.Server, client, method, path, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if client != "" {
		r.Header.Set("X-Forwarded-For", client)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport, Timeout: harness.Deadline}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(content)}
}

// poll opens a session that polls and returns its id.
func poll(t *testing.T, server *harness.Server, client string) string {
	t.Helper()
	got := request(t, server, client, "GET", pollingHandshake, "")
	var open struct{ SID string }
	if got.status != http.StatusOK || json.Unmarshal([]byte(strings.TrimPrefix(got.body, "0")), &open) != nil {
		t.Fatalf("handshake of %s: %d %s", client, got.status, got.body)
	}
	return open.SID
}

// engine opens a WebSocket for a client at an address.
func engine(t *testing.T, server *harness.Server, client string) (*sioclient.Engine, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Deadline)
	defer cancel()
	e, err := sioclient.OpenEngine(ctx, server.URL, sioclient.Options{Header: http.Header{"X-Forwarded-For": {client}}})
	if err == nil {
		t.Cleanup(e.Abort)
	}
	return e, err
}

// mustBeTooMany holds a refusal against the shape that is promised.
func mustBeTooMany(t *testing.T, what string, status int, header http.Header, body string) {
	t.Helper()
	var refusal struct {
		Code    *int
		Message string
	}
	err := json.Unmarshal([]byte(body), &refusal)
	if status != http.StatusTooManyRequests || err != nil || refusal.Code == nil || *refusal.Code != 3 || refusal.Message == "" ||
		header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: %d %v %s", what, status, header, body)
	}
}

func mustBeRefused(t *testing.T, what string, err error) *sioclient.HandshakeError {
	t.Helper()
	var refused *sioclient.HandshakeError
	if !errors.As(err, &refused) {
		t.Fatalf("%s: %v", what, err)
	}
	mustBeTooMany(t, what, refused.Status, refused.Header, refused.Body)
	return refused
}

func TestHandshakesPerAddress(t *testing.T) {
	t.Parallel()
	harness.NeedsOneNode(t, "its limit of an address")
	server := harness.Start(t, func(c *config.Config) {
		behindProxy(c)
		c.HandshakesPerIP = limit.Rate{Requests: 1, Period: time.Hour, Burst: 3}
	})
	const alice = "198.51.100.1"
	sid := poll(t, server, alice)
	if _, err := engine(t, server, alice); err != nil {
		t.Fatal(err)
	}
	request(t, server, alice, "OPTIONS", pollingHandshake, "", "Origin", server.URL) // is free
	poll(t, server, "6.6.6.6, "+alice)                                               // whatever it says of itself
	got := request(t, server, alice, "GET", pollingHandshake, "")
	mustBeTooMany(t, "the fourth handshake", got.status, got.header, got.body)
	if wait, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || wait < 3500 || wait > 3600 {
		t.Errorf("Retry-After: %q, want about an hour", got.header.Get("Retry-After"))
	}
	_, err := engine(t, server, alice)
	if refused := mustBeRefused(t, "a WebSocket", err); refused.Header.Get("Retry-After") == "" {
		t.Error("a WebSocket is refused without Retry-After")
	}
	if got := request(t, server, alice, "POST", pollingHandshake+"&sid="+sid, "3"); got.status != http.StatusOK || got.body != "ok" {
		t.Errorf("a session that stands is refused: %d %s", got.status, got.body)
	}
	if got := request(t, server, alice, "GET", "/socket.io/socket.io.js", ""); got.status != http.StatusOK {
		t.Errorf("the client's code is refused: %d", got.status)
	}
	for _, client := range []string{"198.51.100.2", "2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:1::2", "[2001:db8:0:1::3]:99"} {
		poll(t, server, client) // another address, and three of one network
	}
	got = request(t, server, "2001:db8:0:1::4", "GET", pollingHandshake, "")
	mustBeTooMany(t, "the fourth handshake of an IPv6 network", got.status, got.header, got.body)
}

// Without a trusted proxy all these are one client, whatever the headers say.
func TestForwardingHeadersOfStrangers(t *testing.T) {
	t.Parallel()
	harness.NeedsOneNode(t, "its limit of an address")
	server := harness.Start(t, func(c *config.Config) { c.HandshakesPerIP = limit.Rate{Requests: 1, Period: time.Hour, Burst: 2} })
	poll(t, server, "198.51.100.1")
	poll(t, server, "198.51.100.2")
	got := request(t, server, "198.51.100.3", "GET", pollingHandshake, "", "Forwarded", "for=198.51.100.4", "X-Real-Ip", "198.51.100.5")
	mustBeTooMany(t, "a third address made up", got.status, got.header, got.body)
}

func TestHandshakesOffByRequest(t *testing.T) {
	t.Parallel()
	server := harness.Start(t, nil) // which turns the limit off
	for range 1100 {                // the default's burst is 1,000
		if got := request(t, server, "", "GET", "/socket.io/?transport=none", ""); got.status != http.StatusBadRequest {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
}

// An address has so many sessions at a time, whatever they are carried by, and each counts until it has ended.
func TestConnectionsPerAddress(t *testing.T) {
	t.Parallel()
	harness.NeedsOneNode(t, "its limit of an address")
	server := harness.Start(t, func(c *config.Config) {
		behindProxy(c)
		c.MaxConnectionsPerIP = 2
	})
	const alice = "198.51.100.1"
	polling := poll(t, server, alice)
	first, err := engine(t, server, alice)
	if err != nil {
		t.Fatal(err)
	}
	refuseBoth := func(what string) {
		t.Helper()
		got := request(t, server, alice, "GET", pollingHandshake, "")
		mustBeTooMany(t, what+": polling", got.status, got.header, got.body)
		_, err := engine(t, server, alice)
		mustBeRefused(t, what+": WebSocket", err)
	}
	refuseBoth("a third session")
	if _, err := engine(t, server, "198.51.100.2"); err != nil {
		t.Fatalf("another address: %v", err)
	}
	broken := request(t, server, alice, "GET", webSocketHandshake, "", "Connection", "Upgrade", "Upgrade", "websocket") // no key
	if broken.status < 400 {
		t.Fatalf("a broken handshake: %d", broken.status)
	}

	again := func(what string) *sioclient.Engine {
		t.Helper()
		var made *sioclient.Engine
		server.Eventually(what+" makes room", func() bool {
			made, err = engine(t, server, alice)
			return err == nil
		})
		refuseBoth("after " + what)
		return made
	}
	first.Close()
	second := again("a farewell")
	second.Abort()
	again("a lost connection")
	if got := request(t, server, alice, "POST", pollingHandshake+"&sid="+polling, "1"); got.status != http.StatusOK {
		t.Fatalf("close by polling: %d %s", got.status, got.body)
	}
	again("the end of a polling session")
}

// Refused handshakes of any kind leave nothing counted.
func TestRefusedHandshakesAreNotCounted(t *testing.T) {
	t.Parallel()
	harness.NeedsOneNode(t, "its limit of an address")
	server := harness.Start(t, func(c *config.Config) {
		behindProxy(c)
		c.MaxConnectionsPerIP = 1
	})
	const alice = "198.51.100.1"
	for _, path := range []string{webSocketHandshake, "/socket.io/?EIO=3&transport=polling", "/socket.io/?EIO=4&transport=x", "/socket.io/"} {
		for range 3 {
			if got := request(t, server, alice, "GET", path, "", "Connection", "Upgrade", "Upgrade", "websocket"); got.status < 400 {
				t.Fatalf("%s: %d", path, got.status)
			}
		}
	}
	who := harness.Person("dora", roles.Driver, "acme")
	server.Eventually("a session is let in", func() bool { // those without a key end a moment after their answer
		socket, err := server.DialWith(sioclient.Options{
			Header: http.Header{"X-Forwarded-For": {alice}}, Auth: map[string]string{"token": harness.Token(t, who)},
		})
		if err == nil {
			socket.Fence()
		}
		return err == nil
	})
}

func TestMaxSocketsPerUser(t *testing.T) {
	t.Parallel()
	server := harness.Start(t, func(c *config.Config) { c.MaxSocketsPerUser = 2 })
	who := harness.Person("dora", roles.Driver, "acme")
	server.Dial(who, "/")
	second := server.Dial(who, "/chat")
	if _, err := server.TryDial(who, "/tracking"); !harness.IsRefused(err, "too_many_connections") {
		t.Errorf("a third socket: %v", err)
	}
	server.Dial(harness.Person("dan", roles.Driver, "acme"), "/")
	second.Close()
	server.Eventually("there is room again", func() bool {
		_, err := server.TryDial(who, "/")
		return err == nil
	})
}
