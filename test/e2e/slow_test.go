package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/app"
	"rolecall/internal/config"
	"rolecall/test/harness"
)

// dialRaw opens a TCP connection, sends text, and closes it at the test's end.
func dialRaw(t *testing.T, url, text string) net.Conn {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	if _, err := io.WriteString(connection, text); err != nil {
		t.Fatal(err)
	}
	return connection
}

const halfUpgrade = "GET " + webSocketHandshake + " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgr"

// A client that does not get on with its request is let go, in about the 10 s that headers and upgrades have.
func TestSlowClientsAreLetGo(t *testing.T) {
	t.Parallel()
	harness.NeedsOneNode(t, "its patience with a connection")
	if testing.Short() {
		t.Skip("waits for the time-outs of the running program")
	}
	server := harness.Start(t, nil)
	const patience = 20 * time.Second
	healthy := "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
	upgrade := "GET " + webSocketHandshake + "&sid=" + poll(t, server, "") + " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n" +
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	var all sync.WaitGroup
	for name, text := range map[string]string{
		"silence":                    "",
		"half a method":              "GE",
		"half a header":              "GET /healthz HTTP/1.1\r\nHost: a\r\nAuthoriz",
		"half a WebSocket handshake": halfUpgrade,
		"half a second request":      healthy + "GET /healthz HTTP/1.1\r\nHo",
		"an upgrade without a probe": upgrade,
	} {
		connection := dialRaw(t, server.URL, text)
		all.Go(func() { mustBeCut(t, name, connection, patience) })
	}
	dribbling := dialRaw(t, server.URL, "GET /healthz HTTP/1.1\r\nHost: a\r\nX: ")
	all.Go(func() { // a little something now and then buys no time
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.WriteString(dribbling, "x"); err != nil {
				return
			}
		}
	})
	all.Go(func() { mustBeCut(t, "a dribble", dribbling, patience) })
	all.Wait()
}

// mustBeCut reads what the server says until it closes the connection, which must be after some time, and in time.
func mustBeCut(t *testing.T, what string, connection net.Conn, patience time.Duration) {
	begin := time.Now()
	_ = connection.SetReadDeadline(begin.Add(patience))
	_, err := io.Copy(io.Discard, connection)
	switch took := time.Since(begin); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.Errorf("%s: not let go in %s", what, patience)
	case took < 2*time.Second:
		t.Errorf("%s: cut off after %s, which is too soon for a slow line", what, took)
	default:
		t.Logf("%s: let go after %s", what, took.Round(100*time.Millisecond))
	}
	_ = connection.Close() // ends the dribble as well
}

// lockedBuffer is a log that a running program writes.
type lockedBuffer struct {
	mu  sync.Mutex
	log bytes.Buffer
}

func (b *lockedBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(line)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

// Connections on which nothing whole was ever asked do not use up the time that requests under way have at a stop.
func TestStopDoesNotWaitForTheSilent(t *testing.T) {
	t.Parallel()
	harness.RunsOnce(t)
	c := config.Default()
	c.Addr, c.DataDir, c.JWTSecret, c.Engine = "127.0.0.1:0", t.TempDir(), harness.Secret, harness.Engine()
	var log lockedBuffer
	program, err := app.New(t.Context(), c, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- program.Run(ctx) }()
	for _, text := range []string{"", "GE", "GET /healthz HTTP/1.1\r\nHost: a\r\nAuthoriz", halfUpgrade} {
		for range 5 {
			dialRaw(t, program.URL(), text)
		}
	}
	kept := dialRaw(t, program.URL(), "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n") // comes last: the others are taken up by then
	response, err := http.ReadResponse(bufio.NewReader(kept), nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("healthz: %v", err)
	}
	_ = response.Body.Close()
	begin := time.Now()
	stop()
	select {
	case err := <-stopped:
		if err != nil {
			t.Fatalf("stop: %v", err)
		}
	case <-time.After(harness.Deadline):
		t.Fatal("the program did not stop")
	}
	t.Logf("stopped in %s", time.Since(begin).Round(time.Millisecond))
	if strings.Contains(log.String(), "cut off") {
		t.Errorf("the stop has waited until its patience was at an end:\n%s", log.String())
	}
}

// A header without end is refused when it is too long, not when its time is up.
func TestOversizedHeader(t *testing.T) {
	t.Parallel()
	harness.NeedsOneNode(t, "its bound of a header")
	server := harness.Start(t, nil)
	connection := dialRaw(t, server.URL, "GET /healthz HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("x", 30<<10))
	_ = connection.SetReadDeadline(time.Now().Add(5 * time.Second)) // half of what a header may take
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil || response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Fatalf("%v, %v", response, err)
	}
	_ = response.Body.Close()
}
