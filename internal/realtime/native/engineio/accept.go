package engineio

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"

	"github.com/gobwas/ws"
)

// open answers a request that asks for a new session.
// https://socket.io/docs/v4/engine-io-protocol/#handshake
func (s *Server) open(w http.ResponseWriter, r *http.Request, version, transport string) {
	switch {
	case r.Method != http.MethodGet:
		errHandshakeMethod().write(w)
	case version != "4":
		errUnsupportedVersion().write(w)
	case transport == transportWebSocket && !isWebSocketUpgrade(r):
		errBadRequest().write(w)
	case s.registry.isStopping():
		errStopping().write(w)
	case transport == transportWebSocket:
		s.openWebSocket(w, r)
	default:
		s.openPolling(w, r)
	}
}

// openPolling opens a session whose open packet answers the request.
func (s *Server) openPolling(w http.ResponseWriter, r *http.Request) {
	session, opening := s.newSession(r, `["websocket"]`)
	session.beganPolling = true
	if refused := s.register(session, r); refused != nil {
		refused.write(w)
		return
	}
	session.start()
	session.answerPoll(w, []*Message{opening})
}

// openWebSocket opens a session on a WebSocket. It is read on a goroutine of its
// own, so that the HTTP server's is let go with its buffers.
func (s *Server) openWebSocket(w http.ResponseWriter, r *http.Request) {
	s.running.Begin() // for the reader, before anybody can end the session
	session, opening := s.newSession(r, `[]`)
	if refused := s.register(session, r); refused != nil {
		s.running.End()
		refused.write(w)
		return
	}
	c := session.acceptOn(w, r, opening)
	if c == nil {
		s.running.End()
		return
	}
	go func() {
		defer s.running.End()
		session.readLoop(c)
	}()
}

// acceptOn answers the request with the open packet, on a connection that becomes the
// session's. It returns nil where that has failed.
func (s *Session) acceptOn(w http.ResponseWriter, r *http.Request, opening *Message) *connection {
	c, answer := s.upgradeRequest(w, r)
	if c == nil {
		s.end(ending{verdict: verdict{ReasonTransportError, ws.StatusProtocolError}, drop: true})
		return nil
	}
	// Whoever has read the open packet may send any request about the session: it must be ready by then.
	s.mu.Lock()
	endedEarly := s.state == stateClosed // nobody has told the client
	s.attachLocked(c)
	c.progress.draining = true // as long as the answer has not been written
	s.mu.Unlock()
	s.start()
	if err := c.writeAll(append(answer, opening.frame...)); err != nil {
		s.Abort(ReasonTransportError)
		s.gone()
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.progress.draining = false
	if endedEarly {
		s.outbox.add(closeFrame(s.verdict))
	}
	s.flushOrCutLocked()
	return c
}

// newSession makes a session and the packet that opens it. The upgrades are a JSON
// array.
func (s *Server) newSession(r *http.Request, upgrades string) (*Session, *Message) {
	session := &Session{server: s, id: s.config.IDPrefix + NewID(), request: keep(r), outbox: outbox{total: &s.queued}}
	session.textOnly = r.URL.Query().Get("b64") != ""
	session.incoming.pace = NewPace(s.config.PacketsPerSecond, s.config.PacketsAtOnce)
	session.incoming.limit.Store(min(s.config.MaxPayload, strangersPayload))
	handshake := fmt.Appendf(make([]byte, 0, 128), `{"sid":"%s","upgrades":%s,"pingInterval":%d,"pingTimeout":%d,"maxPayload":%d}`,
		session.id, upgrades, s.config.PingInterval.Milliseconds(), s.config.PingTimeout.Milliseconds(), s.config.MaxPayload)
	return session, textPacket(typeOpen, handshake)
}

// NewID is 128 random bits as text. Whoever knows a session's id can speak for it.
func NewID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// register puts a new session where requests find it, or says why there can be none.
func (s *Server) register(session *Session, r *http.Request) *refusal {
	if s.config.AllowSession != nil {
		release, ok := s.config.AllowSession(r)
		if !ok {
			return errTooMany()
		}
		session.release = release
	}
	s.running.Begin()
	if !s.registry.add(session) {
		s.running.End()
		session.giveBack()
		return errStopping()
	}
	s.traffic.opened(session.beganPolling)
	return nil
}

// giveBack gives back what Config.AllowSession has granted.
func (s *Session) giveBack() {
	if s.release != nil {
		s.release()
	}
}

// start makes the receiver listen. Nothing is read from the client before.
func (s *Session) start() {
	receiver := s.server.config.Accept(s)
	s.mu.Lock()
	s.receiver = receiver
	if s.state == stateClosed { // ended meanwhile
		reason := s.verdict.reason
		s.mu.Unlock()
		receiver.Closed(reason)
		return
	}
	s.state = stateOpen
	s.setAlarmLocked(s.server.config.PingInterval)
	s.mu.Unlock()
}
