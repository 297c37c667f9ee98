// Package engineio is a server for version 4 of the Engine.IO protocol: sessions
// that live on long polling or a WebSocket, the upgrade from one to the other,
// and the heartbeat. It knows nothing of Socket.IO.
//
// https://socket.io/docs/v4/engine-io-protocol
package engineio

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"rolecall/internal/realtime/native/inflight"
)

// Names of the transports in the query of a request.
const (
	transportPolling   = "polling"
	transportWebSocket = "websocket"
)

// Config is what a Server is made of. Every field must be set but CompressFrom,
// AllowOrigin and Admit.
type Config struct {
	PingInterval   time.Duration // from one pong to the next ping
	PingTimeout    time.Duration // how long a pong may take
	UpgradeTimeout time.Duration // how long an upgrade may take
	WriteTimeout   time.Duration // how long one write of up to 64 KiB may take
	CloseTimeout   time.Duration // how long a closed session may take to say goodbye
	PollGrace      time.Duration // how long Drain waits for a client's next poll
	MaxPayload     int64         // bytes of one incoming message or POST body
	MaxQueuedBytes int64         // bytes that may wait for one session's client to read them
	MaxQueuedTotal int64         // bytes that may wait in all before each session's bound falls to 64 KiB

	// CompressFrom is the size in bytes from which messages are compressed for
	// clients that offer permessage-deflate; 0 compresses nothing.
	CompressFrom int

	// AllowOrigin decides on requests with an Origin; nil allows the server's own.
	AllowOrigin func(r *http.Request) bool
	// AllowCredentials lets pages of other origins send cookies and the like.
	AllowCredentials bool
	// Admit, if set, decides on a request for a new session. The release that it
	// returns is called once, when the session has ended.
	Admit func(r *http.Request) (release func(), ok bool)
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
	config Config
	// running counts what must have ended before Drain returns: sessions that a
	// client can still reach, and the goroutines of WebSockets.
	running inflight.Counter
	ping    *Message
	deflate *compression // nil unless messages are to be compressed

	queued   atomic.Int64 // cost of all that waits in sessions
	replaced atomic.Int64 // messages whose values took the place of older ones

	mu       sync.Mutex
	sessions map[string]*Session // those a request can find, the closing ones included
	open     int
	stopping bool
}

// NewServer makes a server.
func NewServer(config Config) *Server {
	s := &Server{config: config, sessions: make(map[string]*Session), ping: textPacket(typePing, nil)}
	if config.CompressFrom > 0 {
		s.deflate = &compression{from: config.CompressFrom}
	}
	return s
}

// ServeHTTP answers every request of the protocol.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.admitOrigin(w, r) {
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
	if sid := query.Get("sid"); sid != "" {
		s.serveSession(w, r, sid, transport)
		return
	}
	s.handshake(w, r, query, transport)
}

// serveSession answers a request that names a session.
func (s *Server) serveSession(w http.ResponseWriter, r *http.Request, sid, transport string) {
	s.mu.Lock()
	session := s.sessions[sid]
	s.mu.Unlock()
	switch {
	case session == nil:
		errUnknownSession().write(w)
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

// handshake answers a request that asks for a new session.
func (s *Server) handshake(w http.ResponseWriter, r *http.Request, query url.Values, transport string) {
	switch {
	case r.Method != http.MethodGet:
		errHandshakeMethod().write(w)
	case query.Get("EIO") != "4":
		errUnsupportedVersion().write(w)
	case transport == transportWebSocket && !isWebSocketUpgrade(r):
		errBadRequest().write(w)
	case s.isStopping():
		errStopping().write(w)
	case transport == transportWebSocket:
		s.openWebSocket(w, r)
	default:
		s.openPolling(w, r)
	}
}

// admit puts a new session where requests find it, or says why there can be none.
func (s *Server) admit(session *Session, r *http.Request) *refusal {
	if s.config.Admit != nil {
		release, ok := s.config.Admit(r)
		if !ok {
			return errTooMany()
		}
		session.release = release
	}
	s.mu.Lock()
	stopping := s.stopping
	if !stopping {
		s.running.Begin()
		s.sessions[session.id] = session
		s.open++
	}
	s.mu.Unlock()
	if stopping {
		session.releaseAdmission()
		return errStopping()
	}
	return nil
}

// unregister forgets a session. Calling it again does nothing.
func (s *Server) unregister(session *Session) {
	s.mu.Lock()
	_, known := s.sessions[session.id]
	delete(s.sessions, session.id)
	s.mu.Unlock()
	if known {
		s.running.End()
	}
}

func (s *Server) countClosed(session *Session) {
	s.mu.Lock()
	s.open--
	s.mu.Unlock()
	session.releaseAdmission()
}

// Stats are figures of a Server.
type Stats struct {
	QueuedBytes int64 // what waits for clients to read it, with some overhead
	Replaced    int64 // messages whose values took the place of older ones that had not been read
}

// Stats returns the figures of now.
func (s *Server) Stats() Stats {
	return Stats{QueuedBytes: s.queued.Load(), Replaced: s.replaced.Load()}
}

// Len is the number of open sessions.
func (s *Server) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// Drain refuses new sessions, closes all there are, and waits until they have
// ended: a client that polls has Config.PollGrace to ask for the last time. When the
// context ends first, connections are cut and its error returned.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	sessions := make([]*Session, 0, len(s.sessions))
	for _, session := range s.sessions {
		sessions = append(sessions, session)
	}
	s.mu.Unlock()
	for _, session := range sessions {
		session.Close(ReasonStopping)
		session.hurry()
	}
	if err := s.running.Wait(ctx); err != nil {
		for _, session := range sessions {
			session.cut()
		}
		return fmt.Errorf("engineio: drain: %w", err)
	}
	return nil
}

// NewID is 128 random bits as text. Whoever knows a session's id can speak for it.
func NewID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(id[:])
}
