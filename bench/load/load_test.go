//go:build linux

package load

import (
	"context"
	"encoding/json"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
)

const (
	testSecret = "a secret of thirty-two bytes, no less"
	deadline   = 20 * time.Second
)

// relay sends every "say" to the rooms of whom it stands among, and acks it, unless it is told to refuse.
type relay struct {
	verifier *auth.Verifier
	server   *native.Server
	refuse   atomic.Bool
	gone     chan struct{}
}

func (r *relay) Authenticate(ctx context.Context, _ realtime.Socket, hs realtime.Handshake) error {
	var sent struct{ Token string }
	if err := json.Unmarshal(hs.Auth, &sent); err != nil {
		return err
	}
	if _, err := r.verifier.Verify(ctx, sent.Token); err != nil {
		return &realtime.Refusal{Message: "Invalid token", Code: "auth_invalid"}
	}
	return nil
}

func (r *relay) Connected(realtime.Socket) {}

func (r *relay) Event(conn realtime.Socket, event realtime.Event) {
	if event.Name == "room:join" {
		conn.Join("room")
	} else if len(event.Args) > 0 {
		r.server.Emitter("/").Emit("said", event.Args[0], []string{"room"}, nil)
	}
	status := "ok"
	if r.refuse.Load() {
		status = "error"
	}
	event.Ack(map[string]string{"status": status})
}

func (r *relay) Disconnected(realtime.Socket, string) { r.gone <- struct{}{} }

// serve starts a relay and returns its address.
func serve(t *testing.T) (*relay, string) {
	t.Helper()
	verifier, err := auth.NewVerifier(t.Context(), auth.Options{Secret: []byte(testSecret)})
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{verifier: verifier, gone: make(chan struct{}, 100), server: native.New(realtime.Options{})}
	r.server.Namespace("/", r)
	web := httptest.NewServer(r.server)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		if err := r.server.Drain(ctx); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	return r, web.Listener.Addr().String()
}

func startCrew(t *testing.T) *Crew {
	t.Helper()
	crew, err := Start(context.Background(), 2, asWorker)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := crew.Stop(); err != nil {
			t.Error(err)
		}
	})
	return crew
}

func mustOpen(t *testing.T, crew *Crew, o Open) {
	t.Helper()
	o.Secret, o.Role, o.Parallel = testSecret, "vendor", 8
	opened, err := crew.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if opened.Ready != o.Count || opened.Lost != 0 || opened.Times.Total() != uint64(o.Count) {
		t.Fatalf("%d of %d ready, %d lost (%s), %d timed", opened.Ready, o.Count, opened.Lost, opened.FirstLoss, opened.Times.Total())
	}
}

// collect sums up reports until enough is true of the sum.
func collect(t *testing.T, crew *Crew, enough func(Counts) bool) Counts {
	t.Helper()
	var sum Counts
	for end := time.Now().Add(deadline); time.Now().Before(end); {
		counts, err := crew.Report()
		if err != nil {
			t.Fatal(err)
		}
		sum.merge(&counts)
		if enough(sum) {
			return sum
		}
	}
	t.Fatalf("after %v: %+v", deadline, sum)
	return sum
}

// Each reader of each worker hears each event once, in a time that can be; each event is acked once.
func TestCrewCountsEveryDelivery(t *testing.T) {
	_, address := serve(t)
	crew := startCrew(t)
	const readers, senders = 7, 3
	mustOpen(t, crew, Open{Group: "reader", Server: address, Count: readers, Room: "room", Marker: "sent=", Network: "127.0.1"})
	mustOpen(t, crew, Open{Group: "sender", Server: address, Count: senders, Network: "127.0.2"})
	if err := crew.Send(Send{Group: "sender", Event: `["say",{"text":"sent={stamp};","at":{millis}}]`, PerSecond: 300}); err != nil {
		t.Fatal(err)
	}
	before := collect(t, crew, func(c Counts) bool { return c.Sent >= 60 })
	if err := crew.Send(Send{Group: "sender"}); err != nil {
		t.Fatal(err)
	}
	sum := before
	rest := collect(t, crew, func(c Counts) bool {
		return before.Acked+c.Acked == before.Sent+c.Sent && before.Delivered+c.Delivered == readers*(before.Sent+c.Sent)
	})
	sum.merge(&rest)
	if sum.Latency.Total() != sum.Delivered || sum.AckLatency.Total() != sum.Acked {
		t.Errorf("%d latencies of %d deliveries, %d of %d acks", sum.Latency.Total(), sum.Delivered, sum.AckLatency.Total(), sum.Acked)
	}
	if p50 := sum.Latency.Percentile(0.5); p50 <= 0 || sum.Latency.Longest() > deadline {
		t.Errorf("latency: p50 %v, longest %v", p50, sum.Latency.Longest())
	}
	if sum.Refused != 0 || sum.Closed != 0 || sum.HeldBack != 0 {
		t.Errorf("%d refused, %d closed, %d held back", sum.Refused, sum.Closed, sum.HeldBack)
	}
}

