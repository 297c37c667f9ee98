package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"rolecall/internal/realtime/native/engineio"
	"rolecall/internal/realtime/native/rooms"
)

// namespace is a Handler with its sockets.
type namespace struct {
	server   *Server
	name     string
	handler  Handler
	rooms    rooms.Table
	counters counters
}

// authenticate asks the handler. A panic refuses the socket.
func (n *namespace) authenticate(ctx context.Context, conn *Conn, hs Handshake) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if refusal := (*Refusal)(nil); err != nil && !errors.As(err, &refusal) && ctx.Err() == nil {
			n.server.log.Error("authentication failed", "namespace", n.name, "error", err)
		}
	}()
	return n.handler.Authenticate(ctx, conn, hs)
}

// refusalOf is what the client is told of an error.
func refusalOf(err error) any {
	refusal := &Refusal{Message: "Service unavailable", Code: "unavailable"}
	_ = errors.As(err, &refusal) // any other error keeps its text to itself
	return map[string]any{"message": refusal.Message, "data": map[string]any{"code": refusal.Code}}
}

// deliver sends a packet to the sockets of rooms. It is made only if there are any;
// nil is no packet.
func (n *namespace) deliver(to, except []string, packet func() []*engineio.Message) {
	members := n.rooms.Select(to, except)
	if len(members) == 0 {
		return
	}
	if messages := packet(); messages != nil {
		n.counters.deliveries.Add(int64(rooms.Deliver(members, messages)))
	}
}

// handshake is what the client presented.
func (c *connection) handshake(auth json.RawMessage) Handshake {
	request := c.session.Request()
	return Handshake{Auth: auth, RemoteAddr: request.RemoteAddr, request: request}
}
