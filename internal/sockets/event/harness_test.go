package event_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/limit"
	"rolecall/internal/payload"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
	"rolecall/internal/sioclient"
	"rolecall/internal/sockets/event"
)

// deadline is how long a test waits for what must happen; it runs out only where something is broken.
const deadline = 20 * time.Second

// door is a namespace whose every event goes through a router. The CONNECT payload says who is calling.
type door struct {
	*event.Router
	url string
	log *logBuffer
	t   *testing.T
}

func (d *door) Authenticate(_ context.Context, conn *realtime.Conn, hs realtime.Handshake) error {
	var who auth.Identity
	if err := json.Unmarshal(hs.Auth, &who); err != nil {
		return err
	}
	conn.SetData(who)
	return nil
}

func (d *door) Connected(*realtime.Conn) {}

func (d *door) Event(conn *realtime.Conn, ev realtime.Event) {
	who, _ := conn.Data().(auth.Identity)
	d.Route(&event.Caller{Conn: conn, Who: who}, ev)
}

func (d *door) Disconnected(*realtime.Conn, string) {}

// logBuffer keeps the log for the test to read.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// rates are so high that no test meets them by accident.
func rates() map[limit.Kind]limit.Rate {
	all := limit.Defaults()
	for kind := range all {
		all[kind] = limit.Rate{Requests: 1_000_000, Period: time.Second, Burst: 1_000_000}
	}
	return all
}

// newDoor serves a router until the test ends; register adds its events.
func newDoor(t *testing.T, buckets *limit.Buckets, register func(r *event.Router)) *door {
	t.Helper()
	decoder, err := payload.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	d := &door{log: &logBuffer{}, t: t}
	log := slog.New(slog.NewTextHandler(d.log, nil))
	d.Router = event.NewRouter(decoder, buckets, log)
	register(d.Router)
	server := realtime.New(realtime.Options{MaxPayload: 1_000_000, Logger: log})
	server.Namespace("/", d)
	web := httptest.NewServer(server)
	d.url = web.URL
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		if err := server.Drain(ctx); err != nil {
			t.Errorf("drain: %v", err)
		}
		web.Close()
	})
	return d
}

// client is a connected client that fails its test where a call fails.
type client struct {
	*sioclient.Client
	t *testing.T
}

func (d *door) dial(who auth.Identity) *client {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	c, err := sioclient.Dial(ctx, d.url, sioclient.Options{Auth: who})
	if err != nil {
		d.t.Fatalf("dial: %v", err)
	}
	d.t.Cleanup(c.Close)
	return &client{c, d.t}
}

// ask sends an event and returns its ack.
func (c *client) ask(name string, args ...any) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	ack, err := c.Call(ctx, name, args...)
	if err != nil {
		c.t.Fatalf("%s: %v", name, err)
	}
	return string(ack)
}

// tell sends an event without asking for an ack.
func (c *client) tell(name string, args ...any) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := c.Emit(ctx, name, args...); err != nil {
		c.t.Fatalf("%s: %v", name, err)
	}
}

// hears waits for the next event of that name.
func (c *client) hears(name string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	got, err := c.Wait(ctx, name)
	if err != nil {
		c.t.Fatalf("%s was not heard: %v", name, err)
	}
	return string(got)
}

// heardNothing fails the test if any event has come; what was sent before the answer to an event is here by then.
func (c *client) heardNothing() {
	c.t.Helper()
	c.ask("no:such")
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if ev, err := c.Next(ctx); err == nil {
		c.t.Errorf("heard %s %s", ev.Name, ev.Args)
	}
}

// ended waits until the server has closed the connection.
func (c *client) ended() {
	c.t.Helper()
	select {
	case <-c.Done():
	case <-time.After(deadline):
		c.t.Fatal("the connection was not closed")
	}
}

func person(id string, role roles.Role) auth.Identity { return auth.Identity{UserID: id, Role: role} }
