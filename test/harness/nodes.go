package harness

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/app"
	"rolecall/internal/config"
	"rolecall/test/servers"
)

// OnSeveralNodes reports whether Start starts three nodes: where TEST_NODES is 3.
func OnSeveralNodes() bool { return os.Getenv("TEST_NODES") == "3" }

// Bus is by what the nodes of a server reach each other, as they call it: local where there is one.
func Bus() string {
	if OnSeveralNodes() {
		return "redis"
	}
	return "local"
}

// NeedsOneNode skips a test, where there are several nodes, of what each of them has for itself. It runs where there is one.
func NeedsOneNode(t testing.TB, what string) {
	t.Helper()
	if OnSeveralNodes() {
		t.Skip("each node's own: " + what)
	}
}

// RunsOnce skips a test, where there are several nodes, that does not ask what Start starts: it starts its servers itself,
// the same ones in any run. It runs where there is one node.
func RunsOnce(t testing.TB) {
	t.Helper()
	if OnSeveralNodes() {
		t.Skip("starts its servers itself, the same in any run")
	}
}

// node is a program of a Server.
type node struct {
	url     string
	config  config.Config
	program *app.Program
	stop    context.CancelFunc // nil while it does not run
	stopped chan error
}

// configs are the settings of three nodes that serve the same people: what c says, over one database and one Redis.
func configs(t testing.TB, c config.Config) []config.Config {
	t.Helper()
	if c.DatabaseURL == "" {
		c.DatabaseURL = NewDatabase(t)
	}
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(servers.ProxyAddress + "/32")}
	c.RedisURL, c.RedisPrefix = servers.SharedRedis(t), "test-"+strings.ToLower(rand.Text())
	if c.BlobURL == "" {
		c.BlobURL = "file://" + t.TempDir()
	}
	all := make([]config.Config, len(servers.NodeNames()))
	for i, name := range servers.NodeNames() {
		all[i] = c
		all[i].NodeName, all[i].DataDir = name, t.TempDir()
	}
	return all
}

// together calls f for each node, all at once, and returns what goes wrong.
func (s *Server) together(f func(n *node) error) error {
	failures := make([]error, len(s.nodes))
	var all sync.WaitGroup
	for i, n := range s.nodes {
		all.Go(func() { failures[i] = f(n) })
	}
	all.Wait()
	return errors.Join(failures...)
}

// CatchUp returns once every node has handled what the others had told by then. Where there is one it does nothing.
func (s *Server) CatchUp() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	if err := s.together(func(n *node) error { return n.program.CatchUp(ctx) }); err != nil {
		s.t.Errorf("catch up: %v", err)
	}
}

// start starts a node, on any port at first and on the same one afterwards, and waits until it is ready.
func (n *node) start(t testing.TB, name string) error {
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if name != "" {
		log = log.With("node", name)
	}
	program, err := app.New(context.Background(), n.config, log)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n.program, n.stop, n.stopped = program, stop, make(chan error, 1)
	go func() { n.stopped <- program.Run(ctx) }()
	n.url = program.URL()
	n.config.Addr = strings.TrimPrefix(n.url, "http://")
	return awaitReady(n.url)
}

// awaitReady waits until a server says that it is ready.
func awaitReady(url string) error {
	deadline := time.Now().Add(Deadline)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		response, err := http.Get(url + "/readyz")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %s", url, Deadline)
		}
		<-again.C
	}
}

var errStillRuns = errors.New("the program did not stop")

// end stops a node in order, and returns what goes wrong. A second call does nothing.
func (n *node) end() error {
	if n.stop == nil {
		return nil
	}
	n.stop()
	n.stop = nil
	select {
	case err := <-n.stopped:
		return err
	case <-time.After(n.config.ShutdownTimeout + Deadline):
		return errStillRuns
	}
}
