package realtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"rolecall/internal/realtime/codec"
	"rolecall/internal/realtime/rooms"
)

// namespace joins a Handler to a namespace of the library.
type namespace struct {
	server  *Server
	name    string
	handler Handler
	adapter *rooms.Adapter

	counters counters
}

// admit is the library's middleware. It runs in the connection's reading
// goroutine, which must not wait for an authentication: pongs come the same way.
func (n *namespace) admit(s *socket.Socket, next func(*socket.ExtendedError)) {
	connection, ok := s.Conn().(*connection)
	if !ok { // every engine socket of this server is one
		next(refusalError(errors.New("unknown connection")))
		return
	}
	conn := newConn(n, connection, s)
	s.SetData(conn)
	n.counters.sockets.Add(1)
	n.adapter.Table().Register(s.Id(), conn)
	n.server.handlers.Begin()
	if !connection.attach(conn) {
		conn.end("") // the client has gone; the library will find out in next
		conn.authenticated(nil)
		next(nil)
		return
	}
	go func() {
		err := n.authenticate(conn, connection.handshake(s.Handshake().Auth))
		conn.authenticated(err)
		if err != nil {
			next(refusalError(err))
			return
		}
		next(nil)
	}()
}

// authenticate asks the handler. A panic refuses the socket.
func (n *namespace) authenticate(conn *Conn, hs Handshake) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if refusal := (*Refusal)(nil); err != nil && !errors.As(err, &refusal) && conn.ctx.Err() == nil {
			n.server.log.Error("authentication failed", "namespace", n.name, "error", err)
		}
	}()
	return n.handler.Authenticate(conn.ctx, conn, hs)
}

// refusalError is the error in the library's terms, which become CONNECT_ERROR.
func refusalError(err error) *socket.ExtendedError {
	refusal := &Refusal{Message: "Service unavailable", Code: "unavailable"}
	_ = errors.As(err, &refusal) // any other error keeps its text to itself
	return socket.NewExtendedError(refusal.Message, map[string]any{"code": refusal.Code})
}

// onConnection is called by the library, in the socket's own queue, once it has
// written the answer to CONNECT (which the connection holds back till now) and
// recorded the socket.
func (n *namespace) onConnection(args ...any) {
	s, _ := args[0].(*socket.Socket)
	conn, ok := s.Data().(*Conn)
	if !ok {
		return
	}
	_ = s.On("disconnecting", func(...any) { conn.leaving() })
	_ = s.On("disconnect", func(args ...any) {
		reason, _ := args[0].(string)
		conn.end(reason)
		conn.connection.left(conn)
	})
	// A connection that ended before the library had recorded the socket ended
	// without it, and the socket would stand in its rooms for ever. One that ends
	// from here on finds it.
	if !conn.connection.session.IsOpen() || !conn.begin() {
		conn.end("")
		s.Disconnect(false)
		return
	}
	conn.connection.open(conn)
	defer conn.finish()
	defer conn.recoverFrom("connect")
	n.handler.Connected(conn)
}

// handshake is what the client presented.
func (c *connection) handshake(auth map[string]any) Handshake {
	raw, _ := auth[codec.AuthKey].(json.RawMessage) // nil without a payload
	request := c.session.Request()
	return Handshake{Auth: raw, Header: request.Header, RemoteAddr: request.RemoteAddr, Query: request.Query}
}
