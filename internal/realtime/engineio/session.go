package engineio

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// Reason says why a session ended, in the words that Socket.IO servers use.
// https://socket.io/docs/v4/server-socket-instance/#disconnect
type Reason string

// Why sessions end.
const (
	ReasonTransportClose Reason = "transport close"
	ReasonTransportError Reason = "transport error"
	ReasonParseError     Reason = "parse error"
	ReasonPingTimeout    Reason = "ping timeout"
	ReasonForcedClose    Reason = "forced close"
	ReasonStopping       Reason = "server shutting down"
	// ReasonSlowReader: the client did not read what was sent to it.
	ReasonSlowReader Reason = "slow reader"
)

// Errors of Session.Send.
var (
	ErrClosed    = errors.New("engineio: session is closed")
	ErrQueueFull = errors.New("engineio: session has too much waiting to be read")
)

// Request is what is kept of the request that opened a session.
type Request struct {
	Header     http.Header
	Query      url.Values
	RemoteAddr string // host:port
}

type sessionState int8

const (
	stateOpening sessionState = iota // Accept has not returned yet
	stateOpen
	stateClosed
)

// Session is one client, on whichever transport it is.
type Session struct {
	server   *Server
	id       string
	request  Request
	receiver Receiver // set once, before the state becomes open

	// receiving is held while one packet from the client is handled, which
	// keeps packets from a POST and from a WebSocket apart.
	receiving sync.Mutex
	busy      atomic.Bool // the receiver has a message in hand

	mu     sync.Mutex
	state  sessionState
	reason Reason
	code   ws.StatusCode // for the WebSocket's Close frame

	queue  []*Message
	queued int64 // cost of the queue and of what is being written

	socket *webSocket // nil while the session polls
	poll   *poll      // the GET request that waits for something to send
	posts  bool       // a POST request is being handled

	upgrading bool       // a WebSocket is trying to take over
	candidate *webSocket // that WebSocket, once there is one
	probed    bool       // it has been probed: polls are answered at once, so that the client can stop polling

	timer        *time.Timer // heartbeat; after the end, how long saying goodbye may take
	due          time.Time   // when the timer has something to do
	awaitingPong bool
}

// newSession makes a session whose queue holds the open packet.
func (s *Server) newSession(r *http.Request, query url.Values, upgrades []string) (*Session, error) {
	id := newSessionID()
	handshake, err := json.Marshal(struct {
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval int64    `json:"pingInterval"`
		PingTimeout  int64    `json:"pingTimeout"`
		MaxPayload   int64    `json:"maxPayload"`
	}{id, upgrades, s.config.PingInterval.Milliseconds(), s.config.PingTimeout.Milliseconds(), s.config.MaxPayload})
	if err != nil {
		return nil, err
	}
	session := &Session{
		server:  s,
		id:      id,
		request: Request{Header: r.Header, Query: query, RemoteAddr: r.RemoteAddr},
	}
	opening := textPacket(typeOpen, handshake)
	session.queue = []*Message{opening}
	session.queued = opening.cost()
	return session, nil
}

// start makes the receiver listen. Nothing is read from the client before.
func (s *Session) start() {
	receiver := s.server.config.Accept(s)
	s.mu.Lock()
	s.receiver = receiver
	if s.state == stateClosed { // ended meanwhile
		reason := s.reason
		s.mu.Unlock()
		receiver.Closed(reason)
		return
	}
	s.state = stateOpen
	s.startHeartbeatLocked()
	s.mu.Unlock()
}

// ID is the session's id, which is a secret between client and server.
func (s *Session) ID() string { return s.id }

// Request is the request that opened the session. It must not be changed.
func (s *Session) Request() Request { return s.request }

// IsOpen says whether the session has not ended yet.
func (s *Session) IsOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state != stateClosed
}

// Send queues messages for the client, all or none of them. It never waits. On
// ErrQueueFull the caller decides what becomes of the session.
func (s *Session) Send(messages ...*Message) error {
	var cost int64
	for _, m := range messages {
		cost += m.cost()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateClosed {
		return ErrClosed
	}
	if s.queued+cost > s.server.config.MaxQueuedBytes {
		return ErrQueueFull
	}
	s.queue = append(s.queue, messages...)
	s.queued += cost
	s.wakeLocked()
	return nil
}

// wakeLocked tells whoever writes to the client that there is something to do.
func (s *Session) wakeLocked() {
	switch {
	case s.socket != nil:
		s.socket.wakeWriter()
	case s.poll != nil:
		s.poll.wakeUp()
	}
}

// takeLocked empties the queue into the hands of a writer, which calls sent.
func (s *Session) takeLocked() (batch []*Message, cost int64) {
	for _, m := range s.queue {
		cost += m.cost()
	}
	batch, s.queue = s.queue, nil
	return batch, cost
}

// sent frees the room that written messages took.
func (s *Session) sent(cost int64) {
	s.mu.Lock()
	s.queued -= cost
	s.mu.Unlock()
}

// Close ends the session after what is queued has been sent.
func (s *Session) Close(reason Reason) {
	code := ws.StatusNormalClosure
	if reason == ReasonStopping {
		code = ws.StatusGoingAway
	}
	s.end(reason, code, true)
}

// Abort ends the session at once; what is queued is dropped.
func (s *Session) Abort(reason Reason) {
	s.end(reason, ws.StatusPolicyViolation, false)
	s.cut()
}

// cut drops the session's connections, which ends their goroutines.
func (s *Session) cut() {
	s.mu.Lock()
	socket, candidate := s.socket, s.candidate
	s.mu.Unlock()
	if socket != nil {
		socket.cut()
	}
	if candidate != nil {
		candidate.cut()
	}
	s.server.unregister(s)
}

// gone stops the timer of a session to which nothing more can be said.
func (s *Session) gone() {
	s.mu.Lock()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.server.unregister(s)
}

// end ends the session once. With flush the client gets what is queued, else
// only the news that it is over.
func (s *Session) end(reason Reason, code ws.StatusCode, flush bool) {
	s.mu.Lock()
	if s.state == stateClosed {
		s.mu.Unlock()
		return
	}
	accepted := s.state == stateOpen
	s.state, s.reason, s.code = stateClosed, reason, code
	if s.timer != nil {
		s.timer.Stop()
	}
	if !flush {
		s.queue = nil
	}
	s.wakeLocked()
	candidate := s.candidate
	if s.probed && flush && s.poll == nil {
		candidate = nil // the client has stopped polling and is about to move there: probe tells it
	}
	lastPoll := flush && s.socket == nil && s.poll == nil // one that the client has yet to send
	if lastPoll || s.socket != nil {
		s.timer = time.AfterFunc(s.server.config.CloseTimeout, s.cut)
	}
	s.mu.Unlock()

	if candidate != nil {
		candidate.cut()
	}
	s.server.countClosed()
	if !lastPoll {
		s.server.unregister(s)
	}
	if accepted {
		s.receiver.Closed(reason)
	}
}

// receive handles one packet from the client. After the session's end packets
// are ignored. An error says that the client broke the protocol.
func (s *Session) receive(p packet) error {
	s.receiving.Lock()
	defer s.receiving.Unlock()
	if !s.IsOpen() {
		return nil
	}
	switch p.kind {
	case typeMessage:
		s.busy.Store(true)
		defer s.busy.Store(false)
		return s.receiver.Message(p.data, p.binary)
	case typePong:
		s.pong()
		return nil
	case typeClose:
		s.end(ReasonTransportClose, ws.StatusNormalClosure, false)
		return nil
	case typeNoop:
		return nil
	default:
		return errInvalidPacket
	}
}
