package event_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/limit"
	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/internal/sockets/event"
	"rolecall/test/servicetest"
	"rolecall/test/socketstest"
)

const deadline = socketstest.Deadline

// door is a namespace whose every event goes through a router. The CONNECT payload says who is calling.
type door struct {
	*event.Router
	url string
	log *servicetest.Lines
	t   *testing.T
}

func (d *door) Authenticate(_ context.Context, socket realtime.Socket, hs realtime.Handshake) error {
	var who auth.Identity
	if err := json.Unmarshal(hs.Auth, &who); err != nil {
		return err
	}
	socket.SetData(who)
	return nil
}

func (d *door) Connected(realtime.Socket) {}

func (d *door) Event(socket realtime.Socket, ev realtime.Event) {
	who, _ := socket.Data().(auth.Identity)
	d.Route(&event.Caller{Socket: socket, Who: who}, ev)
}

func (d *door) Disconnected(realtime.Socket, string) {}

func rates() map[limit.Kind]limit.Rate { return socketstest.Rates() }

// newDoor serves a router until the test ends; register adds its events.
func newDoor(t *testing.T, buckets *limit.Buckets, register func(r *event.Router)) *door {
	t.Helper()
	d := &door{log: &servicetest.Lines{}, t: t}
	log := slog.New(slog.NewTextHandler(d.log, nil))
	d.Router = event.NewRouter(event.Options{Decoder: socketstest.Decoder(t), Buckets: buckets, Logger: log})
	register(d.Router)
	server := native.New(realtime.Options{MaxPayload: 1_000_000, Logger: log})
	server.Namespace("/", d)
	d.url = socketstest.Serve(t, server)
	return d
}

type client struct {
	*socketstest.Client
	t *testing.T
}

func (d *door) dial(who auth.Identity) *client {
	d.t.Helper()
	c, err := socketstest.Dial(d.t, d.url, sioclient.Options{Auth: who})
	if err != nil {
		d.t.Fatalf("dial: %v", err)
	}
	return &client{c, d.t}
}

func (c *client) ask(name string, args ...any) string {
	c.t.Helper()
	return c.Ask(name, args...)
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

func (c *client) hears(name string) string {
	c.t.Helper()
	return c.Hears(name)
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

func (c *client) ended() {
	c.t.Helper()
	c.Ended()
}

func person(id string, role roles.Role) auth.Identity { return auth.Identity{UserID: id, Role: role} }
