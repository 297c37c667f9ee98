package realtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"rolecall/internal/realtime/codec"
	"rolecall/internal/realtime/engineio"
	"rolecall/internal/realtime/rooms"
)

// ErrNotConnected is returned for events to a socket that is not connected yet,
// or no longer.
var ErrNotConnected = errors.New("realtime: socket is not connected")

type connState int8

const (
	connAuthenticating connState = iota // Handler.Authenticate is running
	connAccepted                        // it has let the socket in, the library is connecting it
	connConnected
	connEnded
)

// phase is how far the client has been told of its socket.
type phase = int32

const (
	phaseConnecting phase = iota // nothing is delivered
	phaseHeld                    // let in: what is delivered waits behind the answer to CONNECT
	phaseOpen
	phaseGone
)

// Conn is one socket: a client in one namespace. All methods may be called from
// any goroutine. It implements rooms.Outlet.
type Conn struct {
	namespace  *namespace
	connection *connection
	socket     *socket.Socket
	ctx        context.Context //nolint:containedctx // it is the socket's lifetime
	cancel     context.CancelFunc

	phase atomic.Int32 // leaves phaseHeld under the connection's lock
	gate  *gate        // guarded by the connection's lock

	mu     sync.Mutex
	state  connState
	reason string
	// busy: Connected or Event is running, after which whoever runs it looks
	// whether the socket has ended meanwhile.
	busy bool
	free sync.Cond // told when busy falls or the socket ends
	data any

	roomsMu   sync.Mutex
	lastRooms []string // set when the socket leaves its rooms for good
	hasLeft   bool
}

func newConn(n *namespace, c *connection, s *socket.Socket) *Conn {
	ctx, cancel := context.WithCancel(context.Background())
	conn := &Conn{namespace: n, connection: c, socket: s, ctx: ctx, cancel: cancel}
	conn.free.L = &conn.mu
	return conn
}

// Namespace is the name of the namespace.
func (c *Conn) Namespace() string { return c.namespace.name }

// Context ends when the socket disconnects.
func (c *Conn) Context() context.Context { return c.ctx }

// SetData keeps a value with the socket.
func (c *Conn) SetData(v any) {
	c.mu.Lock()
	c.data = v
	c.mu.Unlock()
}

// Data is the value last given to SetData.
func (c *Conn) Data() any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.data
}

// Join puts the socket into rooms. On a socket that has disconnected it does nothing.
func (c *Conn) Join(names ...string) {
	c.roomsMu.Lock()
	defer c.roomsMu.Unlock()
	if !c.hasLeft {
		c.socket.Join(toRooms(names)...)
	}
}

// Leave takes the socket out of rooms.
func (c *Conn) Leave(names ...string) {
	c.roomsMu.Lock()
	defer c.roomsMu.Unlock()
	for _, room := range names {
		c.socket.Leave(rooms.Room(room))
	}
}

// InRoom says whether the socket stands in the room.
func (c *Conn) InRoom(room string) bool {
	return c.namespace.adapter.Table().Contains(c.socket.Id(), rooms.Room(room))
}

// Rooms lists the rooms the socket stands in, or stood in when it disconnected.
func (c *Conn) Rooms() []string {
	c.roomsMu.Lock()
	defer c.roomsMu.Unlock()
	if c.hasLeft {
		return slices.Clone(c.lastRooms)
	}
	return c.currentRooms()
}

// currentRooms leaves out the room that the library makes for each socket.
func (c *Conn) currentRooms() []string {
	joined, _ := c.namespace.adapter.Table().RoomsOf(c.socket.Id())
	names := make([]string, 0, len(joined))
	for _, room := range joined {
		if room != rooms.Room(c.socket.Id()) {
			names = append(names, string(room))
		}
	}
	return names
}

// leaving notes the rooms of a socket that is about to leave them.
func (c *Conn) leaving() {
	c.connection.leaving(c)
	c.roomsMu.Lock()
	defer c.roomsMu.Unlock()
	if !c.hasLeft {
		c.hasLeft, c.lastRooms = true, c.currentRooms()
	}
}

