// Package sockets is the socket door: it mounts the three domains on their namespaces and does for every socket what
// comes before any event: authentication, rooms, greeting, and the end of the token.
package sockets

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/go-json-experiment/json"
	"go.opentelemetry.io/otel/trace"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/fault"
	"rolecall/internal/keylock"
	"rolecall/internal/limit"
	"rolecall/internal/payload"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
	"rolecall/internal/sockets/event"
	"rolecall/internal/turns"
)

// DefaultMaxSocketsPerUser is Options.MaxSocketsPerUser where nothing else is said.
const DefaultMaxSocketsPerUser = 20

// presenceTimeout bounds what is done when a socket has come or gone.
const presenceTimeout = 10 * time.Second

// Domain is one of chat, tracking and system. It may be a Welcomer and a Farewell as well.
type Domain interface {
	// Register adds the domain's events to a namespace.
	Register(r *event.Router)
}

// Preparer is a Domain that makes a socket ready before it is let in, as its client asks for when it connects.
type Preparer interface {
	// Prepare fails with a fault where it cannot be told what the client asks for, and the socket is refused.
	Prepare(socket realtime.Socket, handshake realtime.Handshake) error
}

// Welcomer is a Domain that has something to tell a new socket first.
type Welcomer interface {
	// Welcome is called before any event of the socket. Where it fails, as what it tells cannot be read for the moment, it is
	// called again, later and beside the events of the socket, until it does not.
	Welcome(ctx context.Context, caller *event.Caller) error
}

// Farewell is a Domain that has something to tell others when a socket has ended.
type Farewell interface {
	// Farewell is called once for each welcome; chatRooms are the chat rooms the socket had joined.
	Farewell(ctx context.Context, who auth.Identity, chatRooms []roles.ChatRoom)
}

// Presence hears that one of a person's sockets has come or gone. One that went before it was greeted only goes.
type Presence interface {
	// Seen is told of who is about to be let in: from then on others may ask for them.
	Seen(ctx context.Context, who auth.Identity)
	Came(ctx context.Context, who auth.Identity)
	Went(ctx context.Context, who auth.Identity)
}

// Nodes has what other nodes tell rooms heard here, and asks them.
type Nodes interface {
	// Listen returns when it is, and it stays so until release is called and no socket stands in the rooms.
	Listen(ctx context.Context, rooms ...roles.Room) (release func())
	// Ask asks the other nodes that listen to the question's room, and calls each with their answers. It returns how many have
	// given none within ctx, and fails where none can be asked.
	Ask(ctx context.Context, question bus.Message, each func(answer bus.Message) (more bool)) (missing int, err error)
	// Answer has questions of a kind answered that other nodes ask.
	Answer(kind string, answer func(ctx context.Context, question bus.Message) ([]byte, error))
}

// Verifier turns a token into an identity.
type Verifier interface {
	Verify(ctx context.Context, token string) (auth.Identity, error)
	// Tell hears why there was no token to verify.
	Tell(ctx context.Context, err error)
	// Revoked reports whether the token of an identity has been revoked since it was verified.
	Revoked(who auth.Identity) bool
}

// Mount is what all namespaces share.
type Mount struct {
	engine   realtime.Engine
	verifier Verifier
	presence Presence
	nodes    Nodes // nil where there are no others
	decoder  *payload.Decoder
	buckets  *limit.Buckets
	log      *slog.Logger
	now      func() time.Time
	meters   func(namespace string) Meter
	events   func(event string) event.Meter
	tracer   trace.Tracer
	// maxPerUser is how many sockets one user may have open, over all namespaces.
	maxPerUser int
	// patience is how long a CONNECT may wait for what passes.
	patience time.Duration

	// counting holds back other sockets of a user while one is counted and let in.
	counting keylock.Mutex
	claims   claims
	// node tells this node from others to those who ask of a user's sockets.
	node uint64
	// renewers are those of each namespace. It does not change once all are mounted.
	renewers map[string][]Renewer
	// greetings has sockets greeted a few at a time, whoever comes with how many.
	greetings *turns.Turns
}

// Options is what the socket door needs.
type Options struct {
	Engine   realtime.Engine
	Verifier Verifier
	Presence Presence
	// Nodes is nil where there are no others.
	Nodes   Nodes
	Decoder *payload.Decoder
	Buckets *limit.Buckets
	Logger  *slog.Logger
	Now     func() time.Time
	// MaxSocketsPerUser is how many sockets one user may have open, over all namespaces; 0 for the default.
	MaxSocketsPerUser int
	// Patience is how long a CONNECT may wait for what passes before its connection is closed; 0 for the default.
	Patience time.Duration
	// Meters, where set, makes the meter of a namespace's sockets, and Events that of the events of one name.
	Meters func(namespace string) Meter
	Events func(event string) event.Meter
	// Tracer, where set, begins a trace with each event.
	Tracer trace.Tracer
}

