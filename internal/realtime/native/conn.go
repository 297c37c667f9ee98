package native

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"rolecall/internal/realtime/native/engineio"
	"rolecall/internal/realtime/native/rooms"
)

// ErrNotConnected is returned for events to a socket that is not connected yet,
// or no longer.
var ErrNotConnected = errors.New("native: socket is not connected")

// How far a socket has come.
const (
	phaseConnecting int32 = iota // what is delivered waits behind the answer to CONNECT
	phaseOpen
	phaseLeft   // was open once
	phaseMissed // ended without having been open
)

// Conn is one socket: a client in one namespace. All methods may be called from
// any goroutine. It implements rooms.Outlet.
type Conn struct {
	namespace  *namespace
	connection *connection
	member     rooms.Member
	ctx        context.Context //nolint:containedctx // it is the socket's lifetime
	cancel     context.CancelFunc

	phase atomic.Int32 // changes under mu

	mu     sync.Mutex
	reason string
	held   []*engineio.Message // delivered while connecting
	// busy: Connected or Event is running, after which whoever runs it looks
	// whether the socket has ended meanwhile.
	busy  bool
	free  sync.Cond // told when busy falls or the socket ends
	calls *calls    // nil as long as there have been none
	data  any

	roomsMu   sync.Mutex
	lastRooms []string // set when the socket leaves its rooms for good
	hasLeft   bool
}

func newConn(n *namespace, c *connection) *Conn {
	ctx, cancel := context.WithCancel(context.Background())
	conn := &Conn{namespace: n, connection: c, ctx: ctx, cancel: cancel}
	conn.member.Outlet = conn
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
		c.namespace.rooms.Join(&c.member, names...)
	}
}

// Leave takes the socket out of rooms.
func (c *Conn) Leave(names ...string) { c.namespace.rooms.Leave(&c.member, names...) }

// InRoom says whether the socket stands in the room.
func (c *Conn) InRoom(room string) bool { return c.namespace.rooms.Contains(&c.member, room) }

// Rooms lists the rooms the socket stands in, or stood in when it disconnected.
func (c *Conn) Rooms() []string {
	c.roomsMu.Lock()
	defer c.roomsMu.Unlock()
	if c.hasLeft {
		return slices.Clone(c.lastRooms)
	}
	return c.namespace.rooms.RoomsOf(&c.member)
}

// leaveRooms takes the socket out of all rooms for good. When it returns the socket has
// left, whoever began with it.
func (c *Conn) leaveRooms() {
	c.roomsMu.Lock()
	defer c.roomsMu.Unlock()
	if !c.hasLeft {
		c.hasLeft, c.lastRooms = true, c.namespace.rooms.LeaveAll(&c.member)
	}
}

// Emit sends an event. The payload is encoded as JSON; raw JSON is sent as it is,
// a Payload with its attachments. It never waits for the client: one that does not
// read is disconnected.
func (c *Conn) Emit(event string, payload any) error {
	packet, err := encodeEvent(c.namespace, event, payload)
	if err != nil {
		return err
	}
	if c.isConnecting() || !c.Deliver(packet) {
		return ErrNotConnected
	}
	return nil
}

// IsOpen says whether CONNECT has been answered and the socket has not disconnected
// since. It implements engineio.Gate.
func (c *Conn) IsOpen() bool { return c.phase.Load() == phaseOpen }

// hasEnded says whether the socket has left its namespace, or will never be in it.
func (c *Conn) hasEnded() bool { return c.phase.Load() >= phaseLeft }

// Deliver is part of rooms.Outlet.
func (c *Conn) Deliver(messages []*engineio.Message) bool {
	for {
		switch c.phase.Load() {
		case phaseOpen:
			err := c.connection.session.SendWhile(c, messages)
			c.connection.sent(err)
			return err == nil
		case phaseConnecting:
			if c.hold(messages) {
				return true
			}
		default:
			return false
		}
	}
}

// isConnecting says whether CONNECT has not been answered. While it is being answered
// it waits: the client may be quicker than the goroutine that has sent the answer.
func (c *Conn) isConnecting() bool {
	if c.phase.Load() != phaseConnecting {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase.Load() == phaseConnecting
}

// maxHeld is how many messages may wait for the answer to CONNECT.
const maxHeld = 1000

// hold keeps messages for a socket whose CONNECT has not been answered. It reports
// false when it has been by now.
func (c *Conn) hold(messages []*engineio.Message) bool {
	c.mu.Lock()
	if c.phase.Load() != phaseConnecting {
		c.mu.Unlock()
		return false
	}
	full := len(c.held) >= maxHeld
	if !full {
		c.held = append(c.held, messages...)
	}
	c.mu.Unlock()
	if full {
		c.connection.sent(engineio.ErrQueueFull)
	}
	return true
}

// Disconnect takes the client out of the namespace or, with closeConnection, out
// of all its namespaces and closes the connection; official clients then stay away
// until they are told to connect. A socket that is still being
// authenticated can only be disconnected by closing its connection.
func (c *Conn) Disconnect(closeConnection bool) {
	if closeConnection {
		c.connection.disconnect()
		return
	}
	if c.isConnecting() {
		return
	}
	if first, idle := c.markEnded(reasonServerLeft); first {
		c.connection.putOut(c)
		c.tellEnded(idle)
	}
}
