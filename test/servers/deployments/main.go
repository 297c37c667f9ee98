//go:build unix

// Command deployments gives tests in other languages what three nodes need: a new database on the shared PostgreSQL server, a
// prefix in the shared Redis, and HAProxy with the configuration of deploy/. It writes its address as a line of its output,
// and lives until its input ends.
//
//	POST   /                     a deployment: {"id", "settings": {variable: value}, "names": [of the nodes]}
//	POST   /{id}/proxy           with ["host:port" of each node]: {"url"}
//	DELETE /{id}                 ends the deployment
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"rolecall/internal/config"
	"rolecall/test/harness"
	"rolecall/test/servers"
)

func main() {
	if err := run(context.Background()); err != nil {
		slog.Error("deployments for tests", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	all := &deployments{open: make(map[string]*deployment)}
	defer all.end()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", all.begin)
	mux.HandleFunc("POST /{id}/proxy", all.proxy)
	mux.HandleFunc("DELETE /{id}", all.finish)
	server := &http.Server{Handler: mux}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Printf("http://%s\n", listener.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, server.Close(), ignoreClosed(<-ended))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// deployments are those that are open, by id.
type deployments struct {
	mu   sync.Mutex
	open map[string]*deployment
}

func (d *deployments) begin(w http.ResponseWriter, _ *http.Request) {
	made := &deployment{}
	id := strings.ToLower(rand.Text())
	var settings map[string]string
	err := made.attempt(func() {
		settings = map[string]string{
			config.Variable("database-url"):    harness.NewDatabase(made),
			config.Variable("redis-url"):       servers.SharedRedis(made),
			config.Variable("redis-prefix"):    "test-" + id,
			config.Variable("trusted-proxies"): servers.ProxyAddress,
			config.Variable("blob-url"):        "file://" + made.TempDir(),
		}
	})
	d.mu.Lock()
	d.open[id] = made
	d.mu.Unlock()
	answer(w, map[string]any{"id": id, "settings": settings, "names": servers.NodeNames()}, err)
}

func (d *deployments) proxy(w http.ResponseWriter, r *http.Request) {
	var nodes []string
	if err := json.NewDecoder(r.Body).Decode(&nodes); err != nil || len(nodes) != len(servers.NodeNames()) {
		answer(w, nil, fmt.Errorf("not the addresses of the nodes: %w", err))
		return
	}
	d.mu.Lock()
	of := d.open[r.PathValue("id")]
	d.mu.Unlock()
	if of == nil {
		http.NotFound(w, r)
		return
	}
	url := ""
	err := of.attempt(func() { url = servers.StartHAProxy(of, nodes).URL })
	answer(w, map[string]any{"url": url}, err)
}

func (d *deployments) finish(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	of := d.open[r.PathValue("id")]
	delete(d.open, r.PathValue("id"))
	d.mu.Unlock()
	if of == nil {
		http.NotFound(w, r)
		return
	}
	answer(w, map[string]any{}, of.end())
}

// end ends all that are open.
func (d *deployments) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.open {
		if err := one.end(); err != nil {
			slog.Error("the end of a deployment", "error", err)
		}
	}
}

func answer(w http.ResponseWriter, what any, failed error) {
	if failed != nil {
		http.Error(w, failed.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(what) // who asks may have gone
}

// deployment is a testing.TB that is no test's: what is started for it stays until end.
type deployment struct {
	testing.TB // nil: of its methods those are used that follow

	mu       sync.Mutex
	failures []error
	cleanups []func()
}

// givenUp is what a failed attempt panics with.
type givenUp struct{}

// attempt does something that may fail as in a test.
func (d *deployment) attempt(do func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, expected := p.(givenUp); !expected {
				panic(p)
			}
		}
		err = d.failed()
	}()
	do()
	return nil
}

func (d *deployment) failed() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Join(d.failures...)
}

// end stops what was started, the last first.
func (d *deployment) end() error {
	return d.attempt(func() {
		for {
			d.mu.Lock()
			n := len(d.cleanups)
			if n == 0 {
				d.mu.Unlock()
				return
			}
			last := d.cleanups[n-1]
			d.cleanups = d.cleanups[:n-1]
			d.mu.Unlock()
			last()
		}
	})
}

// Helper implements testing.TB.
func (*deployment) Helper() {}

// Context implements testing.TB.
func (*deployment) Context() context.Context { return context.Background() }

// Cleanup implements testing.TB.
func (d *deployment) Cleanup(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cleanups = append(d.cleanups, f)
}

// TempDir implements testing.TB.
func (d *deployment) TempDir() string {
	folder, err := os.MkdirTemp("", "rolecall-deployment-")
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			d.Error(err)
		}
	})
	return folder
}

// Failed implements testing.TB.
func (d *deployment) Failed() bool { return d.failed() != nil }

// Logf implements testing.TB.
func (*deployment) Logf(format string, args ...any) { slog.Info(fmt.Sprintf(format, args...)) }

// Error implements testing.TB.
func (d *deployment) Error(args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures = append(d.failures, errors.New(strings.TrimSpace(fmt.Sprintln(args...))))
}

// Errorf implements testing.TB.
func (d *deployment) Errorf(format string, args ...any) { d.Error(fmt.Sprintf(format, args...)) }

// Fatal implements testing.TB.
func (d *deployment) Fatal(args ...any) {
	d.Error(args...)
	panic(givenUp{})
}

// Fatalf implements testing.TB.
func (d *deployment) Fatalf(format string, args ...any) { d.Fatal(fmt.Sprintf(format, args...)) }