// New returns a Mount; Namespace fills it.
func New(o Options) *Mount {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxSocketsPerUser <= 0 {
		o.MaxSocketsPerUser = DefaultMaxSocketsPerUser
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	m := &Mount{
		engine: o.Engine, verifier: o.Verifier, presence: o.Presence, nodes: o.Nodes,
		decoder: o.Decoder, buckets: o.Buckets, log: o.Logger, now: o.Now, maxPerUser: o.MaxSocketsPerUser, patience: o.Patience,
		meters: o.Meters, events: o.Events, tracer: o.Tracer,
		greetings: greetingTurns(), renewers: make(map[string][]Renewer), node: rand.Uint64(),
	}
	if m.nodes != nil {
		m.nodes.Answer(kindCrowd, m.answerCrowd)
	}
	return m
}

// Namespace mounts domains on a namespace and returns its router. A socket is welcomed by them in their order.
func (m *Mount) Namespace(name string, domains ...Domain) *event.Router {
	n := &namespace{Mount: m, meter: unmetered{}, router: event.NewRouter(event.Options{
		Decoder: m.decoder, Buckets: m.buckets, Logger: m.log, Meters: m.events, Tracer: m.tracer,
	})}
	if m.meters != nil {
		n.meter = m.meters(name)
	}
	event.OnSocket(n.router, eventRefresh, access.RefreshToken(), m.refresh)
	for _, domain := range domains {
		domain.Register(n.router)
		if preparer, ok := domain.(Preparer); ok {
			n.preparers = append(n.preparers, preparer)
		}
		if welcomer, ok := domain.(Welcomer); ok {
			n.welcomers = append(n.welcomers, welcomer)
		}
		if renewer, ok := domain.(Renewer); ok {
			m.renewers[name] = append(m.renewers[name], renewer)
		}
		if farewell, ok := domain.(Farewell); ok {
			n.farewells = append(n.farewells, farewell)
		}
	}
	m.engine.Namespace(name, n)
	return n.router
}

// namespace implements realtime.Handler.
type namespace struct {
	*Mount
	router    *event.Router
	meter     Meter
	preparers []Preparer
	welcomers []Welcomer
	farewells []Farewell
}

// Authenticate lets a socket in, and into the rooms of its identity, or refuses it.
func (n *namespace) Authenticate(ctx context.Context, socket realtime.Socket, hs realtime.Handshake) error {
	begun := time.Now()
	err := n.letIn(ctx, socket, hs)
	var refused *realtime.Refusal
	switch {
	case err == nil:
		n.meter.LetIn(time.Since(begun))
	case errors.As(err, &refused) && ctx.Err() == nil:
		n.meter.Refused(refused.Code)
		return n.orLater(ctx, refused)
	}
	return err
}

func (n *namespace) letIn(ctx context.Context, socket realtime.Socket, hs realtime.Handshake) error {
	token, err := tokenOf(hs)
	if err != nil {
		n.verifier.Tell(ctx, err)
		return refuse(err)
	}
	who, err := n.verifier.Verify(ctx, token)
	if err != nil {
		return refuse(err)
	}
	socket.ShareRate(who.UserID)
	if err := n.awaitTurn(ctx, who.UserID); err != nil {
		return err
	}
	for _, domain := range n.preparers {
		if err := domain.Prepare(socket, hs); err != nil {
			known := fault.From(err)
			return &realtime.Refusal{Message: known.Message, Code: string(known.Code)}
		}
	}
	socket.SetData(&credential{socket: socket, now: n.now, since: n.now(), who: who})

	defer n.listen(ctx, who.Rooms())() // before the socket is in them: whatever is told from now on reaches it
	if !n.admit(ctx, who.UserID, func() { n.presence.Seen(ctx, who) }, func() { socket.Join(roles.Names(who.Rooms())...) }) {
		return &realtime.Refusal{Message: "Too many connections", Code: string(fault.TooManyConnections)}
	}
	return nil
}

// listen has what other nodes tell rooms heard, until release is called and no socket stands in them.
func (m *Mount) listen(ctx context.Context, rooms []roles.Room) (release func()) {
	if m.nodes == nil {
		return func() {}
	}
	return m.nodes.Listen(ctx, rooms...)
}

// Event routes an event.
func (n *namespace) Event(socket realtime.Socket, ev realtime.Event) {
	n.router.Route(&event.Caller{Socket: socket, Who: credentialOf(socket).identity()}, ev)
}

// Disconnected cleans up after a socket.
func (n *namespace) Disconnected(socket realtime.Socket, _ string) {
	credential := credentialOf(socket)
	credential.stop()
	who := credential.identity()
	n.meter.Closed(who.Role)
	var chatRooms []roles.ChatRoom
	for _, room := range roles.Rooms(socket.Rooms()) {
		if joined, ok := roles.ChatRoomOf(room); ok {
			chatRooms = append(chatRooms, joined)
		}
	}
	n.after(func(ctx context.Context) {
		if credential.greeted {
			for _, domain := range n.farewells {
				domain.Farewell(ctx, who, chatRooms)
			}
		}
		n.presence.Went(ctx, who) // in any case: it has been counted, by who went in the same moment
	})
}

// after does what does not end with the socket: whoever leaves while being announced has to be announced as gone.
func (n *namespace) after(tell func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), presenceTimeout)
	defer cancel()
	tell(ctx)
}

// tokenOf finds the token in the CONNECT payload or in the handshake's Authorization header.
func tokenOf(hs realtime.Handshake) (string, error) {
	var sent struct {
		Token string `json:"token"`
	}
	if len(hs.Auth) > 0 {
		if err := json.Unmarshal(hs.Auth, &sent); err != nil {
			return "", auth.Malformed("the payload of CONNECT is no object with the text token")
		}
	}
	if sent.Token != "" {
		return sent.Token, nil
	}
	return auth.Bearer(hs.Authorization)
}

func refuse(err error) *realtime.Refusal {
	refusal := auth.Refusal(err)
	return &realtime.Refusal{Message: refusal.Message, Code: string(refusal.Code)}
}
