package realtime

import (
	"io"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/engine/v3/transports"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"rolecall/internal/realtime/codec"
	"rolecall/internal/realtime/engineio"
)

// The library's engine.Socket. The library calls Id, Protocol, ReadyState,
// Request, RemoteAddress, Write, Close and, for volatile packets, Transport; the
// rest exists for its interface.

var _ engine.Socket = (*connection)(nil)

// Id is part of engine.Socket.
func (c *connection) Id() string { return c.session.ID() } //nolint:revive // the library's spelling

// Protocol is part of engine.Socket: the version of Engine.IO.
func (c *connection) Protocol() int { return 4 }

// ReadyState is part of engine.Socket.
func (c *connection) ReadyState() string {
	if c.session.IsOpen() {
		return "open"
	}
	return "closed"
}

// SetReadyState is part of engine.Socket. The session knows its state.
func (c *connection) SetReadyState(string) {}

// Request is part of engine.Socket; see blankRequest.
func (c *connection) Request() *types.HttpContext { return c.server.request }

// RemoteAddress is part of engine.Socket.
func (c *connection) RemoteAddress() string { return c.session.Request().RemoteAddr }

// Transport is part of engine.Socket.
func (c *connection) Transport() transports.Transport { return transport{session: c.session} }

// Upgraded is part of engine.Socket.
func (c *connection) Upgraded() bool { return false }

// Upgrading is part of engine.Socket.
func (c *connection) Upgrading() bool { return false }

// Construct is part of engine.Socket.
func (c *connection) Construct(string, engine.BaseServer, transports.Transport, *types.HttpContext, int) {
}

// MaybeUpgrade is part of engine.Socket.
func (c *connection) MaybeUpgrade(transports.Transport) {}

// Send is part of engine.Socket.
func (c *connection) Send(data io.Reader, options *packet.Options, sent engine.SendCallback) engine.Socket {
	return c.Write(data, options, sent)
}

// Write is part of engine.Socket. The data is what codec.Parser has encoded.
func (c *connection) Write(data io.Reader, _ *packet.Options, _ engine.SendCallback) engine.Socket {
	encoded, ok := data.(*codec.Encoded)
	if !ok {
		c.server.log.Error("the library wrote something that its encoder did not make")
		return c
	}
	message := engineio.TextMessage
	if encoded.Binary {
		message = engineio.BinaryMessage
	}
	messages := []*engineio.Message{message(encoded.Bytes())}
	switch encoded.Type {
	case codec.Connect:
		c.answerConnect(encoded.Namespace, messages)
	case codec.ConnectError:
		c.refuse(encoded.Namespace, messages)
	default:
		c.deliver(encoded.Namespace, messages)
	}
	return c
}

// answerConnect holds the answer to CONNECT before anything that has been sent to
// the socket since it was let in.
func (c *connection) answerConnect(namespace string, answer []*engineio.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.gateLocked(namespace); g != nil && g.state == gateConnecting {
		g.held = append(answer, g.held...)
	}
}

// refuse sends CONNECT_ERROR and lets the client try again.
func (c *connection) refuse(namespace string, answer []*engineio.Message) {
	c.mu.Lock()
	if g := c.gateLocked(namespace); g != nil && g.state == gateConnecting {
		g.state = gateLeft
	}
	err := c.session.Send(answer...)
	c.mu.Unlock()
	c.sent(err)
}

// Close is part of engine.Socket.
func (c *connection) Close(discard bool) {
	if discard {
		c.session.Abort(engineio.ReasonForcedClose)
		return
	}
	c.session.Close(engineio.ReasonForcedClose)
}

// transport tells the library whether a volatile packet would leave at once.
type transport struct {
	transports.Transport // nil: the library calls nothing but Writable

	session *engineio.Session
}

// Writable is part of transports.Transport.
func (t transport) Writable() bool { return t.session.Writable() }
