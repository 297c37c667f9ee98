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

	"rolecall/internal/realtime"
	"rolecall/internal/realtime/inflight"
	"rolecall/internal/realtime/native/engineio"
)

// Server is one Socket.IO server. It implements realtime.Engine.
type Server struct {
	options realtime.Options
	log     *slog.Logger
	engine  *engineio.Server

	// handlers counts the sockets whose Handler has not seen the last of them.
	handlers inflight.Counter
	workers  *workers
	// strangers are connections that are in no namespace.
	strangers *strangers
	shares    shares
	incoming  *engineio.Budget
	watch     realtime.Watching
	// decodeErrors counts packets that were not Socket.IO.
	decodeErrors atomic.Int64

	mu         sync.RWMutex
	namespaces map[string]*namespace
}

// How long one write of up to 64 KiB, and the farewell of a closed connection,
// may take, and what Drain grants a client for its next poll.
const (
	writeTimeout = 10 * time.Second
	closeTimeout = 5 * time.Second
	pollGrace    = time.Second
)

// New makes a server.
func New(options realtime.Options) *Server {
	options = options.WithDefaults()
	incoming := engineio.NewBudget(options.MaxIncoming)
	s := &Server{
		incoming:   incoming,
		options:    options,
		log:        options.Logger,
		workers:    newWorkers(),
		strangers:  newStrangers(options.MaxStrangers),
		namespaces: make(map[string]*namespace),
	}
	s.engine = engineio.NewServer(engineio.Config{
		IDPrefix:         options.IDPrefix,
		PingInterval:     options.PingInterval,
		PingTimeout:      options.PingTimeout,
		UpgradeTimeout:   options.UpgradeTimeout,
		WriteTimeout:     writeTimeout,
		CloseTimeout:     closeTimeout,
		PollGrace:        pollGrace,
		MaxPayload:       options.MaxPayload,
		MaxQueuedBytes:   options.MaxQueuedBytes,
		MaxQueuedTotal:   options.MaxQueuedTotal,
		Incoming:         incoming,
		PacketsPerSecond: float64(options.Packets.Requests) / options.Packets.Period.Seconds(),
		PacketsAtOnce:    options.Packets.Burst,
		CompressFrom:     options.CompressFrom,
		AllowSession:     options.Admit,
		AllowOrigin:      options.AllowOrigin,
		AllowCredentials: options.AllowCredentials,
		Accept:           func(session *engineio.Session) engineio.Receiver { return newConnection(s, session) },
	})
	return s
}

// Namespace implements realtime.Engine.
func (s *Server) Namespace(name string, h realtime.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &namespace{server: s, name: name, handler: h}
	n.rooms.Changed = s.options.RoomChanged
	s.namespaces[name] = n
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

// SocketCount implements realtime.Engine.
func (s *Server) SocketCount(names ...string) int {
	count := 0
	for _, n := range s.allNamespaces() {
		count += n.rooms.Count(names...)
	}
	return count
}

// OpenSockets implements realtime.Engine. Unlike SocketCount it leaves out the sockets that are about to come, or to leave
// their rooms.
func (s *Server) OpenSockets(room string) iter.Seq[realtime.Socket] {
	return func(yield func(realtime.Socket) bool) {
		for socket := range s.socketsIn(room) {
			if socket.isAnswered() && !yield(socket) {
				return
			}
		}
	}
}

// SocketsIn implements realtime.Engine.
func (s *Server) SocketsIn(name string, rooms, except []string) iter.Seq[realtime.Socket] {
	n := s.namespace(name)
	if n == nil {
		return open(nil, nil)
	}
	return open(n.rooms.Select(rooms, except))
}

// Rooms implements realtime.Engine.
func (s *Server) Rooms(name string) []string {
	n := s.namespace(name)
	if n == nil {
		return nil
	}
	return slices.DeleteFunc(n.rooms.Names(), func(room string) bool { return room == realtime.Everyone })
}

func (s *Server) socketsIn(room string) iter.Seq[*Socket] {
	return func(yield func(*Socket) bool) {
		for _, n := range s.allNamespaces() {
			for _, member := range n.rooms.Members(room) {
				if socket, ok := member.Outlet.(*Socket); ok && !yield(socket) {
					return
				}
			}
		}
	}
}

// Delivered implements realtime.Engine.
func (s *Server) Delivered() (events int64) {
	for _, n := range s.allNamespaces() {
		events += n.counters.deliveries.Load()
	}
	return events
}

// Connections implements realtime.Engine.
func (s *Server) Connections() int { return s.engine.Len() }

// DisconnectRoom implements realtime.Engine.
func (s *Server) DisconnectRoom(room string) {
	for socket := range s.socketsIn(room) {
		socket.connection.sendAway()
	}
}

// SendAway implements realtime.Engine.
func (s *Server) SendAway(ctx context.Context, period time.Duration) { s.engine.SendAway(ctx, period) }

// Drain implements realtime.Engine. Clients that have not said goodbye when nine tenths of the context's time are over are
// cut off.
func (s *Server) Drain(ctx context.Context) error {
	patience, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		patience, cancel = context.WithTimeout(ctx, time.Until(deadline)*9/10)
	}
	defer cancel()
	if err := s.engine.Drain(patience); err != nil {
		s.log.Info("connections cut off", "error", err)
	}
	defer s.workers.stop()
	if err := s.handlers.Wait(ctx); err != nil {
		return fmt.Errorf("native: handlers are still running: %w", err)
	}
	return nil
}
