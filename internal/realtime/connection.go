package realtime

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/zishang520/socket.io/v3/pkg/types"

	"rolecall/internal/realtime/codec"
	"rolecall/internal/realtime/engineio"
)

// errInvalidState says that a packet came which the protocol does not allow now:
// an event for a namespace that the client is not in, or a second CONNECT.
var errInvalidState = errors.New("realtime: packet does not fit the state of its namespace")

type gateState int8

const (
	gateConnecting gateState = iota // CONNECT came and has not been answered
	gateOpen
	gateLeaving // the socket is being taken out of the namespace
	gateLeft    // it is out
)

// maxHeld is how many messages may wait for the answer to CONNECT, which is a
// matter of microseconds.
const maxHeld = 1000

// gate is what passes between one connection and one namespace. While the library
// connects a socket, the answer to CONNECT and what is sent right behind it wait
// here: the library answers before it has recorded the socket, and would close
// the connection of a client that is quick to send its first event.
type gate struct {
	state gateState
	conn  *Conn // nil for a moment, until the library has made the socket
	held  []*engineio.Message
	next  *codec.Packet // a CONNECT that waits for the socket before it to be out
}

// connection is one Engine.IO session as the library sees it. It implements the
// library's engine.Socket (see enginesocket.go), engineio.Receiver and rooms.Outlet.
type connection struct {
	types.EventEmitter // for the library's own listeners

	server  *Server
	session *engineio.Session
	decoder codec.Decoder // used by one goroutine at a time, as Message is called

	connecting atomic.Int32 // gates in state gateConnecting

	mu     sync.Mutex
	gates  map[string]*gate
	closed bool
}

func newConnection(s *Server, session *engineio.Session) *connection {
	return &connection{
		EventEmitter: types.NewEventEmitter(),
		server:       s,
		session:      session,
		decoder:      codec.Decoder{MaxSize: int(s.options.MaxPayload)},
		gates:        make(map[string]*gate, 1),
	}
}

// Message is part of engineio.Receiver.
func (c *connection) Message(data []byte, binary bool) error {
	p, err := c.decoder.Add(data, binary)
	if err != nil || p == nil {
		return err
	}
	if p.Type == codec.Connect {
		return c.connect(p)
	}
	return c.forward(p)
}

// connect handles a CONNECT packet.
func (c *connection) connect(p *codec.Packet) error {
	if c.server.namespace(p.Namespace) == nil {
		return c.refuseUnknown(p.Namespace)
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	if g := c.gates[p.Namespace]; g != nil && g.state != gateLeft {
		defer c.mu.Unlock()
		if g.state != gateLeaving || g.next != nil {
			return errInvalidState
		}
		g.next = p
		return nil
	}
	c.gates[p.Namespace] = &gate{}
	c.connecting.Add(1)
	c.mu.Unlock()
	c.Emit("data", p)
	return nil
}

func (c *connection) refuseUnknown(namespace string) error {
	text, err := codec.EncodeConnectError(namespace, map[string]any{"message": "Invalid namespace"})
	if err != nil {
		return err
	}
	c.send([]*engineio.Message{engineio.TextMessage(text)})
	return nil
}

// forward gives a packet to its socket's queue, unless the server has put the
// client out of the namespace while the packet was on its way.
func (c *connection) forward(p *codec.Packet) error {
	c.mu.Lock()
	g := c.gates[p.Namespace]
	if g == nil || g.state == gateConnecting {
		c.mu.Unlock()
		return errInvalidState
	}
	if g.state != gateOpen {
		c.mu.Unlock()
		return nil
	}
	conn := g.conn
	if p.Type == codec.Disconnect {
		g.state = gateLeaving
	}
	c.mu.Unlock()
	if !conn.admitEvent(p.Size) {
		return nil
	}
	c.Emit("data", p)
	// The queue is first in, first out: this comes after the packet is done with.
	conn.socket.Enqueue(func() { conn.finishEvent(p.Size) })
	return nil
}

// Closed is part of engineio.Receiver.
func (c *connection) Closed(reason engineio.Reason) {
	c.mu.Lock()
	c.closed = true
	var waiting []*Conn // for the library, which will not tell them
	for _, g := range c.gates {
		if g.state == gateConnecting && g.conn != nil {
			waiting = append(waiting, g.conn)
		}
		g.held, g.next = nil, nil
	}
	c.mu.Unlock()
	c.Emit("close", string(reason))
	for _, conn := range waiting {
		conn.end(string(reason))
	}
}

// attach notes the socket that the library has made for a CONNECT. It reports
// false when the connection has ended.
func (c *connection) attach(conn *Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.gates[conn.namespace.name]
	if c.closed || g == nil {
		return false
	}
	g.conn = conn
	return true
}

// open sends the answer to CONNECT with all that was held behind it.
func (c *connection) open(conn *Conn) {
	c.mu.Lock()
	g := c.gates[conn.namespace.name]
	if g == nil || g.conn != conn || g.state != gateConnecting {
		c.mu.Unlock()
		return
	}
	err := c.session.Send(g.held...)
	g.state, g.held = gateOpen, nil
	c.connecting.Add(-1)
	c.mu.Unlock()
	c.sent(err)
}

// leaving stops packets for a socket which the library is taking out.
func (c *connection) leaving(conn *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.gates[conn.namespace.name]; g != nil && g.conn == conn {
		g.state = gateLeaving
	}
}

// left lets the client connect to the namespace anew, which it may already have
// asked for.
func (c *connection) left(conn *Conn) {
	c.mu.Lock()
	g := c.gates[conn.namespace.name]
	if g == nil || g.conn != conn || g.state == gateLeft {
		c.mu.Unlock()
		return
	}
	next := g.next
	g.state, g.conn, g.next = gateLeft, nil, nil
	c.mu.Unlock()
	if next != nil {
		_ = c.connect(next) // the namespace is known and its gate free
	}
}

// Deliver is part of rooms.Outlet.
func (c *connection) Deliver(namespace string, messages []*engineio.Message) {
	if c.connecting.Load() > 0 {
		if held, err := c.hold(namespace, messages); held {
			c.sent(err)
			return
		}
	}
	c.send(messages)
}

// hold keeps messages for a namespace whose CONNECT has not been answered.
func (c *connection) hold(namespace string, messages []*engineio.Message) (held bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.gates[namespace]
	if g == nil || g.state != gateConnecting {
		return false, nil
	}
	if len(g.held) >= maxHeld {
		return true, engineio.ErrQueueFull
	}
	g.held = append(g.held, messages...)
	return true, nil
}

func (c *connection) send(messages []*engineio.Message) {
	c.sent(c.session.Send(messages...))
}

// sent cuts off a client that does not read.
func (c *connection) sent(err error) {
	if errors.Is(err, engineio.ErrQueueFull) {
		c.server.log.Warn("client reads too slowly", "remote", c.session.Request().RemoteAddr)
		c.session.Abort(engineio.ReasonSlowReader)
	}
}
