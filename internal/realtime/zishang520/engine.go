// Package zishang520 is the Go library github.com/zishang520/socket.io as a realtime.Engine. It translates and adds no
// promises of its own: which of those in docs/realtime.md the library keeps, and which it does not, stands there.
package zishang520

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/servers/engine/v3"
	sio "github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"rolecall/internal/origin"
	"rolecall/internal/realtime"
	"rolecall/internal/realtime/inflight"
	"rolecall/internal/realtime/waves"
)

// farewellPatience is how long Drain lets connections close by themselves: one by polling waits for its client's next
// request.
const farewellPatience = time.Second

// Engine implements realtime.Engine.
type Engine struct {
	options  realtime.Options
	io       *sio.Server
	endpoint http.Handler
	stopping atomic.Bool
	watch    realtime.Watching
	traffic  traffic
	// running counts connections, and sockets whose handler has not seen the last of them.
	running inflight.Counter

	mu         sync.RWMutex
	namespaces map[string]*namespace
}

// New makes an engine. It has no use for MaxQueuedBytes, MaxQueuedTotal and SlowReader, as the library's queues have no
// bound. Neither does it compress: the library bounds what comes compressed, not what becomes of it.
func New(options realtime.Options) *Engine {
	options = options.WithDefaults()
	if options.CompressFrom > 0 {
		options.Logger.Warn("messages are not compressed: this engine would take more from compressed ones than it may")
	}
	if options.IDPrefix != "" {
		options.Logger.Warn("ids of sessions do not begin with the node's name: this engine makes them itself")
	}
	if options.AllowOrigin == nil {
		options.AllowOrigin = origin.Policy{}.Allows // the server's own
	}
	o := sio.DefaultServerOptions()
	o.SetPath(options.Path)
	o.SetServeClient(false)
	o.SetParser(rawParser{parser.NewParser()})
	o.SetPingInterval(options.PingInterval)
	o.SetPingTimeout(options.PingTimeout)
	o.SetUpgradeTimeout(options.UpgradeTimeout)
	o.SetConnectTimeout(options.ConnectTimeout)
	o.SetMaxHttpBufferSize(options.MaxPayload)
	o.SetIdleTimeout(0) // pings find the dead
	o.SetHttpCompression(nil)
	// ServeHTTP lets no other origin come as far.
	o.SetCors(&types.Cors{Origin: true, Methods: "GET, POST, OPTIONS", MaxAge: "600", Credentials: options.AllowCredentials})
	e := &Engine{options: options, io: sio.NewServer(nil, o), namespaces: make(map[string]*namespace)}
	e.io.Use(e.refuseUnknown)
	e.endpoint = e.io.ServeHandler(nil)
	_ = e.io.Engine().On("connection", e.begin) // it never fails
	return e
}

// Namespace implements realtime.Engine.
func (e *Engine) Namespace(name string, handler realtime.Handler) {
	n := &namespace{engine: e, name: name, handler: handler, io: e.io.Of(name, nil)}
	n.io.Use(n.admit)
	_ = n.io.On("connection", n.connected) // it never fails
	e.mu.Lock()
	defer e.mu.Unlock()
	e.namespaces[name] = n
}

// refuseUnknown keeps clients out of "/", which the library always has, where it has no handler.
func (e *Engine) refuseUnknown(_ *sio.Socket, next func(*sio.ExtendedError)) {
	if _, known := e.find("/"); !known {
		next(sio.NewExtendedError("Invalid namespace", nil))
		return
	}
	next(nil)
}

// ServeHTTP serves the endpoint. It is to be mounted under Options.Path.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch isHandshake := r.Method != http.MethodOptions && r.URL.Query().Get("sid") == ""; {
	case strings.TrimRight(r.URL.Path, "/") != e.options.Path:
		http.NotFound(w, r)
	case r.Header.Get("Origin") != "" && !e.options.AllowOrigin(r):
		w.Header().Add("Vary", "Origin")
		refuse(w, http.StatusForbidden, 4, "Forbidden")
	case !isHandshake:
		e.endpoint.ServeHTTP(w, r)
	case r.URL.Query().Get("EIO") != "4":
		refuse(w, http.StatusBadRequest, 5, "Unsupported protocol version") // the library has the code of "Forbidden" for it
	case e.stopping.Load():
		refuse(w, http.StatusServiceUnavailable, 3, "Server is stopping")
	default:
		e.handshake(w, r)
	}
}

// SocketCount implements realtime.Engine.
func (e *Engine) SocketCount(rooms ...string) int {
	count := 0
	for _, n := range e.all() {
		count += n.count(rooms)
	}
	return count
}

// OpenSockets implements realtime.Engine.
func (e *Engine) OpenSockets(room string) iter.Seq[realtime.Socket] {
	return func(yield func(realtime.Socket) bool) {
		for s := range e.socketsIn(room) {
			if s.io.Connected() && !yield(s) {
				return
			}
		}
	}
}

// SocketsIn implements realtime.Engine.
func (e *Engine) SocketsIn(name string, rooms, except []string) iter.Seq[realtime.Socket] {
	if n, known := e.find(name); known {
		return n.open(rooms, except)
	}
	return func(func(realtime.Socket) bool) {}
}

// Rooms implements realtime.Engine.
func (e *Engine) Rooms(name string) (rooms []string) {
	if n, known := e.find(name); known {
		for _, room := range n.io.Adapter().Rooms().Keys() {
			rooms = append(rooms, string(room))
		}
	}
	return rooms
}

func (e *Engine) socketsIn(room string) iter.Seq[*Socket] {
	return func(yield func(*Socket) bool) {
		for _, n := range e.all() {
			for _, id := range n.members(room) {
				if s, known := n.sockets.Load(id); known && !yield(s) {
					return
				}
			}
		}
	}
}

// DisconnectRoom implements realtime.Engine.
func (e *Engine) DisconnectRoom(room string) {
	for s := range e.socketsIn(room) {
		s.sendAway()
	}
}

// Delivered implements realtime.Engine. The library does not tell to how many sockets an event goes.
func (e *Engine) Delivered() int64 { return 0 }

// Connections implements realtime.Engine.
func (e *Engine) Connections() int { return int(e.io.Engine().ClientsCount()) }

// SendAway implements realtime.Engine.
func (e *Engine) SendAway(ctx context.Context, period time.Duration) {
	e.stopping.Store(true)
	waves.Spread(ctx, e.io.Engine().Clients().Values(), period, func(connection engine.Socket) { connection.Close(false) })
}

// Drain implements realtime.Engine.
func (e *Engine) Drain(ctx context.Context) error {
	e.stopping.Store(true)
	for _, connection := range e.io.Engine().Clients().Values() {
		connection.Close(false)
	}
	patience, cancel := context.WithTimeout(ctx, farewellPatience)
	defer cancel()
	_ = e.running.Wait(patience) // those left are cut off
	e.io.Engine().Close()
	if err := e.running.Wait(ctx); err != nil {
		return fmt.Errorf("zishang520: handlers are still running: %w", err)
	}
	return nil
}

// find returns the namespace of that name if it has a handler.
func (e *Engine) find(name string) (n *namespace, ok bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	n, ok = e.namespaces[name]
	return n, ok
}

func (e *Engine) all() []*namespace {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Collect(maps.Values(e.namespaces))
}
