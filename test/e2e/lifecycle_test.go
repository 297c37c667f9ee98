package e2e

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"rolecall/internal/app"
	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// Requests that never end, sent by anybody, do not keep the server from an orderly stop.
func TestStopWithUnfinishedRequests(t *testing.T) {
	server := harness.Start(t, nil)
	for _, request := range []string{
		"POST /api/v1/notices HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{",
		"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{",
		"POST /socket.io/?EIO=4&transport=polling&sid=nobody HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		"POST /api/v1/positions HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
		"GET /healthz HTTP/1.1\r\nHo",
		strings.Repeat("GET /socket.io/socket.io.js HTTP/1.1\r\nHost: a\r\n\r\n", 300), // and reads no answer
	} {
		connection, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = connection.Close() }()
		if _, err := io.WriteString(connection, request); err != nil {
			t.Fatal(err)
		}
	}
	server.REST("GET", "/healthz", harness.Person("x", roles.Admin, ""), nil) // by now the others have been taken up
	begin := time.Now()
	server.Stop() // fails the test unless the stop is orderly
	t.Logf("stopped in %s", time.Since(begin).Round(time.Millisecond))
}

// Clients that poll are told of the stop, and those who do not ask again hold it up for a second and no more.
func TestStopWithPollingClients(t *testing.T) {
	server := harness.Start(t, nil)
	silent, asking := poll(t, server, ""), poll(t, server, "")
	if silent == "" || asking == "" {
		t.Fatal("no sessions")
	}
	answered := make(chan string, 1)
	go func() {
		response, err := http.Get(server.URL + pollingHandshake + "&sid=" + asking)
		if err != nil {
			answered <- err.Error()
			return
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		answered <- fmt.Sprint(string(body), err)
	}()
	begin := time.Now()
	server.Stop()
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("stopped in %s", took)
	}
	const want = "1<nil>"
	got := <-answered
	if harness.Engine() == "zishang520" {
		got = strings.TrimPrefix(got, "6\x1e") // has a packet of type noop before the one that closes, where it is in time
	}
	if got != want {
		t.Errorf("the open poll was answered with %q", got)
	}
}

// A second server on the same data is refused, and the first is not disturbed; after its end the data is free.
func TestOneServerAFolder(t *testing.T) {
	harness.NeedsOneNode(t, "its data folder")
	folder := t.TempDir()
	first := harness.Start(t, func(c *config.Config) { c.DataDir = folder })
	c := config.Default()
	c.Addr, c.DataDir, c.Engine = "127.0.0.1:0", folder, harness.Engine()
	log := slog.New(slog.DiscardHandler)
	if _, err := app.New(t.Context(), c, log); err == nil || !strings.Contains(err.Error(), "in use by another server") {
		t.Fatalf("a second server: %v", err)
	}
	if answer := first.REST("GET", "/readyz", harness.Person("x", roles.Admin, ""), nil); answer.Status != http.StatusOK {
		t.Errorf("the first server: %d", answer.Status)
	}
	first.Stop()
	second, err := app.New(t.Context(), c, log)
	if err != nil {
		t.Fatalf("after the first server's end: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

// However notices are sent and retracted meanwhile, the inbox on connection holds what was heard before it, and nothing
// that was heard to be retracted.
func TestInboxOnConnectionFitsWhatIsHeard(t *testing.T) {
	server := harness.Start(t, nil)
	admin := harness.Person("root", roles.Admin, "")
	done := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(done)
		var standing []string // few enough for one page of the inbox
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			body := map[string]any{"title": fmt.Sprint(i), "audience": map[string]any{"users": []string{"reader"}}}
			made := harness.Decode[notice](t, server.REST("POST", "/api/v1/notices", admin, body).Body)
			if standing = append(standing, made.ID); len(standing) > 10 {
				server.REST("DELETE", harness.Path("notices", standing[0]), admin, nil)
				standing = standing[1:]
			}
		}
	}()
	early := 0
	for range 150 {
		early += connectAndCompare(t, server)
	}
	close(stop)
	<-done
	t.Logf("%d events were heard before an inbox", early)
}

// connectAndCompare connects once and returns how many events came before the inbox.
func connectAndCompare(t *testing.T, server *harness.Server) (early int) {
	t.Helper()
	socket := server.Dial(harness.Person("reader", roles.Vendor, ""), "/system")
	defer socket.Abort()
	heard, retracted := make(map[string]bool), make(map[string]bool)
	for {
		event, err := socket.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		switch event.Name {
		case "system:notice":
			heard[harness.Decode[notice](t, event.Args[0]).ID] = true
		case "system:retract":
			retracted[harness.Decode[notice](t, event.Args[0]).ID] = true
		case "system:inbox":
			inbox := harness.Decode[struct{ Notices []notice }](t, event.Args[0])
			listed := make(map[string]bool)
			for _, n := range inbox.Notices {
				if listed[n.ID] = true; retracted[n.ID] {
					t.Errorf("the inbox has %s, which was retracted before", n.ID)
				}
			}
			for id := range heard {
				if !retracted[id] && !listed[id] {
					t.Errorf("the inbox lacks %s, which was heard before", id)
				}
			}
			return len(heard) + len(retracted)
		}
	}
}
