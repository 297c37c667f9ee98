// Package siotest holds a hand-made, minimal Socket.IO responder: the far end of a client under
// test, which does only what the test's script tells it to.
package siotest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// Handler accepts WebSockets, sends the open packet and then runs Serve for each connection.
type Handler struct {
	// PingInterval and PingTimeout are announced in the open packet; 25 s and 20 s where 0.
	// The handler itself sends no pings.
	PingInterval, PingTimeout time.Duration
	// Serve plays one connection; when it returns the connection is dropped. ctx ends with the
	// connection's HTTP server.
	Serve func(ctx context.Context, conn *Conn)
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = ws.CloseNow() }()
	ws.SetReadLimit(16 << 20)
	conn := &Conn{Request: r, ws: ws}
	if err := conn.open(r.Context(), h.PingInterval, h.PingTimeout); err != nil {
		return
	}
	h.Serve(r.Context(), conn)
}

// Conn is the server's end of one connection.
type Conn struct {
	// Request is the opening request.
	Request *http.Request

	ws *websocket.Conn
}

func (c *Conn) open(ctx context.Context, interval, timeout time.Duration) error {
	if interval == 0 {
		interval = 25 * time.Second
	}
	if timeout == 0 {
		timeout = 20 * time.Second
	}
	return c.Send(ctx, fmt.Sprintf(`0{"sid":"engine-sid","upgrades":[],"pingInterval":%d,"pingTimeout":%d,"maxPayload":100000}`,
		interval.Milliseconds(), timeout.Milliseconds()))
}

// Send writes one text frame.
func (c *Conn) Send(ctx context.Context, frame string) error {
	return c.ws.Write(ctx, websocket.MessageText, []byte(frame))
}

// SendBinary writes one binary frame.
func (c *Conn) SendBinary(ctx context.Context, data []byte) error {
	return c.ws.Write(ctx, websocket.MessageBinary, data)
}

// Receive reads one frame: text, or binary (then not nil).
func (c *Conn) Receive(ctx context.Context) (text string, binary []byte, err error) {
	kind, data, err := c.ws.Read(ctx)
	if err != nil {
		return "", nil, err
	}
	if kind == websocket.MessageBinary {
		return "", append([]byte{}, data...), nil
	}
	return string(data), nil, nil
}

// Connect reads the CONNECT packet, accepts it and returns its payload, empty where it has none.
func (c *Conn) Connect(ctx context.Context) (auth string, err error) {
	text, _, err := c.Receive(ctx)
	if err != nil {
		return "", err
	}
	rest, found := strings.CutPrefix(text, "40")
	if !found {
		return "", fmt.Errorf("expected CONNECT, got %q", text)
	}
	namespace := ""
	if strings.HasPrefix(rest, "/") {
		name, after, _ := strings.Cut(rest, ",")
		namespace, rest = name+",", after
	}
	return rest, c.Send(ctx, "40"+namespace+`{"sid":"socket-sid"}`)
}

// Event is an event of the namespace "/" without attachments.
type Event struct {
	Name string
	// ID is the acknowledgement id's digits, empty where no acknowledgement is wanted.
	ID string
	// Payload is the first argument.
	Payload json.RawMessage
}

// ReadEvent reads frames up to the next event; pongs are passed over.
func (c *Conn) ReadEvent(ctx context.Context) (Event, error) {
	for {
		text, _, err := c.Receive(ctx)
		if err != nil {
			return Event{}, err
		}
		if strings.HasPrefix(text, "3") {
			continue
		}
		rest, found := strings.CutPrefix(text, "42")
		if !found {
			return Event{}, fmt.Errorf("expected an event, got %q", text)
		}
		start := strings.IndexByte(rest, '[')
		if start < 0 {
			return Event{}, fmt.Errorf("event without payload: %q", text)
		}
		var args []json.RawMessage
		if err := json.Unmarshal([]byte(rest[start:]), &args); err != nil || len(args) == 0 {
			return Event{}, fmt.Errorf("bad event payload %q: %w", text, err)
		}
		ev := Event{ID: rest[:start]}
		if err := json.Unmarshal(args[0], &ev.Name); err != nil {
			return Event{}, fmt.Errorf("bad event name %q: %w", text, err)
		}
		if len(args) > 1 {
			ev.Payload = args[1]
		}
		return ev, nil
	}
}

// Ack answers an event; payload is JSON.
func (c *Conn) Ack(ctx context.Context, ev Event, payload string) error {
	return c.Send(ctx, "43"+ev.ID+"["+payload+"]")
}
