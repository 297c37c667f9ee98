package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native/engineio"
	"rolecall/internal/realtime/native/rooms"
)

// namespace is a handler with its sockets.
type namespace struct {
	server   *Server
	name     string
	handler  realtime.Handler
	rooms    rooms.Table
	counters counters
}

// authenticate asks the handler. A panic refuses the socket, as any other fault that passes.
func (n *namespace) authenticate(ctx context.Context, socket *Socket, hs realtime.Handshake) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if err != nil && refusalOf(err) == nil && !errors.Is(err, realtime.ErrLater) && ctx.Err() == nil {
			n.server.log.Error("authentication failed", "namespace", n.name, "error", err)
		}
	}()
	return n.handler.Authenticate(ctx, socket, hs)
}

// refusalOf is what the client is told of an error; nil where that is nothing.
func refusalOf(err error) any {
	var refusal *realtime.Refusal
	if !errors.As(err, &refusal) {
		return nil
	}
	return map[string]any{"message": refusal.Message, "data": refusal.Data()}
}

// deliver sends a packet of an event to the sockets of rooms. It is made only if there are any;
// nil is no packet.
func (n *namespace) deliver(event string, to, except []string, packet func() []*engineio.Message) {
	many, beside := n.rooms.Select(to, except)
	if len(many) == 0 && len(beside) == 0 {
		return
	}
	messages := packet()
	if messages == nil {
		return
	}
	n.counters.deliveries.Add(int64(rooms.Deliver(many, messages) + rooms.Deliver(beside, messages)))
	if watcher := n.server.watch.Watcher(); watcher != nil {
		watcher.Sent(event, open(many, beside))
	}
}

// handshake is what the client presented.
func (c *connection) handshake(auth json.RawMessage) realtime.Handshake {
	request := c.session.Request()
	return realtime.Handshake{
		Auth: auth, RemoteAddr: request.RemoteAddr, Authorization: request.Authorization,
		Origin: request.Origin, UserAgent: request.UserAgent, RawQuery: request.RawQuery,
	}
}
