// Package harness starts the whole program for tests and talks to it as clients do.
package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"rolecall/api/rest"
	"rolecall/internal/access"
	"rolecall/internal/app"
	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/contracttest"
	"rolecall/test/servers"
)

// Deadline is how long a test waits for what must happen. It only runs out when something is broken.
const Deadline = 30 * time.Second

// Secret signs the tokens of every harness server.
const Secret = "a secret for tests alone, 32+ bytes"

// Server is a running program with a data folder of its own, or three of them behind a proxy that serve the same people.
type Server struct {
	// URL is the server's address, the proxy's where there is one; it stays the same across Restart.
	URL string

	t      testing.TB
	nodes  []*node
	rest   *http.Client
	events *contracttest.Events
}

// Start runs a program on a free port until the test ends; where TEST_NODES is 3, as StartNodes does, but for a test that
// gives it a Redis of its own to meet others in. Rates are so high that no test meets them by accident; change may set them,
// and anything else.
func Start(t testing.TB, change func(c *config.Config)) *Server {
	t.Helper()
	c := settings(t, change)
	if OnSeveralNodes() && c.RedisURL == "" {
		return startNodes(t, c)
	}
	s := newServer(t, c)
	s.start()
	s.URL = s.nodes[0].url
	return s
}

// StartNodes runs three nodes over one PostgreSQL database and one Redis, behind the proxy of deploy/, until the test ends.
// change may set for all what it may set for Start.
func StartNodes(t testing.TB, change func(c *config.Config)) *Server {
	t.Helper()
	return startNodes(t, settings(t, change))
}

func startNodes(t testing.TB, c config.Config) *Server {
	t.Helper()
	s := newServer(t, configs(t, c)...)
	s.start()
	addresses := make([]string, len(s.nodes))
	for i, n := range s.nodes {
		addresses[i] = n.config.Addr
	}
	s.URL = servers.StartHAProxy(t, addresses).URL
	if err := awaitReady(s.URL); err != nil {
		t.Fatal(err)
	}
	return s
}

// settings are those of a program for tests.
func settings(t testing.TB, change func(c *config.Config)) config.Config {
	t.Helper()
	c := config.Default()
	c.Addr, c.DataDir, c.JWTSecret = "127.0.0.1:0", t.TempDir(), Secret
	c.HandshakesPerIP, c.Engine, c.PresenceGrace = limit.Rate{}, Engine(), 0
	for kind := range c.Rates {
		c.Rates[kind] = limit.Rate{Requests: 1_000_000, Period: time.Second, Burst: 1_000_000}
	}
	if change != nil {
		change(&c)
	}
	if c.DatabaseURL == "" {
		c.DatabaseURL = databaseURL(t, c.DataDir)
	}
	return c
}

// newServer is a server that has yet to be started, a node for each of the settings.
func newServer(t testing.TB, all ...config.Config) *Server {
	t.Helper()
	s := &Server{t: t, events: contracttest.NewEvents(t)}
	for _, c := range all {
		s.nodes = append(s.nodes, &node{config: c})
	}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32}
	s.rest = &http.Client{Transport: contracttest.NewREST(t).Transport(t, transport), Timeout: Deadline}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Stop()
	})
	return s
}

func (s *Server) start() {
	s.t.Helper()
	if err := s.together(func(n *node) error { return n.start(s.t, n.config.NodeName) }); err != nil {
		s.t.Fatal(err)
	}
}

// Stop ends the program in order, all nodes at once; the test fails if that takes too long or goes wrong. A second call does
// nothing.
func (s *Server) Stop() {
	s.t.Helper()
	if err := s.StopAnyhow(); err != nil {
		s.t.Errorf("stop: %v", err)
	}
}

// StopAnyhow ends a program that cannot end in order, and returns why; the test fails if that takes too long.
func (s *Server) StopAnyhow() error {
	s.t.Helper()
	err := s.together((*node).end)
	if errors.Is(err, errStillRuns) {
		s.t.Error(err)
		return nil
	}
	return err
}

// Restart stops the program in order and starts it again on the same data and address: all nodes at once.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.start()
	if err := awaitReady(s.URL); err != nil {
		s.t.Fatal(err)
	}
}

// Nodes are the nodes of a server, each as a Server of its own that is reached without the proxy.
func (s *Server) Nodes() []*Server {
	alone := make([]*Server, len(s.nodes))
	for i, n := range s.nodes {
		alone[i] = &Server{URL: n.url, t: s.t, nodes: []*node{n}, rest: s.rest, events: s.events}
	}
	return alone
}

// Program is the running program, of several nodes the first.
func (s *Server) Program() *app.Program { return s.nodes[0].program }

