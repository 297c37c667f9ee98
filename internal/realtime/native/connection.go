package native

import (
	"errors"
	"slices"
	"sync"
	"time"

	"rolecall/internal/realtime/native/codec"
	"rolecall/internal/realtime/native/engineio"
)

// errInvalidState says that a packet came which the protocol does not allow now:
// an event for a namespace that the client is not in, or a second CONNECT.
var errInvalidState = errors.New("native: packet does not fit the state of its namespace")

// refusedPatience is how long a client that was refused, and is in no namespace, may stay. Official clients leave at once.
const refusedPatience = time.Second

// errTooManyConnects ends a connection that does nothing but enter namespaces.
var errTooManyConnects = errors.New("native: too many connects")

// Reasons for the end of a socket whose connection may live on, in the words that
// Socket.IO servers use. https://socket.io/docs/v4/server-socket-instance/#disconnect
const (
	reasonClientLeft = "client namespace disconnect"
	reasonServerLeft = "server namespace disconnect"
)

// connection is one Engine.IO session with its sockets. It implements
// engineio.Receiver.
type connection struct {
	server  *Server
	session *engineio.Session
	decoder codec.Decoder // used by one goroutine at a time, as Message is called

	mu      sync.Mutex
	partial engineio.Account // of an event that waits for its attachments
	share   string           // the key whose pace the connection shares; "" for none
	sockets []*Socket        // at most one in each namespace
	left    []*namespace     // those that the client has been in
	waiting *time.Timer      // ends the connection of a client that is in no namespace; nil while it is in one
	until   time.Time        // when it is to, unless the client is refused before
	recent  int              // sockets begun since the time below
	since   time.Time
	closed  bool
}

func newConnection(s *Server, session *engineio.Session) *connection {
	c := &connection{
		server: s, session: session, decoder: codec.Decoder{MaxSize: int(s.options.MaxPayload), MaxText: int(s.options.MaxText)}, partial: s.incoming.Account(),
	}
	c.mu.Lock() // the timer may be quick
	defer c.mu.Unlock()
	c.awaitLocked()
	return c
}

// awaitLocked gives the client, which is in no namespace, some time to connect to one, less where too many others are to.
func (c *connection) awaitLocked() {
	c.until = time.Now().Add(c.server.options.ConnectTimeout)
	c.waiting = time.AfterFunc(c.server.options.ConnectTimeout, c.expire)
	c.makeRoom(c.server.strangers.add(c), (*connection).expire)
}

// makeRoom ends the connection of another stranger, if any, on a goroutine of its own, as that takes its lock.
func (c *connection) makeRoom(last *connection, end func(*connection)) {
	if last != nil {
		c.server.workers.do(func() { end(last) })
	}
}

// knownLocked ends the wait.
func (c *connection) knownLocked() {
	if c.waiting != nil {
		c.waiting.Stop()
		c.waiting = nil
		c.server.strangers.remove(c)
	}
}

// expire ends the connection of a client that is still in no namespace.
func (c *connection) expire() {
	c.mu.Lock()
	arrived := c.waiting == nil
	c.mu.Unlock()
	if !arrived {
		c.session.Close(engineio.ReasonForcedClose)
	}
}

// dismiss does the same at once, unless the client tries again: it has been told that it is refused.
func (c *connection) dismiss() {
	c.mu.Lock()
	stays := c.waiting == nil || len(c.sockets) > 0
	c.mu.Unlock()
	if !stays {
		c.session.Abort(engineio.ReasonForcedClose)
	}
}

// Message is part of engineio.Receiver.
func (c *connection) Message(data []byte, binary bool) error {
	p, err := c.decoder.Add(data, binary)
	if err != nil {
		c.server.decodeErrors.Add(1)
		if errors.Is(err, codec.ErrTooLarge) {
			return engineio.ErrTooBig
		}
		return err
	}
	if !c.hold(c.decoder.Pending()) {
		return engineio.ErrTooBig
	}
	switch {
	case p == nil:
		return nil
	case p.Type == codec.Connect:
		return c.connect(p)
	}
	socket, err := c.socket(p.Namespace, p.Type)
	if err != nil || socket == nil {
		return err
	}
	switch p.Type {
	case codec.Event, codec.BinaryEvent:
		socket.handle(p)
	case codec.Ack, codec.BinaryAck:
		socket.takeAnswer(p)
	case codec.Disconnect:
		socket.end(reasonClientLeft)
	}
	return nil
}

// hold has the bytes of an event counted that waits for its attachments. It reports false where there may not be as many.
func (c *connection) hold(bytes int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed || c.partial.Hold(int64(bytes))
}

// socket finds the socket that a packet is for; nil for one that has left its
// namespace while the packet was on its way.
func (c *connection) socket(name string, kind codec.Type) (*Socket, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, socket := range c.sockets {
		if socket.namespace.name != name {
			continue
		}
		if kind != codec.Disconnect && socket.isConnecting() {
			return nil, errInvalidState
		}
		return socket, nil
	}
	if c.closed || slices.ContainsFunc(c.left, func(n *namespace) bool { return n.name == name }) {
		return nil, nil
	}
	return nil, errInvalidState
}

