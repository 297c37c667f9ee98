package engineio

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gobwas/ws"
)

// openWebSocket opens a session on a WebSocket. It is read on a goroutine of its
// own, so that the HTTP server's is let go with its buffers.
func (s *Server) openWebSocket(w http.ResponseWriter, r *http.Request) {
	s.running.Begin() // for the reader, before anybody can end the session
	session, socket := s.acceptWebSocket(w, r)
	if socket == nil {
		s.running.End()
		return
	}
	go func() {
		defer s.running.End()
		session.readLoop(socket)
	}()
}

// acceptWebSocket answers the request with the open packet. The WebSocket is nil where
// that has failed.
func (s *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request) (*Session, *webSocket) {
	session, opening := s.newSession(r, `[]`)
	if refused := s.admit(session, r); refused != nil {
		refused.write(w)
		return nil, nil
	}
	socket, answer, ok := session.takeOver(w, r)
	if !ok {
		session.end(ending{reason: ReasonTransportError, code: ws.StatusProtocolError, drop: true})
		return nil, nil
	}
	// Whoever has read the open packet may send any request about the session: it must be ready by then.
	session.mu.Lock()
	endedEarly := session.state == stateClosed // nobody has told the client
	session.attachLocked(socket)
	socket.draining = true // as long as the answer has not been written
	session.mu.Unlock()
	session.start()
	if err := socket.writeAll(append(answer, opening.frame...)); err != nil {
		session.Abort(ReasonTransportError)
		session.gone()
		return nil, nil
	}
	session.mu.Lock()
	defer session.mu.Unlock()
	socket.draining = false
	if endedEarly {
		session.out.add(closeFrame(session.code, session.reason))
	}
	session.flushOrCutLocked()
	return session, socket
}

// attachLocked makes the WebSocket the session's transport.
func (s *Session) attachLocked(socket *webSocket) {
	s.socket = socket
	socket.reader.pong = func(payload []byte) {
		if err := s.Send(controlFrame(ws.OpPong, payload)); errors.Is(err, ErrQueueFull) {
			s.Abort(ReasonSlowReader)
		}
	}
}

// readLoop reads from the WebSocket until it is over and closes it. A client that
// does not answer the Close frame is cut off by the session's timer.
func (s *Session) readLoop(socket *webSocket) {
	defer s.gone()
	defer socket.cut()
	err := s.readMessages(socket)
	refused := (*closeError)(nil)
	switch {
	case errors.As(err, &refused):
		s.end(ending{reason: refusalReason(refused), code: refused.code, drop: true})
		socket.awaitFinish(s)
		if !refused.closed {
			socket.awaitClose()
		}
	case errors.Is(err, errPeerClosed):
		s.end(ending{reason: ReasonTransportClose, code: ws.StatusNormalClosure, drop: true})
		socket.awaitFinish(s)
	case errors.Is(err, io.EOF):
		s.end(ending{reason: ReasonTransportClose, code: ws.StatusNormalClosure, drop: true})
	default:
		s.end(ending{reason: ReasonTransportError, code: ws.StatusNormalClosure, drop: true})
	}
}

// awaitFinish waits until the Close frame has been written or cannot be. The
// session has ended.
func (c *webSocket) awaitFinish(s *Session) {
	s.mu.Lock()
	if c.done {
		s.mu.Unlock()
		return
	}
	if c.finished == nil {
		c.finished = make(chan struct{})
	}
	finished := c.finished
	s.mu.Unlock()
	<-finished
}

// farewellBytes is how much is read from a client that has been told to go.
const farewellBytes = 1 << 20

// awaitClose reads until the peer has answered the Close frame. Bytes that nobody
// reads would turn the end of the connection into a reset, which can overtake the
// Close frame. The session's timer ends this at the latest.
func (c *webSocket) awaitClose() {
	c.reader.r = io.LimitReader(c.reader.r, farewellBytes)
	for {
		_, _, err := c.reader.next()
		if refused := (*closeError)(nil); errors.As(err, &refused) {
			_, _ = io.Copy(io.Discard, c.conn) // where frames begin is anybody's guess now
			return
		}
		if err != nil {
			return
		}
	}
}