// Routes is the REST surface.
func (s *Server) Routes() []rest.Route { return s.nodes[0].program.Routes() }

// Events is the rule of every event of every namespace.
func (s *Server) Events() map[string]map[string]access.Rule { return s.nodes[0].program.Events() }

// SocketCount counts the sockets that stand in all of the rooms, on all nodes.
func (s *Server) SocketCount(rooms ...roles.Room) int {
	sum := 0
	for _, n := range s.nodes {
		sum += n.program.SocketCount(rooms...)
	}
	return sum
}

// AdminURL is the address of the listener for operators, of the first node; empty where there is none.
func (s *Server) AdminURL() string { return s.nodes[0].program.AdminURL() }

// Person makes an identity whose token lasts an hour.
func Person(userID string, role roles.Role, companyID string) auth.Identity {
	return auth.Identity{
		UserID: userID, Username: "name of " + userID, Role: role, CompanyID: companyID,
		ExpiresAt: time.Now().Add(time.Hour),
	}
}

// Token signs a token for an identity.
func Token(t testing.TB, who auth.Identity) string {
	t.Helper()
	token, err := auth.Mint([]byte(Secret), who)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Dial connects a socket; the test fails if it is refused. The socket is closed at the test's end.
func (s *Server) Dial(who auth.Identity, namespace string) *Socket {
	s.t.Helper()
	socket, err := s.TryDial(who, namespace)
	if err != nil {
		s.t.Fatalf("connect %s to %s: %v", who.UserID, namespace, err)
	}
	return socket
}

// TryDial is Dial for a connection that may be refused.
func (s *Server) TryDial(who auth.Identity, namespace string) (*Socket, error) {
	return s.DialWith(sioclient.Options{Namespace: namespace, Auth: map[string]string{"token": Token(s.t, who)}})
}

// DialWith connects with options of the test's own.
func (s *Server) DialWith(options sioclient.Options) (*Socket, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	options.Observe = s.observe
	client, err := sioclient.Dial(ctx, s.URL, options)
	if err != nil {
		return nil, err
	}
	s.t.Cleanup(client.Close)
	namespace := options.Namespace
	if namespace == "" {
		namespace = "/"
	}
	return &Socket{Client: client, t: s.t, events: s.events, namespace: namespace, catchUp: s.CatchUp}, nil
}

// observe holds every event that any socket receives against the AsyncAPI document.
func (s *Server) observe(event sioclient.Event) {
	payload := json.RawMessage("{}")
	if len(event.Args) > 0 {
		payload = event.Args[0]
	}
	s.events.CheckEvent(s.t, event.Name, payload)
}

// Eventually waits until a condition holds, and fails the test if it does not within Deadline.
func (s *Server) Eventually(what string, holds func() bool) { Eventually(s.t, what, holds) }

// Eventually waits until a condition holds, and fails the test if it does not within Deadline.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(Deadline)
	defer deadline.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatalf("did not come about in %s: %s", Deadline, what)
		}
	}
}

// Answer is a REST response, already held against the OpenAPI document.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// REST calls a route with the token of who; a zero identity calls without one. A body that is not nil is sent as JSON;
// a string is sent as it is.
func (s *Server) REST(method, path string, who auth.Identity, body any, headers ...string) Answer {
	s.t.Helper()
	token := ""
	if who.UserID != "" {
		token = Token(s.t, who)
	}
	return s.RESTWith(method, path, token, body, headers...)
}

// RESTWith is REST with a token of the test's own; headers are name, value, name, value.
func (s *Server) RESTWith(method, path, token string, body any, headers ...string) Answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, s.URL+path, bodyReader(s.t, body))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.rest.Do(request)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: content}
}

func bodyReader(t testing.TB, body any) io.Reader {
	t.Helper()
	switch body := body.(type) {
	case nil:
		return http.NoBody
	case string:
		return strings.NewReader(body)
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.NewReader(encoded)
	}
}

// Decode reads an answer's JSON.
func Decode[T any](t testing.TB, raw []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatalf("decode %s: %v", raw, err)
	}
	return value
}

// Path puts ids into a path, escaped.
func Path(parts ...string) string {
	var b strings.Builder
	b.WriteString("/api/v1")
	for _, part := range parts {
		b.WriteString("/" + url.PathEscape(part))
	}
	return b.String()
}

// IsRefused reports whether err is a refused CONNECT with this code.
func IsRefused(err error, code string) bool {
	var refused *sioclient.ConnectError
	return errors.As(err, &refused) && refused.Code == code
}

// testWriter writes the program's log lines into the test's log.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(line []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(line)))
	return len(line), nil
}
