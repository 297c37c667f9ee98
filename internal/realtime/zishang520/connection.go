package zishang520

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
	"golang.org/x/time/rate"
)

// connection is what belongs to a connection from its handshake on. The library keeps the handshake's request, and the
// context of the request keeps this.
type connection struct {
	ctx context.Context //nolint:containedctx // it ends with the connection, the request's own with the answer
	// connects bounds how many sockets it may begin: each costs an authentication.
	connects *rate.Limiter
	// entering is held while the library enters a namespace. It answers CONNECT before it has noted who is in there; a
	// client that is quicker than the note would be sent away for its next packet.
	entering sync.Mutex
	// end is called when the connection has ended.
	end func()
	// asked is when the last ping was sent; nil where it has been answered.
	asked atomic.Pointer[time.Time]
	// begun tells that the library has made a session of the request.
	begun bool
}

type connectionKey struct{}

// connectsPeriod is the time in which a connection may begin Options.MaxConnects sockets.
const connectsPeriod = 10 * time.Second

// connectionOf finds what belongs to a connection, by anything of the library's that knows the request.
func connectionOf(of interface{ Request() *types.HttpContext }) *connection {
	c, _ := of.Request().Context().Value(connectionKey{}).(*connection) // ServeHTTP has put it there
	return c
}

// handshake lets the library make a session of a request, unless there are too many.
func (e *Engine) handshake(w http.ResponseWriter, r *http.Request) {
	release := func() {}
	if e.options.Admit != nil {
		admitted, ok := e.options.Admit(r)
		if !ok {
			refuse(w, http.StatusTooManyRequests, 3, "Too many connections")
			return
		}
		release = admitted
	}
	c := &connection{connects: rate.NewLimiter(rate.Every(connectsPeriod/time.Duration(e.options.MaxConnects)), e.options.MaxConnects)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	e.running.Begin()
	c.ctx, c.end = ctx, sync.OnceFunc(func() { cancel(); release(); e.running.End() })
	e.endpoint.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), connectionKey{}, c)))
	if !c.begun {
		c.end()
	}
}

// begin is told of each new session, before ServeHTTP returns.
func (e *Engine) begin(args ...any) {
	session, ok := args[0].(engine.Socket)
	if !ok {
		return
	}
	c := connectionOf(session)
	c.begun = true
	e.traffic.opened()
	_ = session.On("packet", func(args ...any) { // none of these fails
		e.traffic.received(args)
		c.waitForEntry()
	})
	_ = session.On("packetCreate", func(args ...any) {
		e.traffic.sent(args)
		if sent, ok := args[0].(*packet.Packet); ok && sent.Type == packet.PING {
			now := time.Now()
			c.asked.Store(&now)
		}
	})
	_ = session.On("heartbeat", func(...any) { c.asked.Store(nil) })
	_ = session.Once("close", func(args ...any) {
		e.traffic.closed(args)
		c.end()
	})
	if session.ReadyState() == "closed" { // before anybody listened
		c.end()
	}
}

// waitForEntry holds back a packet of the client, in the goroutine that reads the connection.
func (c *connection) waitForEntry() {
	c.entering.Lock()
	defer c.entering.Unlock()
}

// refuse answers in the form of Engine.IO's errors.
func refuse(w http.ResponseWriter, status, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "message": message}) // the client may have gone
}
