package realtime

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"
)

// Failures of a socket's methods.
var (
	// ErrNotConnected is returned for events to a socket that is not connected yet, or no longer.
	ErrNotConnected = errors.New("realtime: socket is not connected")
	// ErrTooManyCalls is returned for a call to a client that leaves too many others unanswered.
	ErrTooManyCalls = errors.New("realtime: too many calls are waiting for an answer")
)

// Socket is one client in one namespace. All methods may be called from any goroutine.
type Socket interface {
	// Namespace is the name of the namespace.
	Namespace() string
	// ID is the socket's id, which the client knows too; "" before CONNECT has been answered.
	ID() string
	// Context ends when the socket disconnects.
	Context() context.Context
	// SetData keeps a value with the socket; Data is the value last given.
	SetData(value any)
	Data() any
	// Join puts the socket into rooms. On a socket that has disconnected it does nothing.
	Join(rooms ...string)
	// Leave takes the socket out of rooms.
	Leave(rooms ...string)
	// ShareRate has what arrives on the socket's connection counted together with what arrives on others of the same key,
	// for Options.SharedPackets. The first call for a connection counts.
	ShareRate(key string)
	// Charge counts what the client has sent as so many packets more, for Options.Packets and SharedPackets.
	Charge(packets int)
	// InRoom says whether the socket stands in the room.
	InRoom(room string) bool
	// Rooms lists the rooms the socket stands in, or stood in when it disconnected.
	Rooms() []string
	// Emit sends an event, encoded like those of an Emitter; a *shared.Payload is encoded once for all sockets that are sent
	// it. It never waits for the client. It fails with ErrNotConnected.
	Emit(event string, payload any) error
	// Gather has one kind of event reach the client gathered: the payloads of those that come within a time are sent as the
	// one payload of another event, a list, in their order. Whatever else is sent to the socket, acks and goodbyes among
	// it, comes behind what was sent before it. It fails for what is no event's name. The last call counts.
	Gather(what Gathering) error
	// AwaitRoom waits for a client that has much to read before more is sent to it, such as the next part of something
	// long. It fails when ctx ends first, and with ErrNotConnected when the socket does.
	AwaitRoom(ctx context.Context) error
	// Call sends an event and waits for the client's ack, which it returns. It fails when ctx ends first, with
	// ErrNotConnected when the socket does, and with ErrTooManyCalls.
	Call(ctx context.Context, event string, payload any) (Answer, error)
	// Disconnect takes the client out of the namespace with a DISCONNECT packet or, with closeConnection, out of all its
	// namespaces and closes the connection. Official clients that were sent the packet stay away until they are told to
	// connect: it is for what the user or an admin wants. A socket that is still being authenticated can only be
	// disconnected by closing its connection.
	Disconnect(closeConnection bool)
	// Close ends the client's connection, and with it its sockets in all namespaces, behind what has been sent and without
	// a DISCONNECT packet: it is for what passes. Official clients come back by themselves, all of their sockets together.
	Close()
	// Silence is for how long the client has owed the answer to a ping, 0 where it owes none. One that goes on for longer
	// than answers take has gone, most likely.
	Silence() time.Duration
	// Connection tells of the connection that the socket shares with the client's sockets in other namespaces.
	Connection() Connection
	// Ping asks the client for a sign of life before it is time to, unless it owes one already. An engine that cannot does
	// nothing.
	Ping()
}

// Connection is a client's connection.
type Connection struct {
	// ID is a secret between client and server: who has it can read and write in the client's place. No more than its
	// beginning is for the eyes of others.
	ID string
	// Transport is polling or websocket, as of now.
	Transport string
	// The rest is of the request that opened the connection.
	RemoteAddr, UserAgent, Origin, RawQuery string
}

// shownOfID is how much of a connection's id is for the eyes of others: enough to tell connections apart, and nothing to
// take one over by.
const shownOfID = 8

// Shown is the part of the id that may be shown, of what is made up for this connection alone: behind Options.IDPrefix.
func (c Connection) Shown() string {
	made := c.ID[strings.LastIndexByte(c.ID, '.')+1:]
	return made[:min(len(made), shownOfID)]
}

// Gathering says which events are sent together.
type Gathering struct {
	// Event is the event that is not sent by itself; one with attachments is.
	Event string
	// Into is the event that tells of several.
	Into string
	// Within is how long the first of several may wait.
	Within time.Duration
}

// What one event of a Gathering tells, at most: so many payloads, or, where one is not longer by itself, so many bytes.
const (
	MaxGathered      = 100
	MaxGatheredBytes = 64 << 10
)

// Handler is what a namespace does with its sockets. Connected, Event and Disconnected are called one at a time for each
// socket, in this order; a panic in any of them is logged and the socket lives on.
type Handler interface {
	// Authenticate runs before CONNECT is answered. An error refuses the socket: a *Refusal with what it says, which is
	// final for official clients, and any other by closing the connection, so that they come back by themselves. It is
	// logged, unless it is ErrLater. Rooms joined here count at once, but nothing is delivered
	// before CONNECT has been answered, and a socket that is refused or gone leaves no membership behind. ctx ends when
	// the client leaves meanwhile.
	Authenticate(ctx context.Context, socket Socket, handshake Handshake) error
	// Connected is called when CONNECT has been answered: events emitted here arrive right after the answer.
	Connected(socket Socket)
	// Event is called with each event of the client.
	Event(socket Socket, event Event)
	// Disconnected is called exactly once for each call of Connected, after the socket has left its rooms; socket.Rooms
	// still lists those it stood in.
	Disconnected(socket Socket, reason string)
}

// Refusal is why a socket may not connect: CONNECT_ERROR { message, data: { code } }.
type Refusal struct {
	Message string // a sentence for a person
	Code    string // for a program
}

// Data is what a program is told of the refusal.
func (r *Refusal) Data() map[string]any { return map[string]any{"code": r.Code} }

// ErrLater refuses a socket for something that passes.
var ErrLater = errors.New("realtime: refused for now")

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// Handshake is what a client presents to connect.
type Handshake struct {
	// Auth is the CONNECT payload, a JSON object; it may be empty.
	Auth json.RawMessage
	// The rest is of the request that opened the connection: the client's host:port, headers, and the query as sent.
	RemoteAddr    string
	Authorization string
	Origin        string
	UserAgent     string
	RawQuery      string
}

// Query is the query of the request that opened the connection. What is malformed in it is left out.
func (h Handshake) Query() url.Values {
	query, _ := url.ParseQuery(h.RawQuery)
	return query
}

// Answer is a client's ack: its arguments, as those of an Event.
type Answer struct {
	Args   []json.RawMessage
	Binary [][]byte
}

// Event is one event from a client.
type Event struct {
	Name string
	// Args are the raw JSON of each argument. Where one held binary data, its place is taken by
	// {"_placeholder":true,"num":i} and the data is Binary[i].
	Args   []json.RawMessage
	Binary [][]byte
	// TooDeep tells that the arguments were nested deeper than 64 levels and have been left out.
	TooDeep bool
	// TooLarge tells that they were longer than Options.MaxText and have been left out.
	TooLarge bool
	// TooMany tells that there were more than 500 arguments and that they have been left out.
	TooMany bool
	// Ack answers the event, payload being encoded as JSON. It is nil where the client wants no answer. The first call
	// wins; it may come from any goroutine.
	Ack func(payload any)
}
