package realtime

import (
	"errors"
	"sync"

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
	namespace *namespace
	state     gateState
	conn      *Conn // nil for a moment, until the library has made the socket
	held      []*engineio.Message
	next      *codec.Packet // a CONNECT that waits for the socket before it to be out
}

// connection is one Engine.IO session as the library sees it. It implements the
// library's engine.Socket (see enginesocket.go) and engineio.Receiver.
type connection struct {
	types.EventEmitter // for the library's own listeners

	server  *Server
	session *engineio.Session
	decoder codec.Decoder // used by one goroutine at a time, as Message is called

	mu     sync.Mutex
	gates  []*gate // few: one for each namespace that the client has asked for
	closed bool
}

func newConnection(s *Server, session *engineio.Session) *connection {
	return &connection{
		EventEmitter: types.NewEventEmitter(),
		server:       s,
		session:      session,
		decoder:      codec.Decoder{MaxSize: int(s.options.MaxPayload)},
	}
}

// Message is part of engineio.Receiver.
func (c *connection) Message(data []byte, binary bool) error {
	p, err := c.decoder.Add(data, binary)
	if err != nil {
		c.server.decodeErrors.Add(1)
		return err
	}
	if p == nil {
		return nil
	}
	if p.Type == codec.Connect {
		return c.connect(p)
	}
	return c.forward(p)
}

// connect handles a CONNECT packet.
func (c *connection) connect(p *codec.Packet) error {
	n := c.server.namespace(p.Namespace)
	if n == nil {
		return c.refuseUnknown(p.Namespace)
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	g := c.gateLocked(p.Namespace)
	switch {
	case g == nil:
		c.gates = append(c.gates, &gate{namespace: n})
	case g.state == gateLeft:
		*g = gate{namespace: n}
	case g.state == gateLeaving && g.next == nil:
		g.next = p
		c.mu.Unlock()
		return nil
	default:
		c.mu.Unlock()
		return errInvalidState
	}
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

// gateLocked finds the gate to a namespace; nil if the client has never asked for it.
func (c *connection) gateLocked(name string) *gate {
	for _, g := range c.gates {
		if g.namespace.name == name {
			return g
		}
	}
	return nil
}

// forward gives a packet to its socket, unless the server has put the client out
// of the namespace while the packet was on its way.
func (c *connection) forward(p *codec.Packet) error {
	c.mu.Lock()
	g := c.gateLocked(p.Namespace)
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
		conn.phase.Store(phaseGone)
	}
	c.mu.Unlock()
	switch p.Type {
	case codec.Event, codec.BinaryEvent:
		conn.handle(p)
	case codec.Disconnect:
		c.Emit("data", p)
	default: // an ack, of which the library knows whether it waits for it
		if _, awaited := conn.socket.Acks().Load(*p.ID); awaited {
			c.Emit("data", p)
		}
	}
	return nil
}

// Closed is part of engineio.Receiver.
func (c *connection) Closed(reason engineio.Reason) {
	c.mu.Lock()
	c.closed = true
	var waiting []*Conn // for the library, which will not tell them
	for _, g := range c.gates {
		if reason == engineio.ReasonSlowReader && g.state == gateOpen {
			g.namespace.counters.slow.Add(1)
		}
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
	g := c.gateLocked(conn.namespace.name)
	if c.closed || g == nil || g.state != gateConnecting {
		return false
	}
	g.conn, conn.gate = conn, g
	return true
}

// open sends the answer to CONNECT with all that was held behind it.
func (c *connection) open(conn *Conn) {
	c.mu.Lock()
	g := conn.gate
	if g == nil || g.conn != conn || g.state != gateConnecting {
		c.mu.Unlock()
		return
	}
	err := c.session.Send(g.held...)
	g.state, g.held = gateOpen, nil
	conn.phase.Store(phaseOpen)
	c.mu.Unlock()
	c.sent(err)
}

// leaving stops packets for a socket which the library is taking out.
func (c *connection) leaving(conn *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn.phase.Store(phaseGone)
	if g := conn.gate; g != nil && g.conn == conn {
		g.state = gateLeaving
	}
}

// left lets the client connect to the namespace anew, which it may already have
// asked for.
func (c *connection) left(conn *Conn) {
	c.mu.Lock()
	g := conn.gate
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

// deliver sends a packet that the library has made for a socket of a namespace.
func (c *connection) deliver(namespace string, messages []*engineio.Message) {
	c.mu.Lock()
	g := c.gateLocked(namespace)
	var conn *Conn
	if g != nil {
		conn = g.conn
	}
	c.mu.Unlock()
	if conn != nil {
		conn.Deliver(messages)
	}
}

// hold keeps messages for a socket whose CONNECT has not been answered. It reports
// false when it has been by now.
func (c *connection) hold(conn *Conn, messages []*engineio.Message) bool {
	c.mu.Lock()
	if conn.phase.Load() != phaseHeld {
		c.mu.Unlock()
		return false
	}
	g := conn.gate
	full := len(g.held) >= maxHeld
	if !full {
		g.held = append(g.held, messages...)
	}
	c.mu.Unlock()
	if full {
		c.sent(engineio.ErrQueueFull)
	}
	return true
}

func (c *connection) send(messages []*engineio.Message) {
	if err := c.session.Send(messages...); err != nil {
		c.sent(err)
	}
}

// sent sends off a client that does not read.
func (c *connection) sent(err error) {
	if !errors.Is(err, engineio.ErrQueueFull) {
		return
	}
	c.server.log.Warn("client reads too slowly", "remote", c.session.Request().RemoteAddr)
	c.session.Shed(c.slowReaderNotices()...)
}

// slowReaderNotices tell the client why, in each namespace that it is in.
func (c *connection) slowReaderNotices() []*engineio.Message {
	tell := c.server.options.SlowReader
	if tell == nil {
		return nil
	}
	var notices []*engineio.Message
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range c.gates {
		if g.state != gateOpen {
			continue
		}
		name, payload := tell()
		message, err := encodeEvent(g.namespace, name, payload)
		if err != nil {
			c.server.log.Error("cannot encode event", "event", name, "error", err)
			continue
		}
		notices = append(notices, message)
	}
	return notices
}
