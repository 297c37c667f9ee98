package native

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native/engineio"
	"rolecall/internal/realtime/native/rooms"
)

// How far a socket has come.
const (
	phaseConnecting int32 = iota // what is delivered waits behind the answer to CONNECT
	phaseOpen
	phaseLeft   // was open once
	phaseMissed // ended without having been open
)

// Socket is one client in one namespace. It implements realtime.Socket and rooms.Outlet.
type Socket struct {
	namespace  *namespace
	connection *connection
	member     rooms.Member
	ctx        context.Context //nolint:containedctx // it is the socket's lifetime
	cancel     context.CancelFunc

	id      string                    // set before the socket is open
	phase   atomic.Int32              // changes under mu
	gathers atomic.Pointer[gathering] // nil where nothing is gathered

	mu     sync.Mutex
	reason string
	held   []*engineio.Message // delivered while connecting
	cost   int64               // of what is held, in bytes
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

func newSocket(n *namespace, c *connection) *Socket {
	ctx, cancel := context.WithCancel(context.Background())
	socket := &Socket{namespace: n, connection: c, ctx: ctx, cancel: cancel}
	socket.member.Outlet = socket
	socket.free.L = &socket.mu
	return socket
}

// Namespace implements realtime.Socket.
func (c *Socket) Namespace() string { return c.namespace.name }

// ID implements realtime.Socket.
func (c *Socket) ID() string {
	if c.isConnecting() {
		return ""
	}
	return c.id
}

// Context implements realtime.Socket.
func (c *Socket) Context() context.Context { return c.ctx }

// SetData implements realtime.Socket.
func (c *Socket) SetData(v any) {
	c.mu.Lock()
	c.data = v
	c.mu.Unlock()
}

// Data implements realtime.Socket.
func (c *Socket) Data() any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.data
}

// Join implements realtime.Socket.
func (c *Socket) Join(names ...string) {
	c.roomsMu.Lock()
	defer c.roomsMu.Unlock()
	if !c.hasLeft {
		c.namespace.rooms.Join(&c.member, names...)
	}
}

// Leave implements realtime.Socket.
func (c *Socket) Leave(names ...string) { c.namespace.rooms.Leave(&c.member, names...) }

// InRoom implements realtime.Socket.
func (c *Socket) InRoom(room string) bool { return c.namespace.rooms.Contains(&c.member, room) }

// Rooms implements realtime.Socket.
func (c *Socket) Rooms() []string {
	c.roomsMu.Lock()
	defer c.roomsMu.Unlock()
	if c.hasLeft {
		return slices.Clone(c.lastRooms)
	}
	return c.namespace.rooms.RoomsOf(&c.member)
}

// leaveRooms takes the socket out of all rooms for good. When it returns the socket has
// left, whoever began with it.
func (c *Socket) leaveRooms() {
	c.roomsMu.Lock()
	defer c.roomsMu.Unlock()
	if !c.hasLeft {
		c.hasLeft, c.lastRooms = true, c.namespace.rooms.LeaveAll(&c.member)
	}
}

// Emit implements realtime.Socket. A client that does not read is disconnected.
func (c *Socket) Emit(event string, payload any) error {
	packet, err := encodeEvent(c.namespace, event, payload)
	if err != nil {
		return err
	}
	if c.isConnecting() || !c.Deliver(packet) {
		return realtime.ErrNotConnected
	}
	if watcher := c.namespace.server.watch.Watcher(); watcher != nil {
		watcher.Sent(event, one(c))
	}
	return nil
}

// AwaitRoom implements realtime.Socket.
func (c *Socket) AwaitRoom(ctx context.Context) error {
	if c.IsOpen() {
		both, stop := context.WithCancelCause(ctx)
		defer stop(nil)
		defer context.AfterFunc(c.ctx, func() { stop(realtime.ErrNotConnected) })()
		if err := c.connection.session.AwaitRoom(both); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return realtime.ErrNotConnected
}

// IsOpen says whether CONNECT has been answered and the socket has not disconnected
// since. It implements engineio.Gate.
func (c *Socket) IsOpen() bool { return c.phase.Load() == phaseOpen }

// hasEnded says whether the socket has left its namespace, or will never be in it.
func (c *Socket) hasEnded() bool { return c.phase.Load() >= phaseLeft }

// deliver sends the messages of one packet, all or none, without waiting, in whatever phase the socket is.
func (c *Socket) deliver(messages []*engineio.Message) bool {
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
func (c *Socket) isConnecting() bool {
	if c.phase.Load() != phaseConnecting {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase.Load() == phaseConnecting
}

// isAnswered is IsOpen for whoever lists sockets. A client that has read the answer is among them.
func (c *Socket) isAnswered() bool { return !c.isConnecting() && c.IsOpen() }

// hold keeps messages for a socket whose CONNECT has not been answered. It reports
// false when it has been by now.
func (c *Socket) hold(messages []*engineio.Message) bool {
	c.mu.Lock()
	if c.phase.Load() != phaseConnecting {
		c.mu.Unlock()
		return false
	}
	cost := c.cost
	for _, m := range messages {
		cost += m.Cost()
	}
	full := cost > c.namespace.server.options.MaxQueuedBytes
	if !full {
		c.held, c.cost = append(c.held, messages...), cost
	}
	c.mu.Unlock()
	if full {
		c.connection.sent(engineio.ErrQueueFull)
	}
	return true
}

// Close implements realtime.Socket.
func (c *Socket) Close() { c.connection.session.Close(engineio.ReasonForcedClose) }

// Silence implements realtime.Socket.
func (c *Socket) Silence() time.Duration { return c.connection.session.Silence() }

// Connection implements realtime.Socket.
func (c *Socket) Connection() realtime.Connection {
	session := c.connection.session
	request := session.Request()
	return realtime.Connection{
		ID: session.ID(), Transport: session.Transport(), RemoteAddr: request.RemoteAddr, UserAgent: request.UserAgent,
		Origin: request.Origin, RawQuery: request.RawQuery,
	}
}

// Ping implements realtime.Socket.
func (c *Socket) Ping() { c.connection.session.Ping() }

// Disconnect implements realtime.Socket.
func (c *Socket) Disconnect(closeConnection bool) {
	if closeConnection {
		c.connection.disconnect()
		return
	}
	if c.isConnecting() {
		return
	}
	if g := c.gathers.Load(); g != nil {
		c.flush(g)
	}
	if first, idle := c.markEnded(reasonServerLeft); first {
		c.connection.putOut(c)
		c.tellEnded(idle)
	}
}
