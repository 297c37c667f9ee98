// Package adminui is the server's side of the official Socket.IO Admin UI: the namespace over which admins see sockets and
// rooms, and move sockets or send them away. What it speaks is the UI's own protocol
// (https://socket.io/docs/v4/admin-ui/), of events with several arguments and no acknowledgements.
//
// While nobody looks it costs nothing. While somebody does, a round a second tells each of them what has changed of the few
// hundred sockets that they are shown, so what it costs does not grow with what all others do.
package adminui

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/payload"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
	"rolecall/internal/services/administration"
	"rolecall/internal/services/chat"
	"rolecall/internal/sockets/event"
)

// Namespace is the one that the Admin UI connects to unless it is told another.
const Namespace = "/admin"

// maxViewers is how many sockets may look at a time.
const maxViewers = 10

// Verifier turns a token into an identity.
type Verifier interface {
	Verify(ctx context.Context, token string) (auth.Identity, error)
	// Revoked reports whether the token of an identity has been revoked since it was verified.
	Revoked(who auth.Identity) bool
}

// People knows whose the sockets of other namespaces are.
type People interface {
	// Who returns for whom a socket speaks, and since when it has been here; known is false of one that it does not know.
	Who(socket realtime.Socket) (who auth.Identity, since time.Time, known bool)
}

// Deeds are what admins do to sockets; see administration.Service.
type Deeds interface {
	DisconnectSocket(ctx context.Context, who auth.Identity, of administration.Subject, socket administration.Connected, closeConnection bool) error
	DisconnectRoom(ctx context.Context, who auth.Identity, room roles.Room) error
	JoinSocket(ctx context.Context, who auth.Identity, of administration.Subject, room roles.ChatRoom, in administration.Membership) error
	LeaveSocket(ctx context.Context, who auth.Identity, of administration.Subject, room roles.ChatRoom, in administration.Membership) error
}

// Chat lets sockets into chat rooms; see chat.Service.
type Chat interface {
	Join(ctx context.Context, who auth.Identity, entry chat.Entry, socket chat.Member) (chat.Entered, error)
	Leave(ctx context.Context, who auth.Identity, roomID string, socket chat.Member) error
}

// Nodes are the other servers, and what they tell.
type Nodes interface {
	Publish(ctx context.Context, message bus.Message)
	Handle(kind string, handler func(ctx context.Context, message bus.Message))
}

// Options is what a Door needs.
type Options struct {
	// ShowSockets: not only figures of whole servers. MayAct: admins may move sockets and send them away.
	ShowSockets, MayAct bool
	Engine              realtime.Engine
	Verifier            Verifier
	People              People
	Deeds               Deeds
	Chat                Chat
	// ChatNamespaces are those whose sockets may be in chat rooms.
	ChatNamespaces []string
	Nodes          Nodes
	Decoder        *payload.Decoder
	Buckets        *limit.Buckets
	// Passwords has the bcrypt hash of the password of each admin who signs in by name.
	Passwords map[string][]byte
	// NodeName is what this server is called; "" calls it by its host and process.
	NodeName string
	Logger   *slog.Logger
	Now      func() time.Time
}

// Door implements realtime.Handler for the namespace.
type Door struct {
	Options
	router  *event.Router
	gate    *gate
	watch   watcher
	figures figures

	mu       sync.Mutex
	viewers  map[realtime.Socket]*viewer
	arrivals []*viewer // who has not been welcomed yet
	// wanted is until when other nodes want to hear this one's figures, and told what others tell of theirs.
	wanted time.Time
	told   []serverStats
	// poke has the loop look at once.
	poke chan struct{}
}

// New returns a Door and registers it with the engine. Run must be called for it to do anything.
func New(o Options) *Door {
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Door{
		Options: o, router: event.NewRouter(event.Options{Decoder: o.Decoder, Buckets: o.Buckets, Logger: o.Logger}),
		gate: newGate(o), viewers: make(map[realtime.Socket]*viewer), poke: make(chan struct{}, 1),
	}
	d.figures = newFigures(o)
	d.watch.shown = make(map[realtime.Socket]int)
	if o.ShowSockets && o.MayAct {
		event.OnSocket(d.router, "_disconnect", access.DisconnectSocket(), d.disconnect, event.AsList())
		event.OnSocket(d.router, "join", access.MoveSocket(), d.join, event.AsList())
		event.OnSocket(d.router, "leave", access.MoveSocket(), d.leave, event.AsList())
	}
	o.Nodes.Handle(kindFigures, d.hear)
	o.Engine.Namespace(Namespace, d)
	return d
}

// Rules returns the rule of each event of the namespace.
func (d *Door) Rules() map[string]access.Rule { return d.router.Rules() }

// serverID tells servers apart.
func serverID(nodeName string) string {
	if nodeName != "" {
		return nodeName
	}
	return hostname() + "#" + strconv.Itoa(os.Getpid())
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// Authenticate lets admins in.
func (d *Door) Authenticate(ctx context.Context, socket realtime.Socket, hs realtime.Handshake) error {
	who, err := d.gate.signIn(ctx, hs)
	if err != nil {
		return err
	}
	rule := access.ReadEverySocket()
	if ok, _ := d.Buckets.Admit(who.identity.UserID, rule.Limit(), 1); !ok {
		return &realtime.Refusal{Message: "Rate limit exceeded", Code: string(fault.RateLimited)}
	}
	d.mu.Lock()
	full := len(d.viewers) >= maxViewers
	d.mu.Unlock()
	if full {
		return &realtime.Refusal{Message: "Too many connections", Code: string(fault.TooManyConnections)}
	}
	socket.SetData(who)
	return nil
}

// Connected has the loop welcome a socket.
func (d *Door) Connected(socket realtime.Socket) {
	who, _ := socket.Data().(*entrant)
	v := newViewer(socket, who)
	d.mu.Lock()
	d.viewers[socket] = v
	d.arrivals = append(d.arrivals, v)
	d.mu.Unlock()
	d.look()
}

// Event routes an event.
func (d *Door) Event(socket realtime.Socket, ev realtime.Event) {
	if v := d.viewer(socket); v != nil {
		d.router.Route(&event.Caller{Socket: socket, Who: v.identity}, ev)
	}
}

// Disconnected forgets a socket.
func (d *Door) Disconnected(socket realtime.Socket, _ string) {
	d.mu.Lock()
	v := d.viewers[socket]
	delete(d.viewers, socket)
	d.mu.Unlock()
	if v != nil {
		d.watch.forget(v.clear()...)
	}
	d.look()
}

func (d *Door) viewer(socket realtime.Socket) *viewer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.viewers[socket]
}

// look has the loop look at once.
func (d *Door) look() {
	select {
	case d.poke <- struct{}{}:
	default: // about to be done
	}
}

// supportedFeatures tells the page what it may offer.
func (d *Door) supportedFeatures() []string {
	features := []string{"AGGREGATED_EVENTS"}
	if d.ShowSockets {
		features = append(features, "ALL_EVENTS")
		if d.MayAct {
			features = append(features, "JOIN", "LEAVE", "DISCONNECT", "MDISCONNECT")
		}
	}
	return features
}