// Emit sends an event. The payload is encoded as JSON; raw JSON is sent as it is.
// It never waits for the client: one that does not read is disconnected.
func (c *Conn) Emit(event string, payload any) error {
	message, err := encodeEvent(c.namespace, event, payload)
	if err != nil {
		return err
	}
	if !c.isConnected() || !c.Deliver([]*engineio.Message{message}) {
		return ErrNotConnected
	}
	return nil
}

func (c *Conn) isConnected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == connConnected
}

// Deliver is part of rooms.Outlet.
func (c *Conn) Deliver(messages []*engineio.Message) bool {
	for {
		switch c.phase.Load() {
		case phaseOpen:
			c.connection.send(messages)
			return true
		case phaseHeld:
			if c.connection.hold(c, messages) {
				return true
			}
		default:
			return false
		}
	}
}

func encodeEvent(n *namespace, event string, payload any) (*engineio.Message, error) {
	if !codec.ValidEventName(event) {
		return nil, fmt.Errorf("realtime: %q cannot be the name of an event", event)
	}
	raw, err := codec.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("realtime: encode %s: %w", event, err)
	}
	return eventMessage(n, event, raw), nil
}

// eventMessage is an event with a payload that is JSON already.
func eventMessage(n *namespace, event string, payload json.RawMessage) *engineio.Message {
	return engineio.BuildText(codec.EventSize(n.name, event, payload), func(dst []byte) []byte {
		return codec.AppendEvent(dst, n.name, event, payload)
	}).Metered(&n.counters.queued)
}

// Disconnect takes the client out of the namespace or, with closeConnection, out
// of all its namespaces and closes the connection. A socket that is still being
// authenticated can only be disconnected by closing its connection.
func (c *Conn) Disconnect(closeConnection bool) {
	switch {
	case c.isConnected():
		c.socket.Disconnect(closeConnection)
	case closeConnection:
		c.connection.session.Close(engineio.ReasonForcedClose)
	}
}

// authenticated notes that Handler.Authenticate has returned.
func (c *Conn) authenticated(err error) {
	c.mu.Lock()
	if c.state == connAuthenticating && err == nil {
		c.state = connAccepted
		c.phase.CompareAndSwap(phaseConnecting, phaseHeld)
		c.mu.Unlock()
		return
	}
	c.state = connEnded
	c.mu.Unlock()
	c.gone()
}

// begin makes the socket connected and busy with Handler.Connected. It reports
// false when the socket has ended before.
func (c *Conn) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != connAccepted {
		return false
	}
	c.state, c.busy = connConnected, true
	return true
}

// end ends the socket once. Where Connected had been called, Disconnected will be;
// where Authenticate is running, its goroutine finds out.
func (c *Conn) end(reason string) {
	c.mu.Lock()
	before, busy := c.state, c.busy
	c.state = connEnded
	if before != connEnded {
		c.reason = reason
	}
	c.free.Broadcast()
	c.mu.Unlock()
	c.cancel()
	switch {
	case before == connAccepted:
		c.gone()
	case before == connConnected && !busy:
		// On a goroutine of its own: whoever ended the socket may be delivering to
		// a whole room, or hold a lock which the handler wants.
		go c.disconnected()
	}
}

// disconnected tells the handler.
func (c *Conn) disconnected() {
	defer c.gone()
	defer c.recoverFrom("disconnect")
	c.namespace.handler.Disconnected(c, c.reason)
}

// gone lets go of a socket that its handler will not hear of again.
func (c *Conn) gone() {
	c.cancel()
	c.namespace.counters.sockets.Add(-1)
	c.namespace.server.handlers.End()
}

// finish frees a socket that begin or startEvent has made busy.
func (c *Conn) finish() {
	c.mu.Lock()
	c.busy = false
	ended := c.state == connEnded
	c.free.Signal()
	c.mu.Unlock()
	if ended {
		c.disconnected()
	}
}

func (c *Conn) recoverFrom(event string) {
	if p := recover(); p != nil {
		c.namespace.server.log.Error("handler panicked",
			"namespace", c.namespace.name, "event", event, "panic", p, "stack", string(debug.Stack()))
	}
}