func refusalReason(refused *closeError) Reason {
	if refused.code == ws.StatusMessageTooBig {
		return ReasonTransportError
	}
	return ReasonParseError
}

// readMessages hands each message on. It always returns an error.
func (s *Session) readMessages(socket *webSocket) error {
	for {
		data, binary, err := socket.reader.next()
		if err != nil {
			return err
		}
		p := packet{kind: typeMessage, data: data, binary: binary}
		if !binary {
			if p, err = decodeText(data); err != nil {
				return &closeError{code: ws.StatusProtocolError, text: err.Error()}
			}
		}
		if err := s.receive(p); errors.Is(err, ErrTooBig) {
			return &closeError{code: ws.StatusMessageTooBig, text: err.Error()}
		} else if err != nil {
			return &closeError{code: ws.StatusProtocolError, text: err.Error()}
		}
	}
}

// serveUpgrade lets a WebSocket try to take over a session that polls.
// https://socket.io/docs/v4/engine-io-protocol/#upgrade
func (s *Session) serveUpgrade(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	possible := s.state == stateOpen && s.socket == nil && !s.upgrading && isWebSocketUpgrade(r)
	if possible {
		s.upgrading = true
	}
	s.mu.Unlock()
	if !possible {
		errBadRequest().write(w)
		return
	}
	socket, answer, ok := s.takeOver(w, r)
	if ok && socket.writeAll(answer) != nil {
		socket.cut()
		ok = false
	}
	if !ok {
		s.abandonUpgrade()
		return
	}
	s.mu.Lock()
	s.candidate = socket
	ended := s.state == stateClosed
	if !ended {
		s.server.running.Begin() // as long as the session counts
	}
	s.mu.Unlock()
	if ended {
		socket.cut()
		return
	}
	go func() {
		defer s.server.running.End()
		if !s.probe(socket) {
			s.abandonUpgrade()
			socket.cut()
			return
		}
		s.readLoop(socket)
	}()
}

func (s *Session) abandonUpgrade() {
	s.mu.Lock()
	s.upgrading, s.probed, s.candidate = false, false, nil
	s.mu.Unlock()
}

// probe carries the WebSocket through the upgrade. True means that it is now the
// session's transport.
func (s *Session) probe(socket *webSocket) bool {
	config := &s.server.config
	if err := socket.conn.SetReadDeadline(time.Now().Add(config.UpgradeTimeout)); err != nil {
		return false
	}
	socket.reader.pong = func(payload []byte) {
		_ = socket.writeAll(controlFrame(ws.OpPong, payload).frame) // the next read finds a broken connection
	}
	if !socket.expect("2probe") {
		return false
	}
	s.mu.Lock()
	s.probed = true // before the client knows, who may then stop polling
	s.wakeLocked()
	s.mu.Unlock()
	if socket.writeAll(textPacket(typePong, []byte("probe")).frame) != nil {
		return false
	}
	if !socket.expect("5") || socket.conn.SetReadDeadline(time.Time{}) != nil {
		return false
	}
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		s.sayGoodbye(socket)
		return false
	}
	defer s.mu.Unlock()
	s.wakeLocked() // a poll that still waits learns that it is over
	s.upgrading, s.probed, s.candidate = false, false, nil
	s.attachLocked(socket)
	s.flushOrCutLocked()
	return true
}

// sayGoodbye closes a WebSocket to which the client has moved after the session had ended.
func (s *Session) sayGoodbye(socket *webSocket) {
	s.mu.Lock()
	s.out.add(closeFrame(s.code, s.reason))
	taken := s.out.take()
	s.mu.Unlock()
	// Should this fail, the connection is broken, and the client knows as well.
	_ = socket.write(nil, taken.messages())
	s.mu.Lock()
	s.out.release(taken)
	s.mu.Unlock()
	if socket.conn.SetReadDeadline(time.Now().Add(s.server.config.CloseTimeout)) == nil {
		socket.awaitClose()
	}
	s.gone()
}

// expect reads one message and says whether it is this text.
func (c *webSocket) expect(text string) bool {
	data, binary, err := c.reader.next()
	return err == nil && !binary && string(data) == text
}
