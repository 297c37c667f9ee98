// Package soak_test asks the realtime layer for much, for long, from many sides at once: it holds the server against
// a model of its rooms, counts what is left after thousands of visits, and lets clients stop reading. The usual run
// takes less than a minute; SOAK=1 in the environment asks for the whole of it.
package soak_test

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"rolecall/internal/limit"
	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
)

func TestMain(m *testing.M) {
	// What fails here depends on the order in which goroutines run, which no file of drawn numbers can bring back.
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must come. It says nothing about speed: a machine that is busy with
// other things passes as well, and only what never comes fails.
const patience = 90 * time.Second

// scaled is the size of a test: the first in the usual run, the second with SOAK=1.
func scaled(usual, whole int) int {
	if os.Getenv("SOAK") == "1" {
		return whole
	}
	return usual
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	rapid.TB
	Cleanup(cleanup func())
}

// eventually fails the test if the condition does not come true.
func eventually(t tester, what string, condition func() bool) {
	t.Helper()
	if !within(patience, condition) {
		t.Fatalf("in vain: %s", what)
	}
}

// within says whether the condition comes true in time.
func within(limit time.Duration, condition func() bool) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return false
		}
	}
	return true
}

// fixture is a server behind a listener.
type fixture struct {
	server  *native.Server
	address string // host:port
	log     *logWatch
}

// serve starts a server whose namespace "/" has the handler, on a listener on the loopback interface which wrap may
// replace. When the test ends it must drain in peace.
func serve(t tester, options realtime.Options, handler realtime.Handler, wrap func(net.Listener) net.Listener) *fixture {
	t.Helper()
	watch := &logWatch{t: t}
	options.Logger = slog.New(watch)
	options.MaxConnects = 1 << 30 // entering namespaces as fast as can be is what these tests do
	options.Packets = limit.Rate{Requests: 1e9, Period: time.Second, Burst: 1e9}
	f := &fixture{server: native.New(options), log: watch}
	f.server.Namespace("/", handler)
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	f.address = listener.Addr().String()
	if wrap != nil {
		listener = wrap(listener)
	}
	web := &http.Server{
		Handler:           f.server,
		ReadHeaderTimeout: patience,
		ErrorLog:          slog.NewLogLogger(watch, slog.LevelError),
	}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := f.server.Drain(ctx); err != nil {
			t.Errorf("drain: %v", err)
		}
		_ = web.Close() // closes the listener, whose error Serve reports
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
		if n := f.server.Connections(); n != 0 {
			t.Errorf("%d connections after the end", n)
		}
	})
	return f
}

// logWatch is a slog.Handler that fails the test on errors and counts the rest by message.
type logWatch struct {
	t tester

	mu    sync.Mutex
	count map[string]int
}

// Enabled is part of slog.Handler.
func (l *logWatch) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle is part of slog.Handler.
func (l *logWatch) Handle(_ context.Context, record slog.Record) error {
	if record.Level >= slog.LevelError {
		text := []string{record.Message}
		record.Attrs(func(a slog.Attr) bool {
			text = append(text, a.String())
			return true
		})
		l.t.Errorf("the server logs an error: %s", strings.Join(text, " "))
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == nil {
		l.count = make(map[string]int)
	}
	l.count[record.Message]++
	return nil
}

// WithAttrs is part of slog.Handler.
func (l *logWatch) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup is part of slog.Handler.
func (l *logWatch) WithGroup(string) slog.Handler { return l }

// all is how often each message was logged.
func (l *logWatch) all() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.count)
}
