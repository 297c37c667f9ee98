package engineio

import (
	"errors"
	"fmt"
	"net/http"
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

// ErrTooBig is for a Receiver to refuse a message with that is larger than it takes.
var ErrTooBig = errors.New("engineio: message too big")

// Request is what is kept of the request that opened a session: what may matter later. The rest goes, with the buffer of
// the whole request.
type Request struct {
	RemoteAddr string // host:port
	RawQuery   string
	// Headers, "" where they were not sent.
	Authorization, Origin, UserAgent string
}

func keep(r *http.Request) Request {
	return Request{
		RemoteAddr: r.RemoteAddr, RawQuery: strings.Clone(r.URL.RawQuery),
		Authorization: strings.Clone(r.Header.Get("Authorization")),
		Origin:        strings.Clone(r.Header.Get("Origin")),
		UserAgent:     strings.Clone(r.Header.Get("User-Agent")),
	}
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
	id       string // a secret between client and server
	request  Request
	receiver Receiver // set once, before the state becomes open
	release  func()   // gives back what Config.Admit has granted; nil where it was not asked

	// receiving is held while one packet from the client is handled, which
	// keeps packets from a POST and from a WebSocket apart.
	receiving sync.Mutex
	limit     atomic.Int64 // bytes of one message or POST body
	busy      atomic.Bool  // the receiver has a message in hand

	mu     sync.Mutex
	state  sessionState
	reason Reason
	code   ws.StatusCode // for the WebSocket's Close frame

	out   outbox
	polls bool // it began by polling

	socket *webSocket // nil while the session polls
	poll   *poll      // the GET request that waits for something to send
	posts  bool       // a POST request is being handled

	hurried bool // the server is stopping: not to wait long for another poll

	upgrading bool       // a WebSocket is trying to take over
	candidate *webSocket // that WebSocket, once there is one
	probed    bool       // it has been probed: polls are answered at once, so that the client can stop polling

	timer        *time.Timer // heartbeat; after the end, how long saying goodbye may take
	due          time.Time   // when the timer has something to do
	awaitingPong bool
	postponed    int // how often the wait for this pong has been prolonged
}

// strangersPayload is how large a message of a client may be that has not been made
// known, in bytes.
const strangersPayload = 64 << 10

// Known lets the client send messages of Config.MaxPayload bytes. Until the layer
// above knows who it is, it may send less, and so hold less memory.
func (s *Session) Known() { s.limit.Store(s.server.config.MaxPayload) }

// newSession makes a session and the packet that opens it. The upgrades are a JSON
// array.
func (s *Server) newSession(r *http.Request, upgrades string) (*Session, *Message) {
	session := &Session{server: s, id: NewID(), request: keep(r), out: outbox{total: &s.queued}}
	session.limit.Store(min(s.config.MaxPayload, strangersPayload))
	handshake := fmt.Appendf(make([]byte, 0, 128), `{"sid":"%s","upgrades":%s,"pingInterval":%d,"pingTimeout":%d,"maxPayload":%d}`,
		session.id, upgrades, s.config.PingInterval.Milliseconds(), s.config.PingTimeout.Milliseconds(), s.config.MaxPayload)
	return session, textPacket(typeOpen, handshake)
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

// Request is the request that opened the session. It must not be changed.
func (s *Session) Request() *Request { return &s.request }

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
