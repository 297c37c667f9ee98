package native

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"rolecall/internal/realtime/native/engineio"
)

// Handler is what a namespace does with its sockets. Connected, Event and
// Disconnected are called one at a time for each socket, in this order; a panic
// in any of them is logged and the socket lives on.
type Handler interface {
	// Authenticate runs before CONNECT is answered. An error refuses the socket
	// with what a *Refusal says; any other error is logged and refuses it without
	// saying why. Rooms joined here count at once, but nothing is delivered before
	// CONNECT has been answered, and a socket that is refused or gone leaves no
	// membership behind. ctx ends when the client leaves meanwhile.
	Authenticate(ctx context.Context, conn *Conn, hs Handshake) error
	// Connected is called when CONNECT has been answered: events emitted here
	// arrive right after the answer.
	Connected(conn *Conn)
	// Event is called with each event of the client.
	Event(conn *Conn, ev Event)
	// Disconnected is called exactly once for each call of Connected, after the
	// socket has left its rooms; conn.Rooms still lists those it stood in.
	Disconnected(conn *Conn, reason string)
}

// Refusal is why a socket may not connect: CONNECT_ERROR { message, data: { code } }.
type Refusal struct {
	Message string // a sentence for a person
	Code    string // for a program
}

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// Handshake is what a client presents to connect.
type Handshake struct {
	Auth       json.RawMessage // the CONNECT payload, a JSON object; may be empty
	RemoteAddr string          // host:port of the request that opened the connection

	request *engineio.Request
}

// Header is what is kept of the headers of the request that opened the connection:
// Authorization, Origin and User-Agent.
func (h Handshake) Header() http.Header { return h.request.Header() }

// Query is the query of the request that opened the connection. What is malformed
// in it is left out.
func (h Handshake) Query() url.Values {
	query, _ := url.ParseQuery(h.request.RawQuery)
	return query
}

// Event is one event from a client.
type Event struct {
	Name string
	// Args are the raw JSON of each argument. Where one held binary data, its
	// place is taken by {"_placeholder":true,"num":i} and the data is Binary[i].
	Args   []json.RawMessage
	Binary [][]byte
	// TooDeep tells that the arguments were nested deeper than 64 levels and have been left out.
	TooDeep bool
	// Ack answers the event, payload being encoded as JSON. It is nil when the
	// client wants no answer. The first call wins; it may come from any goroutine.
	Ack func(payload any)
}
