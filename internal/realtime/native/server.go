// Package native is a Socket.IO server: version 5 of the protocol, as version 4 of
// the official clients speaks it. Why it is built the way it is stands in
// docs/realtime.md.
package native

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rolecall/internal/realtime/native/engineio"
	"rolecall/internal/realtime/native/inflight"
)

// Server is one Socket.IO server.
type Server struct {
	options Options
	log     *slog.Logger
	engine  *engineio.Server

	// handlers counts the sockets whose Handler has not seen the last of them.
	handlers inflight.Counter
	// decodeErrors counts packets that were not Socket.IO.
	decodeErrors atomic.Int64

	mu         sync.RWMutex
	namespaces map[string]*namespace
}

// New makes a server.
func New(options Options) *Server {
	options.setDefaults()
	s := &Server{
		options:    options,
		log:        options.Logger,
		namespaces: make(map[string]*namespace),
	}
	s.engine = engineio.NewServer(engineio.Config{
		PingInterval:     options.PingInterval,
		PingTimeout:      options.PingTimeout,
		UpgradeTimeout:   options.UpgradeTimeout,
		WriteTimeout:     writeTimeout,
		CloseTimeout:     closeTimeout,
		PollGrace:        pollGrace,
		MaxPayload:       options.MaxPayload,
		MaxQueuedBytes:   options.MaxQueuedBytes,
		MaxQueuedTotal:   options.MaxQueuedTotal,
		CompressFrom:     options.CompressFrom,
		Admit:            options.Admit,
		AllowOrigin:      options.AllowOrigin,
		AllowCredentials: options.AllowCredentials,
		Accept:           func(session *engineio.Session) engineio.Receiver { return newConnection(s, session) },
	})
	return s
}

// Namespace sets the handler of a namespace: "/", "/chat". Clients can connect
// only to namespaces that have one. It must be called before serving.
func (s *Server) Namespace(name string, h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.namespaces[name] = &namespace{server: s, name: name, handler: h}
}

// namespace finds a namespace that has a handler; nil if there is none.
func (s *Server) namespace(name string) *namespace {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.namespaces[name]
}

func (s *Server) allNamespaces() []*namespace {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Values(s.namespaces))
}

// ServeHTTP serves the endpoint. It is to be mounted under Options.Path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.TrimRight(r.URL.Path, "/") != s.options.Path {
		http.NotFound(w, r)
		return
	}
	s.engine.ServeHTTP(w, r)
}

// SocketCount is the number of sockets, over all namespaces, that stand in all of
// the rooms, those among them that are still being authenticated.
func (s *Server) SocketCount(names ...string) int {
	count := 0
	for _, n := range s.allNamespaces() {
		count += n.rooms.Count(names...)
	}
	return count
}

// HasOpenSocket says whether a socket whose CONNECT has been answered stands in the
// room, in any namespace. Unlike SocketCount it does not count those that are about
// to come, or to leave their rooms.
func (s *Server) HasOpenSocket(room string) bool {
	for conn := range s.socketsIn(room) {
		if conn.IsOpen() {
			return true
		}
	}
	return false
}

func (s *Server) socketsIn(room string) iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		for _, n := range s.allNamespaces() {
			for _, member := range n.rooms.Select([]string{room}, nil) {
				if conn, ok := member.Outlet.(*Conn); ok && !yield(conn) {
					return
				}
			}
		}
	}
}

// Connections is the number of open connections, each of which may have a socket
// in several namespaces.
func (s *Server) Connections() int { return s.engine.Len() }

// DisconnectRoom closes every connection that has a socket in the room, also one
// that is still being authenticated.
func (s *Server) DisconnectRoom(room string) {
	for conn := range s.socketsIn(room) {
		conn.Disconnect(true)
	}
}

// Drain refuses new connections with 503, closes all there are, and returns when
// every Handler.Disconnected has. Clients that have not said goodbye when nine tenths
// of the context's time are over are cut off. Drain fails when the context ends before
// the handlers have.
func (s *Server) Drain(ctx context.Context) error {
	patience, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		patience, cancel = context.WithTimeout(ctx, time.Until(deadline)*9/10)
	}
	defer cancel()
	if err := s.engine.Drain(patience); err != nil {
		s.log.Info("connections cut off", "error", err)
	}
	if err := s.handlers.Wait(ctx); err != nil {
		return fmt.Errorf("native: handlers are still running: %w", err)
	}
	return nil
}
