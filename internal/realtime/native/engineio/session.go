package engineio

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

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

type sessionState int8

const (
	stateOpening sessionState = iota // Accept has not returned yet
	stateOpen
	stateClosed
)

// Session is one client, on whichever transport it is.
type Session struct {
	// Set before anybody else knows the session.
	server       *Server
	id           string // a secret between client and server
	request      Request
	release      func() // gives back what Config.AllowSession has granted; nil where it was not asked
	beganPolling bool
	textOnly     bool // the client takes bytes as base64 alone, also on a WebSocket

	receiver Receiver // set once, before the state becomes open

	incoming incoming

	mu         sync.Mutex // guards the rest
	state      sessionState
	verdict    verdict // why the session ended
	outbox     outbox
	room       chan struct{} // closed when the outbox has room; nil where nobody waits for that
	connection *connection   // nil while the session polls
	polling    polling
	upgrade    upgrade
	farewells  int // WebSockets that came too late and are being sent away
	heartbeat  heartbeat
	alarm      alarm // for the heartbeat; after the end, for how long saying goodbye may take
}

// verdict is why a session ended.
type verdict struct {
	reason Reason
	code   ws.StatusCode // for the WebSocket's Close frame
}

// incoming is the way in.
type incoming struct {
	// handling is held while one packet from the client is handled, which keeps
	// packets from a POST and from a WebSocket apart.
	handling sync.Mutex
	limit    atomic.Int64 // bytes of one message or POST body
	busy     atomic.Bool  // the receiver has a message in hand

	pace    *Pace // never changed
	shared  atomic.Pointer[Pace]
	delayed atomic.Bool // something has arrived too fast since the last ping
}

// strangersPayload is how large a message of a client may be that has not been made
// known, in bytes.
const strangersPayload = 64 << 10

// Known lets the client send messages of Config.MaxPayload bytes. Until the layer
// above knows who it is, it may send less, and so hold less memory, and has less
// time to say goodbye.
func (s *Session) Known() { s.incoming.limit.Store(s.server.config.MaxPayload) }

func (s *Session) isKnown() bool { return s.incoming.limit.Load() == s.server.config.MaxPayload }

// IsOpen says whether the session has not ended yet.
func (s *Session) IsOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state != stateClosed
}

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

// ID is the session's id, a secret between client and server.
func (s *Session) ID() string { return s.id }

// Transport is polling or websocket, as of now.
func (s *Session) Transport() string {
	if s.IsPolling() {
		return "polling"
	}
	return "websocket"
}

// IsPolling says whether the client polls, as of now.
func (s *Session) IsPolling() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connection == nil
}

// Request is the request that opened the session. It must not be changed.
func (s *Session) Request() *Request { return &s.request }
