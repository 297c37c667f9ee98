package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
	"rolecall/internal/simulation/sioclient"
	"rolecall/internal/simulation/traces"
)

// troubled is a server that takes positions, but not without trouble: each update meets the next of its troubles.
type troubled struct {
	mu       sync.Mutex
	troubles []string
	kept     map[string][]json.RawMessage // by token
}

func (s *troubled) Authenticate(_ context.Context, conn realtime.Socket, hs realtime.Handshake) error {
	var auth struct{ Token string }
	if err := json.Unmarshal(hs.Auth, &auth); err != nil || auth.Token == "refused" {
		return &realtime.Refusal{Message: "Invalid token", Code: "auth_invalid"}
	}
	conn.SetData(auth.Token)
	return nil
}

func (s *troubled) Connected(realtime.Socket) {}

func (s *troubled) Disconnected(realtime.Socket, string) {}

func (s *troubled) Event(conn realtime.Socket, ev realtime.Event) {
	s.mu.Lock()
	trouble := ""
	if len(s.troubles) > 0 {
		trouble, s.troubles = s.troubles[0], s.troubles[1:]
	}
	s.mu.Unlock()
	switch trouble {
	case "connection lost":
		conn.Disconnect(true)
	case "ack lost":
		s.keep(conn, ev)
		conn.Disconnect(true)
	case "rate limited":
		ev.Ack(json.RawMessage(`{"status":"error","error":"slow down","code":"rate_limited","retryAfterMs":20}`))
	case "unavailable":
		ev.Ack(json.RawMessage(`{"status":"error","error":"later","code":"unavailable"}`))
	case "second rejected":
		s.keep(conn, ev)
		ev.Ack(json.RawMessage(`{"status":"ok","accepted":0,"rejected":[{"index":1,"code":"invalid_payload","field":"lat"}]}`))
	case "refused whole":
		ev.Ack(json.RawMessage(`{"status":"error","error":"no","code":"invalid_payload","field":"lng"}`))
	default:
		s.keep(conn, ev)
		ev.Ack(json.RawMessage(`{"status":"ok","accepted":0,"rejected":[]}`))
	}
}

func (s *troubled) keep(conn realtime.Socket, ev realtime.Event) {
	token, _ := conn.Data().(string)
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasPrefix(string(ev.Args[0]), "{") {
		s.kept[token] = append(s.kept[token], ev.Args[0])
		return
	}
	var positions []json.RawMessage
	_ = json.Unmarshal(ev.Args[0], &positions) // what is no array is not kept, and missed below
	s.kept[token] = append(s.kept[token], positions...)
}

// positions returns what was kept of a driver.
func (s *troubled) positions(token string) []json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[token]
}

