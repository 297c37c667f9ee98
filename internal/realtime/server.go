// Package realtime is a Socket.IO server: everything that knows the Socket.IO
// library, and the layers below it. Why it is built the way it is stands in
// docs/realtime.md.
package realtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"rolecall/internal/realtime/codec"
	"rolecall/internal/realtime/engineio"
	"rolecall/internal/realtime/inflight"
	"rolecall/internal/realtime/rooms"
)

// Server is one Socket.IO server.
type Server struct {
	options Options
	log     *slog.Logger
	engine  *engineio.Server

	// io is the library's server. It learns of connections through base.
	io   *socket.Server
	base engine.BaseServer
	// request stands in for the HTTP request that the library wants to see.
	request *types.HttpContext

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
		base:       engine.MakeBaseServer(),
		request:    blankRequest(),
		namespaces: make(map[string]*namespace),
	}
	libraryOptions := socket.DefaultServerOptions()
	libraryOptions.SetServeClient(false)
	libraryOptions.SetConnectTimeout(options.ConnectTimeout)
	libraryOptions.SetAdapter(rooms.Builder{})
	libraryOptions.SetParser(codec.Parser{})
	s.io = socket.NewServer(nil, libraryOptions)
	s.io.Bind(s.base)
	s.engine = engineio.NewServer(engineio.Config{
		PingInterval:   options.PingInterval,
		PingTimeout:    options.PingTimeout,
		UpgradeTimeout: options.UpgradeTimeout,
		WriteTimeout:   writeTimeout,
		CloseTimeout:   closeTimeout,
		MaxPayload:     options.MaxPayload,
		MaxQueuedBytes: options.MaxQueuedBytes,
		MaxQueuedTotal: options.MaxQueuedTotal,
		CompressFrom:   options.CompressFrom,
		Admit:          options.Admit,
		AllowOrigin:    options.AllowOrigin,
		Accept:         s.accept,
	})
	return s
}

// blankRequest is an empty request in the library's wrapping. The library copies
// headers and query of a connection's request for each of its sockets and keeps
// the copy; nobody reads it there, since handlers are given a Handshake.
func blankRequest() *types.HttpContext {
	request := types.NewHttpContext(noResponse{}, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}})
	request.Flush() // ends the goroutine that watches the request
	return request
}

// noResponse is the http.ResponseWriter of a request that nobody answers.
type noResponse struct{}

func (noResponse) Header() http.Header         { return http.Header{} }
func (noResponse) Write(p []byte) (int, error) { return len(p), nil }
func (noResponse) WriteHeader(int)             {}

// accept makes the library listen to a new session.
func (s *Server) accept(session *engineio.Session) engineio.Receiver {
	c := newConnection(s, session)
	s.base.Emit("connection", c)
	return c
}

// Namespace sets the handler of a namespace: "/", "/chat". Clients can connect
// only to namespaces that have one. It must be called before serving.
func (s *Server) Namespace(name string, h Handler) {
	n := &namespace{server: s, name: name, handler: h}
	nsp := s.io.Of(name, nil)
	n.adapter, _ = nsp.Adapter().(*rooms.Adapter) // which is what rooms.Builder makes
	nsp.Use(n.admit)
	_ = nsp.On("connection", n.onConnection) // reports no errors
	s.mu.Lock()
	s.namespaces[name] = n
	s.mu.Unlock()
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
// the rooms.
func (s *Server) SocketCount(names ...string) int {
	count := 0
	for _, n := range s.allNamespaces() {
		count += n.adapter.Table().Count(toRooms(names)...)
	}
	return count
}

// Connections is the number of open connections, each of which may have a socket
// in several namespaces.
func (s *Server) Connections() int { return s.engine.Len() }

// DisconnectRoom closes every connection that has a socket in the room, also one
// that is still being authenticated.
func (s *Server) DisconnectRoom(room string) {
	for _, n := range s.allNamespaces() {
		for _, member := range n.adapter.Table().Select(toRooms([]string{room}), nil) {
			if conn, ok := member.Outlet.(*Conn); ok {
				conn.Disconnect(true)
			}
		}
	}
}

// Drain refuses new connections with 503, closes all there are, and returns when
// every Handler.Disconnected has. When the context ends first, what is left of
// the connections is cut and an error returned.
func (s *Server) Drain(ctx context.Context) error {
	err := s.engine.Drain(ctx)
	if waited := s.handlers.Wait(ctx); waited != nil {
		err = errors.Join(err, fmt.Errorf("realtime: handlers are still running: %w", waited))
	}
	return err
}

func toRooms(names []string) []rooms.Room {
	out := make([]rooms.Room, len(names))
	for i, name := range names {
		out[i] = rooms.Room(name)
	}
	return out
}
