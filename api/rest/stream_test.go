package rest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"rolecall/api/rest"
	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/limit"
	"rolecall/test/socketstest"
)

// startStream is a server with a route that reads a body as it comes, for an hour, tells what it has read, and answers with how long
// the body was.
func startStream(t *testing.T, stall time.Duration) (address string, read <-chan string) {
	t.Helper()
	some := make(chan string)
	router := rest.NewRouter(rest.Options{
		Verifier: anyone{}, Buckets: limit.NewBuckets(socketstest.Rates(), nil), Decoder: socketstest.Decoder(t),
		Logger: slog.New(slog.DiscardHandler), Stall: stall,
	})
	rest.OnStream(router, "POST /lists", access.Anyone(limit.Other).WithMaxBytes(100).WithTimeout(time.Hour), []string{"text/csv"},
		func(_ context.Context, _ auth.Identity, body rest.Body) (map[string]int, error) {
			total, chunk := 0, make([]byte, 100)
			for {
				n, err := body.Read(chunk)
				if total += n; n > 0 {
					some <- string(chunk[:n])
				}
				switch {
				case errors.Is(err, io.EOF):
					return map[string]int{"bytes": total}, nil
				case err != nil:
					return nil, err
				}
			}
		})
	mux := chi.NewRouter()
	router.Mount(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), some
}

// post begins a request with a body of so many bytes.
func post(t *testing.T, address string, size int) net.Conn {
	t.Helper()
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	send(t, connection, fmt.Sprintf("POST /lists HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n", size))
	return connection
}

func send(t *testing.T, connection net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(connection, text); err != nil {
		t.Fatal(err)
	}
}

// answered reads the answer to a request.
func answered(t *testing.T, connection net.Conn) (status int, body string, closed bool) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(raw), response.Close
}

// TestBodyThatStalls: a body of which no more comes is given up, whatever has come before.
func TestBodyThatStalls(t *testing.T) {
	t.Parallel()
	address, read := startStream(t, time.Second)
	for _, parts := range [][]string{{}, {"a,b"}, {"a,b", "c,d"}} {
		connection := post(t, address, 10)
		for _, part := range parts {
			send(t, connection, part)
			if got := <-read; got != part {
				t.Fatalf("read %q of %q", got, part)
			}
		}
		status, body, closed := answered(t, connection)
		var problem struct{ Detail string }
		if err := json.Unmarshal([]byte(body), &problem); err != nil || status != http.StatusRequestTimeout || !closed || !strings.Contains(problem.Detail, "in time") {
			t.Errorf("after %q: %d %s (%v), the connection is closed: %v", parts, status, body, err, closed)
		}
	}
	connection := post(t, address, 3)
	send(t, connection, "a,b")
	<-read
	if status, body, _ := answered(t, connection); status != http.StatusOK || strings.TrimSpace(body) != `{"bytes":3}` {
		t.Errorf("a whole one: %d %s", status, body)
	}
}
