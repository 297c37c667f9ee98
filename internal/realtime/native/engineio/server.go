// Package engineio is a server for version 4 of the Engine.IO protocol: sessions
// that live on long polling or a WebSocket, the upgrade from one to the other,
// and the heartbeat. It knows nothing of Socket.IO.
//
// A session is one client of Engine.IO. A connection is one WebSocket, on which a
// session may live. What Socket.IO calls a socket is the business of the layer above.
//
// https://socket.io/docs/v4/engine-io-protocol
package engineio

import (
	"net/http"
	"sync/atomic"
	"time"

	"rolecall/internal/origin"
	"rolecall/internal/realtime/inflight"
)

// Names of the transports in the query of a request.
const (
	transportPolling   = "polling"
	transportWebSocket = "websocket"
)

// Config is what a Server is made of. Every field must be set but IDPrefix,
// Incoming, PacketsPerSecond, PacketsAtOnce, CompressFrom, AllowOrigin and AllowSession.
type Config struct {
	IDPrefix       string        // begins the id of each session
	PingInterval   time.Duration // from one pong to the next ping
	PingTimeout    time.Duration // how long a pong may take
	UpgradeTimeout time.Duration // how long an upgrade may take
	WriteTimeout   time.Duration // how long one write of up to 64 KiB may take
	CloseTimeout   time.Duration // how long a closed session may take to say goodbye
	PollGrace      time.Duration // how long Drain waits for a client's next poll
	MaxPayload     int64         // bytes of one incoming message or POST body
	MaxQueuedBytes int64         // bytes that may wait for one session's client to read them
	Incoming       *Budget       // bytes of long messages that are coming in
	MaxQueuedTotal int64         // bytes that may wait in all before each session's bound falls to 128 KiB

	// PacketsPerSecond is how many packets a client may send, and PacketsAtOnce how many at once; 1 KiB counts as a packet
	// more, a request as five. Beyond it reading waits. 0 bounds neither.
	PacketsPerSecond float64
	PacketsAtOnce    int

	// CompressFrom is the size in bytes from which messages are compressed for
	// clients that offer permessage-deflate; 0 compresses nothing.
	CompressFrom int

	// AllowOrigin decides on requests with an Origin; nil allows the server's own.
	AllowOrigin func(r *http.Request) bool
	// AllowCredentials lets pages of other origins send cookies and the like.
	AllowCredentials bool
	// AllowSession, if set, decides on a request for a new session. The release that
	// it returns is called once, when the session has ended.
	AllowSession func(r *http.Request) (release func(), ok bool)
	// Accept is called with each new session before anything is read from it.
	Accept func(s *Session) Receiver
}

// Receiver is told what happens to one session.
type Receiver interface {
	// Message is given each message in order, one at a time. While it runs
	// nothing more is read from the client. An error ends the session as a
	// protocol violation.
	Message(data []byte, binary bool) error
	// Closed is called exactly once, after Accept has returned, on whichever
	// goroutine ended the session; a call of Message may still be running.
	Closed(reason Reason)
}

// Server is an Engine.IO server. It is an http.Handler for its one path.
type Server struct {
	// Never changed.
	config  Config
	ping    *Message
	deflate *compression // nil unless messages are to be compressed

	// Each safe by itself.
	registry registry
	// running counts what must have ended before Drain returns: sessions that a
	// client can still reach, and the goroutines of connections.
	running  inflight.Counter
	queued   atomic.Int64 // cost of all that waits in sessions
	replaced atomic.Int64 // messages whose values took the place of older ones
	delayed  atomic.Int64 // packets behind which nothing was read for a while
	traffic  traffic
}

// NewServer makes a server.
func NewServer(config Config) *Server {
	s := &Server{config: config, ping: textPacket(typePing, nil)}
	if config.CompressFrom > 0 {
		s.deflate = &compression{from: config.CompressFrom}
	}
	if config.AllowOrigin == nil {
		s.config.AllowOrigin = origin.Policy{}.Allows
	}
	return s
}

// ServeHTTP answers every request of the protocol.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.allowOrigin(w, r) {
		errForbidden().write(w)
		return
	}
	if r.Method == http.MethodOptions {
		preflight(w, r)
		return
	}
	query := r.URL.Query()
	transport := query.Get("transport")
	if transport != transportPolling && transport != transportWebSocket {
		errUnknownTransport().write(w)
		return
	}
	if id := query.Get("sid"); id != "" {
		s.serveSession(w, r, id, transport)
		return
	}
	s.open(w, r, query.Get("EIO"), transport)
}

// serveSession answers a request that names a session.
func (s *Server) serveSession(w http.ResponseWriter, r *http.Request, id, transport string) {
	session := s.registry.find(id)
	switch {
	case session == nil:
		errUnknownSession().write(w)
	case !session.admit():
		session.violation(w, ReasonTransportError, errTooMany())
	case transport == transportWebSocket:
		session.serveUpgrade(w, r)
	case r.Method == http.MethodGet:
		session.servePoll(w, r)
	case r.Method == http.MethodPost:
		session.servePost(w, r)
	default:
		errBadRequest().write(w)
	}
}

// Stats are figures of a Server.
type Stats struct {
	QueuedBytes int64 // what waits for clients to read it, with some overhead
	Delayed     int64 // packets behind which nothing was read for a while, since they came too fast
	Replaced    int64 // messages whose values took the place of older ones that had not been read
}

// Stats returns the figures of now.
func (s *Server) Stats() Stats {
	return Stats{QueuedBytes: s.queued.Load(), Replaced: s.replaced.Load(), Delayed: s.delayed.Load()}
}

// Len is the number of open sessions.
func (s *Server) Len() int { return s.registry.openCount() }
