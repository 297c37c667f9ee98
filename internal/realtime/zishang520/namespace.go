package zishang520

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	sio "github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"rolecall/internal/realtime"
)

// namespace is a handler with its sockets.
type namespace struct {
	engine  *Engine
	name    string
	handler realtime.Handler
	io      sio.Namespace
	// sockets has also those that are being authenticated, which the library does not list.
	sockets types.Map[sio.SocketId, *Socket]
	// gatherers are those that gather events.
	gatherers types.Map[sio.SocketId, *Socket]
}

// admit is the library's middleware: it runs before CONNECT is answered. In the socket's queue pongs, and the news that
// the client has left, do not wait for it.
func (n *namespace) admit(io *sio.Socket, next func(*sio.ExtendedError)) {
	connection := connectionOf(io)
	if !connection.connects.Allow() {
		io.Conn().Close(false)
		return
	}
	n.engine.running.Begin()
	s := newSocket(n, io)
	n.sockets.Store(io.Id(), s)
	io.Enqueue(func() {
		err := n.authenticate(s)
		refused, final := refusalOf(err)
		if refused != nil && !final {
			io.Conn().Close(true) // before the library answers
		}
		connection.entering.Lock() // until welcome or settle
		next(refused)
		// The library goes on in the queue. What stands behind it there finds out how that went: of a client that has left
		// meanwhile it tells nobody. Put in any later, it could find the queue closed.
		io.Enqueue(s.settle)
	})
}

// authenticate asks the handler. A panic refuses the socket, as any other fault that passes.
func (n *namespace) authenticate(s *Socket) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if _, final := refusalOf(err); err != nil && !final && !errors.Is(err, realtime.ErrLater) && s.ctx.Err() == nil {
			n.engine.options.Logger.Error("authentication failed", "namespace", n.name, "error", err)
		}
	}()
	return n.handler.Authenticate(s.ctx, s, handshakeOf(s.io))
}

// handshakeOf is what the client presented.
func handshakeOf(io *sio.Socket) realtime.Handshake {
	request := io.Request().Request()
	presented := realtime.Handshake{
		RemoteAddr: request.RemoteAddr, Authorization: request.Header.Get("Authorization"),
		Origin: request.Header.Get("Origin"), UserAgent: request.UserAgent(), RawQuery: request.URL.RawQuery,
	}
	presented.Auth, _ = io.Handshake().Auth[""].(json.RawMessage) // where the decoder has put it
	return presented
}

// refusalOf is an error as the library takes it, nil for none, and whether the client is to be told. Any but a refusal keeps its
// text to itself.
func refusalOf(err error) (refused *sio.ExtendedError, final bool) {
	if err == nil {
		return nil, false
	}
	var refusal *realtime.Refusal
	if errors.As(err, &refusal) {
		return sio.NewExtendedError(refusal.Message, refusal.Data()), true
	}
	return sio.NewExtendedError("Service unavailable", nil), false
}

// connected is told by the library that CONNECT has been answered, in the socket's queue.
func (n *namespace) connected(args ...any) {
	io, ok := args[0].(*sio.Socket)
	if !ok {
		return
	}
	if s, known := n.sockets.Load(io.Id()); known {
		s.welcome()
	}
}

// members are the ids of the sockets in a room.
func (n *namespace) members(room string) []sio.SocketId {
	if room == realtime.Everyone && n.engine.options.SocketRooms {
		return n.sockets.Keys()
	}
	if ids, ok := n.io.Adapter().Rooms().Load(sio.Room(room)); ok {
		return ids.Keys()
	}
	return nil
}

// count is the number of sockets that stand in all of the rooms; none for no rooms.
func (n *namespace) count(rooms []string) int {
	if len(rooms) == 0 {
		return 0
	}
	ids := n.members(rooms[0])
	for _, room := range rooms[1:] {
		others, ok := n.io.Adapter().Rooms().Load(sio.Room(room))
		if !ok {
			return 0
		}
		ids = slices.DeleteFunc(ids, func(id sio.SocketId) bool { return !others.Has(id) })
	}
	return len(ids)
}

// recoverFrom logs a handler's panic.
func (n *namespace) recoverFrom(event string) {
	if p := recover(); p != nil {
		n.engine.options.Logger.Error("handler panicked",
			"namespace", n.name, "event", event, "panic", p, "stack", string(debug.Stack()))
	}
}