// An ack that reports an error is no success.
func TestRefusedEventsAreCounted(t *testing.T) {
	r, address := serve(t)
	crew := startCrew(t)
	mustOpen(t, crew, Open{Group: "sender", Server: address, Count: 1, Network: "127.0.1"})
	r.refuse.Store(true)
	if err := crew.Send(Send{Group: "sender", Event: `["say",1]`, PerSecond: 100}); err != nil {
		t.Fatal(err)
	}
	if sum := collect(t, crew, func(c Counts) bool { return c.Refused > 3 }); sum.Acked != 0 {
		t.Errorf("%d acked", sum.Acked)
	}
}

func TestClientsTurnedAwayAreLost(t *testing.T) {
	r, address := serve(t)
	crew := startCrew(t)
	opened, err := crew.Open(Open{Group: "forger", Server: address, Count: 4, Secret: strings.Repeat("x", 32), Role: "vendor", Network: "127.0.1", Parallel: 4})
	if err != nil {
		t.Fatal(err)
	}
	if opened.Lost != 4 || opened.Ready != 0 || !strings.Contains(opened.FirstLoss, "Invalid token") {
		t.Errorf("wrong secret: %d lost, %d ready, %q", opened.Lost, opened.Ready, opened.FirstLoss)
	}
	r.refuse.Store(true)
	opened, err = crew.Open(Open{Group: "visitor", Server: address, Count: 2, Secret: testSecret, Role: "vendor", Room: "room", Network: "127.0.1", Parallel: 2})
	if err != nil {
		t.Fatal(err)
	}
	if opened.Lost != 2 || !strings.Contains(opened.FirstLoss, "not let into the room") {
		t.Errorf("closed room: %d lost, %q", opened.Lost, opened.FirstLoss)
	}
}

// Clients that only come and go leave nothing behind on the server.
func TestLeavingClients(t *testing.T) {
	r, address := serve(t)
	crew := startCrew(t)
	mustOpen(t, crew, Open{Group: "passer-by", Server: address, Count: 20, Network: "127.0.1", Waves: true, Leave: true})
	end := time.After(deadline)
	for gone := range 20 {
		select {
		case <-r.gone:
		case <-end:
			t.Fatalf("%d of 20 have gone", gone)
		}
	}
}

// A stalled client stays connected and takes nothing in.
func TestStalledClientsReadNothing(t *testing.T) {
	r, address := serve(t)
	crew := startCrew(t)
	mustOpen(t, crew, Open{Group: "stalled", Server: address, Count: 2, Room: "room", Marker: "sent=", ReceiveBuffer: 4096, Network: "127.0.1"})
	mustOpen(t, crew, Open{Group: "reader", Server: address, Count: 1, Room: "room", Marker: "sent=", Network: "127.0.1"})
	if err := crew.Stall("stalled"); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, crew, Open{Group: "sender", Server: address, Count: 1, Network: "127.0.2"})
	if err := crew.Send(Send{Group: "sender", Event: `["say","sent={stamp};"]`, PerSecond: 200}); err != nil {
		t.Fatal(err)
	}
	if sum := collect(t, crew, func(c Counts) bool { return c.Acked >= 20 }); sum.Delivered > sum.Sent {
		t.Errorf("%d delivered of %d sent to one reader", sum.Delivered, sum.Sent)
	}
	if gone := len(r.gone); gone != 0 {
		t.Errorf("%d have gone", gone)
	}
}

// A server that takes connections and says nothing costs the time-out once, not once a client.
func TestSilentServer(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	w, err := newWorker()
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	w.patience, w.timeout = 10*time.Millisecond, 500*time.Millisecond
	began := time.Now()
	opened, err := w.open(Open{Group: "hopeful", Server: listener.Addr().String(), Count: 10, Secret: testSecret, Role: "vendor", Network: "127.0.1", Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	if opened.Lost != 10 || !strings.Contains(opened.FirstLoss, "not ready after") {
		t.Errorf("%d lost, %q", opened.Lost, opened.FirstLoss)
	}
	if took := time.Since(began); took > 10*w.timeout {
		t.Errorf("took %v, as if each waited for the one before", took)
	}
}

func TestOrdersThatCannotBeCarriedOut(t *testing.T) {
	var answers strings.Builder
	orders := strings.NewReader(`{} {"send":{"group":"nobody"}} {"stall":"nobody"} {"open":{"role":"king","count":1}}`)
	if err := Work(orders, &answers); err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(answers.String()))
	for _, want := range []string{"without content", "nobody", "nobody", "king"} {
		var answer Answer
		if err := decoder.Decode(&answer); err != nil || !strings.Contains(answer.Error, want) {
			t.Errorf("answer %+v, %v, want one about %q", answer, err, want)
		}
	}
	if err := Work(strings.NewReader("no JSON"), &answers); err == nil {
		t.Error("no error for an order that is no JSON")
	}
}

func TestCountFindsEveryMarker(t *testing.T) {
	w := &worker{}
	g := &group{marker: []byte(`"seq":`)}
	at := time.Now().Add(-time.Second).UnixMicro()
	text, err := json.Marshal([]map[string]int64{{"seq": at}, {"other": 1}, {"seq": at}})
	if err != nil {
		t.Fatal(err)
	}
	w.count(g, text)
	w.count(&group{}, text)
	if w.counts.Delivered != 2 || w.counts.Latency.Percentile(0) < time.Second || w.counts.Latency.Longest() > time.Minute {
		t.Errorf("%d markers, latency from %v to %v", w.counts.Delivered, w.counts.Latency.Percentile(0), w.counts.Latency.Longest())
	}
}
