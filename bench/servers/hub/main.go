// Command hub is a bare WebSocket hub: every text message it receives goes, framed once, to all its connections. There
// is no protocol above the frame and no authentication, so that what it uses is the least a fan-out in Go can cost.
package main

import (
	"bytes"
	"net/http"
	"os"
	"sync"

	"github.com/gobwas/ws"
	"github.com/lxzan/gws"

	"rolecall/bench/servers/serve"
)

func main() { serve.Main(newHandler) }

func newHandler() (http.Handler, error) {
	h := &hub{connections: make(map[*gws.Conn]struct{}), direct: os.Getenv("BENCH_MODE") == "direct"}
	upgrader := gws.NewUpgrader(h, &gws.ServerOption{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connection, err := upgrader.Upgrade(w, r)
		if err != nil {
			return
		}
		go connection.ReadLoop()
	}), nil
}

type hub struct {
	gws.BuiltinEventHandler
	// direct writes the frame to one connection after another; otherwise gws's Broadcaster does, each in a goroutine.
	direct bool

	mu          sync.RWMutex
	connections map[*gws.Conn]struct{}
}

// OnOpen adds a connection.
func (h *hub) OnOpen(c *gws.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.connections[c] = struct{}{}
}

// OnClose forgets a connection.
func (h *hub) OnClose(c *gws.Conn, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.connections, c)
}

// OnMessage sends a message to all.
func (h *hub) OnMessage(_ *gws.Conn, message *gws.Message) {
	payload := bytes.Clone(message.Bytes())
	_ = message.Close()
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.direct {
		frame := ws.MustCompileFrame(ws.NewTextFrame(payload))
		for c := range h.connections {
			_, _ = c.NetConn().Write(frame) // a failure ends the connection's read loop as well
		}
		return
	}
	broadcaster := gws.NewBroadcaster(gws.OpcodeText, payload)
	for c := range h.connections {
		_ = broadcaster.Broadcast(c) // as above
	}
	_ = broadcaster.Close()
}