// connect begins a socket. Authentication has a goroutine of its own: pongs, and
// the news that the client has left, come by the one that is reading.
func (c *connection) connect(p *codec.Packet) error {
	n := c.server.namespace(p.Namespace)
	c.mu.Lock()
	switch {
	case c.closed:
		c.mu.Unlock()
		return nil
	case !c.mayBeginLocked():
		c.mu.Unlock()
		return errTooManyConnects
	case n == nil:
		c.mu.Unlock()
		c.refuse(p.Namespace, map[string]any{"message": "Invalid namespace"})
		return nil
	case slices.ContainsFunc(c.sockets, func(other *Socket) bool { return other.namespace == n }):
		c.mu.Unlock()
		return errInvalidState
	}
	socket := newSocket(n, c)
	c.sockets = append(c.sockets, socket)
	if c.waiting != nil {
		c.waiting.Reset(time.Until(c.until)) // whatever has been refused before
		c.makeRoom(c.server.strangers.hope(c), (*connection).expire)
	}
	c.server.handlers.Begin()
	n.counters.sockets.Add(1)
	c.mu.Unlock()
	c.server.workers.do(func() { socket.establish(p.Auth) })
	return nil
}

// connectsPeriod is the time that Options.MaxConnects is about.
const connectsPeriod = 10 * time.Second

// mayBeginLocked says whether the client may begin another socket now.
func (c *connection) mayBeginLocked() bool {
	if now := time.Now(); now.Sub(c.since) > connectsPeriod {
		c.recent, c.since = 0, now
	}
	c.recent++
	return c.recent <= c.server.options.MaxConnects
}

// refuse answers a CONNECT with why it cannot be.
func (c *connection) refuse(namespace string, reason any) {
	text, err := codec.EncodeConnectError(namespace, reason)
	if err != nil {
		c.server.log.Error("cannot encode refusal", "namespace", namespace, "error", err)
		return
	}
	c.send([]*engineio.Message{engineio.TextMessage(text)})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting != nil && len(c.sockets) == 0 {
		c.waiting.Reset(min(refusedPatience, time.Until(c.until)))
		c.makeRoom(c.server.strangers.refuse(c), (*connection).dismiss)
	}
}

// arrived notes that a socket has been let in, which may have left again.
func (c *connection) arrived(socket *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.sockets, socket) {
		c.knownLocked()
	}
}

// remove forgets a socket, after which the client may connect to its namespace anew.
func (c *connection) remove(socket *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removeLocked(socket)
}

func (c *connection) removeLocked(socket *Socket) {
	if at := slices.Index(c.sockets, socket); at >= 0 {
		c.sockets = slices.Delete(c.sockets, at, at+1)
	}
	if socket.phase.Load() == phaseLeft && !slices.Contains(c.left, socket.namespace) {
		c.left = append(c.left, socket.namespace)
	}
	if len(c.sockets) == 0 && c.waiting == nil && !c.closed {
		c.awaitLocked()
	}
}

// putOut tells the client that it is out of the namespace. No CONNECT is taken
// before it is told, and any after.
func (c *connection) putOut(socket *Socket) {
	c.mu.Lock()
	err := c.session.Send(engineio.TextMessage(codec.EncodeDisconnect(socket.namespace.name)))
	c.removeLocked(socket)
	c.mu.Unlock()
	c.sent(err)
}

// disconnect takes the client out of all its namespaces and closes the connection.
func (c *connection) disconnect() {
	c.mu.Lock()
	sockets := slices.Clone(c.sockets)
	c.mu.Unlock()
	for _, socket := range sockets {
		socket.Disconnect(false)
	}
	c.session.Close(engineio.ReasonForcedClose)
}

// sendAway is disconnect for a client that is to stay away. While it polls its connection is closed a little later: a
// client that is told both in the answer to one poll takes the connection for lost, and comes back by itself.
func (c *connection) sendAway() {
	c.mu.Lock()
	sockets := slices.Clone(c.sockets)
	c.mu.Unlock()
	told := false
	for _, socket := range sockets {
		told = told || socket.IsOpen()
		socket.Disconnect(false)
	}
	closeNow := func() { c.session.Close(engineio.ReasonForcedClose) }
	if told && c.session.IsPolling() {
		time.AfterFunc(pollGrace, closeNow) // most have closed it by then
		return
	}
	closeNow()
}

// Closed is part of engineio.Receiver.
func (c *connection) Closed(reason engineio.Reason) {
	c.mu.Lock()
	c.closed = true
	c.partial.Hold(0)
	if c.share != "" {
		c.server.shares.leave(c.share)
	}
	sockets := c.sockets
	c.sockets = nil
	c.knownLocked()
	c.mu.Unlock()
	for _, socket := range sockets {
		if reason == engineio.ReasonSlowReader {
			socket.namespace.counters.slow.Add(1)
		}
		socket.end(string(reason))
	}
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
	c.server.log.Info("client reads too slowly", "remote", c.session.Request().RemoteAddr)
	c.session.Shed(c.slowReaderNotices()...)
}

// slowReaderNotices tell the client why, in each namespace that it is in.
func (c *connection) slowReaderNotices() []*engineio.Message {
	tell := c.server.options.SlowReader
	if tell == nil {
		return nil
	}
	event, payload := tell()
	var notices []*engineio.Message
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, socket := range c.sockets {
		if !socket.IsOpen() {
			continue
		}
		packet, err := encodeEvent(socket.namespace, event, payload)
		if err != nil {
			c.server.log.Error("cannot encode event", "event", event, "error", err)
			return nil
		}
		notices = append(notices, packet...)
	}
	return notices
}

// answerTo is the answer to a CONNECT that was let in.
func answerTo(namespace, id string) *engineio.Message {
	return engineio.TextMessage(codec.EncodeConnect(namespace, []byte(`{"sid":"`+id+`"}`)))
}
