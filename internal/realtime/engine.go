// Package realtime is the port to a Socket.IO server: version 5 of the protocol, as version 4 of the official clients
// speaks it. What the program asks of such a server is declared here; who answers stands below it: native is the engine
// of our own. It knows nothing of the program: rooms are strings, payloads are JSON.
package realtime

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// Engine is one Socket.IO server in one process. It is the http.Handler of its endpoint, Options.Path.
type Engine interface {
	http.Handler
	// Namespace sets the handler of a namespace: "/", "/chat". Clients connect only to namespaces that have one. It must
	// be called before serving.
	Namespace(name string, handler Handler)
	// Emitter sends to the sockets of these namespaces, which may still be without a handler.
	Emitter(namespaces ...string) Emitter
	// SocketCount is the number of sockets, over all namespaces, that stand in all of the rooms, those among them that
	// are still being authenticated.
	SocketCount(rooms ...string) int
	// OpenSockets yields the sockets in a room, in any namespace, whose CONNECT has been answered and who have not ended.
	OpenSockets(room string) iter.Seq[Socket]
	// SocketsIn yields those of one namespace that OpenSockets would of any of the rooms, each once, but for sockets in one of
	// except.
	SocketsIn(namespace string, rooms, except []string) iter.Seq[Socket]
	// Rooms lists the rooms of a namespace in which there are sockets, with Options.SocketRooms those named by their ids too.
	Rooms(namespace string) []string
	// DisconnectRoom disconnects every client that has a socket in the room, also one still being authenticated, and closes
	// its connection: see Socket.Disconnect.
	DisconnectRoom(room string)
	// Connections is the number of open connections, each of which may have a socket in several namespaces.
	Connections() int
	// SendAway refuses new connections with 503, and closes those there are in a random order, evenly over the period: their
	// clients come back by themselves, to whoever takes connections at the address. It returns when the last has been told,
	// or ctx has ended. Sockets that are still here go on as before.
	SendAway(ctx context.Context, period time.Duration)
	// Delivered is how many events emitters have handed to sockets, each socket counted. It only grows; of an engine that
	// cannot tell it is 0.
	Delivered() int64
	// Watch has the watcher told what sockets do from now on, in the place of the last one; nil has nobody told. While there
	// is none it costs a look.
	Watch(watcher Watcher)
	// Traffic returns the figures of now.
	Traffic() Traffic
	// Drain refuses new connections with 503, closes all there are, and returns when every Handler.Disconnected has.
	// It fails where the context ends before the handlers have.
	Drain(ctx context.Context) error
}

// Emitter sends events to rooms. It never waits for a client.
type Emitter interface {
	// Emit sends an event to each socket that stands in any of the rooms to and in none of except, once. The payload is
	// encoded once, as JSON; raw JSON is sent as it is, a Payload with its attachments. Without rooms to send to it
	// reaches nobody and logs an error, as it does where the event cannot be encoded.
	Emit(event string, payload any, to, except []string)
	// EmitNewest is Emit for an event that tells the newest value of each of several things, such as the positions of
	// drivers. A client that is slow to read may be sent fewer such events: newer values replace older ones of the same
	// key, over all events of that name.
	EmitNewest(event string, newest Newest, to []string)
}

// Newest is the payload of an event that tells newest values: an object with the values listed under one member.
type Newest struct {
	// Fields are the object's other members, as a JSON object; empty for none.
	Fields json.RawMessage
	// Member is the name under which the values stand.
	Member string
	Values []Value
}

// Value is the newest value of one thing, as JSON. It must not be changed once it is sent.
type Value struct {
	Key  string
	JSON json.RawMessage
}

// Arguments is a payload that is sent as several arguments of one event, each encoded like a payload of its own. There is at
// least one, and none has attachments.
type Arguments []any

// Everyone is the room in which every socket of a namespace stands whose CONNECT has been answered, with
// Options.SocketRooms.
const Everyone = ""

// RawArguments is a payload of any number of arguments as JSON, none included. Binary data stands in it as in a Payload.
type RawArguments struct {
	JSON        []json.RawMessage
	Attachments [][]byte
}

// Payload is a payload with binary attachments. In its JSON each stands as {"_placeholder":true,"num":i}, i being its
// index (https://socket.io/docs/v4/socket-io-protocol/#binary-event).
type Payload struct {
	JSON        json.RawMessage
	Attachments [][]byte
}