// run drives one trip of n points, all due at once, through the troubles.
func run(t *testing.T, n int, troubles ...string) (Summary, *troubled, []string) {
	t.Helper()
	handler := &troubled{troubles: troubles, kept: make(map[string][]json.RawMessage)}
	server := native.New(realtime.Options{Logger: slog.New(slog.DiscardHandler)})
	server.Namespace("/tracking", handler)
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		if err := server.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	var points []traces.Point
	for i := range n {
		lat := float64(i)
		points = append(points, traces.Point{Lat: &lat, Lng: &lat})
	}
	var verdicts []string
	summary, err := Run(t.Context(), Config{
		URL: web.URL, Traces: []traces.Trace{{Name: "trip", Points: points}}, Companies: []string{"acme"},
		Token: func(driver, company string) (string, error) { return driver + "/" + company, nil },
		OnVerdict: func(_ string, index int, sent Position, code string) {
			verdicts = append(verdicts, fmt.Sprintf("%d:%v:%s", index, *sent.Lat, code))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return summary, handler, verdicts
}

func TestEveryPointIsJudgedWhateverHappens(t *testing.T) {
	summary, server, verdicts := run(t, 3, "connection lost", "rate limited", "unavailable", "ack lost", "second rejected")
	if diff := cmp.Diff([]string{"0:0:", "1:1:invalid_payload", "2:2:"}, verdicts); diff != "" {
		t.Error(diff)
	}
	summary.Elapsed = 0
	want := Summary{Drivers: 1, Sent: 3, Accepted: 2, Rejected: map[string]int64{"invalid_payload lat": 1}, Reconnects: 2}
	if diff := cmp.Diff(want, summary); diff != "" {
		t.Error(diff)
	}
	// What was not acknowledged came twice: at least once is the promise.
	if kept := server.positions("trip/acme"); len(kept) != 6 {
		t.Errorf("the server has %d positions, want 6: %s", len(kept), kept)
	}
}

func TestSinglePointAndWholeRefusal(t *testing.T) {
	summary, server, verdicts := run(t, 1, "refused whole")
	if diff := cmp.Diff([]string{"0:0:invalid_payload"}, verdicts); diff != "" {
		t.Error(diff)
	}
	if summary.Rejected["invalid_payload lng"] != 1 || len(server.positions("trip/acme")) != 0 {
		t.Errorf("summary %+v, kept %s", summary, server.positions("trip/acme"))
	}
	_, server, _ = run(t, 1)
	if kept := server.positions("trip/acme"); len(kept) != 1 || string(kept[0]) != `{"lat":0,"lng":0}` {
		t.Errorf("a single point was sent as %s", kept)
	}
}

func TestLongBatchesAreCut(t *testing.T) {
	summary, server, _ := run(t, maxBatch+10)
	if summary.Accepted != maxBatch+10 || len(server.positions("trip/acme")) != maxBatch+10 {
		t.Errorf("accepted %d, kept %d", summary.Accepted, len(server.positions("trip/acme")))
	}
}

func TestRefusedDriverEndsTheRun(t *testing.T) {
	server := native.New(realtime.Options{Logger: slog.New(slog.DiscardHandler)})
	server.Namespace("/tracking", &troubled{})
	web := httptest.NewServer(server)
	defer web.Close()
	defer func() { _ = server.Drain(context.Background()) }()
	_, err := Run(t.Context(), Config{
		URL: web.URL, Drivers: 2, Token: func(string, string) (string, error) { return "refused", nil },
	})
	var refused *sioclient.ConnectError
	if !errors.As(err, &refused) || refused.Code != "auth_invalid" {
		t.Errorf("Run = %v", err)
	}
}

// Where there is no server, or something else, the fleet says so at once; nothing is tried for ever.
func TestNoServer(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for url, says := range map[string]string{closed.URL: "connection refused", other.URL: "404"} {
		summary, err := Run(t.Context(), Config{URL: url, Drivers: 2, Token: func(string, string) (string, error) { return "t", nil }})
		if !errors.Is(err, ErrNoServer) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), url) || summary.Sent != 0 {
			t.Errorf("Run = %+v, %v; want an error that says %q", summary, err, says)
		}
	}
}

// A server that goes away once it was there is waited for, and what was sent meanwhile arrives.
func TestServerThatComesBack(t *testing.T) {
	handler := &troubled{kept: make(map[string][]json.RawMessage)}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve := func(listener net.Listener) (stop func()) {
		server := native.New(realtime.Options{Logger: slog.New(slog.DiscardHandler)})
		server.Namespace("/tracking", handler)
		web := httptest.NewUnstartedServer(server)
		web.Listener = listener
		web.Start()
		return func() {
			_ = server.Drain(context.Background()) // nobody is left to wait for
			web.Close()
		}
	}
	stop := serve(listener)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var progress progress
	done := make(chan error, 1)
	go func() {
		_, err := Run(ctx, Config{
			URL: "http://" + listener.Addr().String(), Drivers: 1, Rate: 50, Companies: []string{"acme"}, Progress: &progress, ProgressEvery: time.Millisecond,
			Token: func(driver, company string) (string, error) { return driver + "/" + company, nil },
		})
		done <- err
	}()
	await(t, func() bool { return len(handler.positions("car-001/acme")) > 0 })
	stop()
	await(t, func() bool { return strings.Contains(progress.String(), "trying again") })
	if listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	before := len(handler.positions("car-001/acme"))
	stop = serve(listener)
	defer stop()
	await(t, func() bool { return len(handler.positions("car-001/acme")) > before })
	end()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// progress is what a fleet tells, safe to read meanwhile.
type progress struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *progress) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func await(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it never came about")
		}
	}
}

func TestMadeUpFleetDrivesUntilItsTimeIsOver(t *testing.T) {
	handler := &troubled{kept: make(map[string][]json.RawMessage)}
	server := native.New(realtime.Options{Logger: slog.New(slog.DiscardHandler)})
	server.Namespace("/tracking", handler)
	web := httptest.NewServer(server)
	defer web.Close()
	var progress strings.Builder
	summary, err := Run(t.Context(), Config{
		URL: web.URL, Drivers: 6, Rate: 4, Duration: 1200 * time.Millisecond, Companies: []string{"a", "b"},
		Token:    func(driver, company string) (string, error) { return driver + "/" + company, nil },
		Progress: &progress, ProgressEvery: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Drain(context.Background()); err != nil { // an update may still be on its way
		t.Fatal(err)
	}
	if handler.positions("car-001/a") == nil || handler.positions("car-006/b") == nil {
		t.Error("not every driver has driven")
	}
	if summary.Drivers != 6 || summary.Accepted < 12 || !strings.Contains(progress.String(), "6 drivers") {
		t.Errorf("%+v\n%s", summary, progress.String())
	}
}

func TestBadConfigurations(t *testing.T) {
	token := func(string, string) (string, error) { return "t", nil }
	for name, config := range map[string]Config{
		"slower than recorded": {Token: token, Drivers: 1, Speed: 0.5},
		"nobody":               {Token: token},
		"no rate":              {Token: token, Drivers: 1, Rate: -1},
	} {
		if _, err := Run(t.Context(), config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
