package engineio

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
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
	release  func()   // gives back what Config.Admit has granted; nil where it was not asked

	// receiving is held while one packet from the client is handled, which
	// keeps packets from a POST and from a WebSocket apart.
	receiving sync.Mutex
	busy      atomic.Bool // the receiver has a message in hand

	mu     sync.Mutex
	state  sessionState
	reason Reason
	code   ws.StatusCode // for the WebSocket's Close frame

	out outbox

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

// newSession makes a session and the packet that opens it.
func (s *Server) newSession(r *http.Request, query url.Values, upgrades []string) (*Session, *Message, error) {
	id := NewID()
	handshake, err := json.Marshal(struct {
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval int64    `json:"pingInterval"`
		PingTimeout  int64    `json:"pingTimeout"`
		MaxPayload   int64    `json:"maxPayload"`
	}{id, upgrades, s.config.PingInterval.Milliseconds(), s.config.PingTimeout.Milliseconds(), s.config.MaxPayload})
	if err != nil {
		return nil, nil, err
	}
	session := &Session{
		server:  s,
		id:      id,
		request: Request{Header: keptHeaders(r.Header), Query: query, RemoteAddr: r.RemoteAddr},
		out:     outbox{total: &s.queued},
	}
	return session, textPacket(typeOpen, handshake), nil
}

// keptHeaders copies what may matter later of a request's headers: a session
// should not hold on to the buffer of the whole request.
func keptHeaders(header http.Header) http.Header {
	kept := make(http.Header)
	for _, name := range []string{"Authorization", "Origin", "User-Agent"} {
		for _, value := range header.Values(name) {
			kept.Add(name, strings.Clone(value))
		}
	}
	return kept
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

func (s *Session) releaseAdmission() {
	if s.release != nil {
		s.release()
	}
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
		s.end(ending{reason: ReasonTransportClose, code: ws.StatusNormalClosure, drop: true})
		return nil
	case typeNoop:
		return nil
	default:
		return errInvalidPacket
	}
}
