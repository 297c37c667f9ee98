// Package bus is what nodes tell each other: which events sockets are to hear, wherever they are connected, who is online
// anywhere, and whose sockets are to be closed. Services declare the part of it that they need; local answers for one
// process that is all there is.
//
// What goes over it is data: event names, JSON, room names. Questions may have to leave the process, so they take a context
// and may fail.
package bus

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"rolecall/internal/roles"
)

// Bus reaches the sockets of every node.
type Bus interface {
	// Emitter sends to sockets of these namespaces.
	Emitter(namespaces ...string) Emitter
	// LocalEmitter sends to those of them that are connected to this node, and tells no other.
	LocalEmitter(namespaces ...string) Emitter
	// SocketCount is the number of sockets that stand in all of the rooms, those among them that are still being let in.
	SocketCount(ctx context.Context, rooms ...roles.Room) (int, error)
	// Online tells which of the users are online: who has a socket here that has been let in and has not ended, and of the
	// others who was told last to be, see Settle, or was enlisted since. So whoever asks, and hears what is told from then on, is never
	// wrong for long.
	Online(ctx context.Context, userIDs ...string) (map[string]bool, error)
	// UsersIn lists users who are online, as Online has it, in any of the rooms, each once and at most limit of them, in no
	// particular order.
	UsersIn(ctx context.Context, limit int, rooms ...roles.Room) ([]string, error)
	// Shared says whether Online and UsersIn know now what was told by all nodes. If not, the caller knows best of whom it has told.
	Shared() bool
	// Settle says of users whether they are online, and as whom that was told last, by whichever node. Where that is another
	// thing now, or is not certain, the caller alone is to tell of it, and calls done when it has.
	Settle(ctx context.Context, people ...Settling) (settled []Settled, done func(), err error)
	// ToldAs says as whom users were told to be online, see Settle. Who was not, or it is not known of, is left out.
	ToldAs(ctx context.Context, userIDs ...string) (map[string]string, error)
	// Enlist has users be online to all nodes who have come here, before it is told. It waits for nobody; Settle is to follow.
	Enlist(people ...Settling)
	// Gone has f called with users who were online on a node that has died, or had been enlisted by it, and may be so elsewhere. One
	// node is called.
	Gone(f func(ctx context.Context, userIDs []string))
	// Disconnect closes the connections of all sockets in the room.
	Disconnect(ctx context.Context, room roles.Room) error

	// Publish tells the other nodes that have sockets in any of the message's rooms, or all of them where it has none. It
	// waits for nobody; what cannot be sent is missed, which the others hear of by Lost. Each node is told once, however
	// many of the rooms it has sockets in; the node that publishes is not told.
	Publish(ctx context.Context, message Message)
	// Handle has messages of a kind that other nodes publish handled; the last call for a kind counts. Messages, and events
	// of an Emitter, are handled one after the other, those of one node in the order in which it has sent them. So a handler
	// must not wait; ctx ends with the bus.
	Handle(kind string, handler func(ctx context.Context, message Message))
	// Lost has f called after anything may have been missed that other nodes have told, so that whatever lasts is read
	// again. Calls of f do not overlap, and what is missed while it runs has it called again; ctx ends with the bus.
	Lost(f func(ctx context.Context))
	// Ask asks the other nodes that hear the first of the question's rooms, or all where it has none, and calls each with their
	// answers, one after the other as they come, until all have come, each has enough, or ctx or the bus' own patience of some
	// seconds ends. It returns how many that are there have not answered, and fails where none can be asked, with ErrUnreachable while
	// they are all out of reach.
	Ask(ctx context.Context, question Message, each func(answer Message) (more bool)) (missing int, err error)
	// Answer has questions of a kind that other nodes ask answered; the last call for a kind counts. Several may be asked at
	// once. Who asks is told where the answer fails, and not why.
	Answer(kind string, answer func(ctx context.Context, question Message) ([]byte, error))
	// Others lists the other nodes that are there, by the ids that their messages carry, and says whether that is known.
	Others() (nodes []string, known bool)
	// Listen has this node hear what others tell of the rooms, until release is called and no socket of its own stands in
	// them. Who listens before reading what others may change, and joins a room before releasing it, misses nothing. It
	// waits for the others no longer than ctx, and not at all while they cannot be reached: then Lost is called when they
	// can.
	Listen(ctx context.Context, rooms ...roles.Room) (release func())
}

// ErrUnreachable says that other nodes cannot be asked for now.
var ErrUnreachable = errors.New("other nodes cannot be asked")

// Message is what a service tells itself on other nodes.
type Message struct {
	// Kind says whose message it is: a short word. Those of the bus's own are refused.
	Kind string
	// Rooms are those whose nodes are told; all nodes where there are none.
	Rooms []roles.Room
	// Body is the message itself. It must not be changed once it is sent, or has come.
	Body []byte
	// Node is the node that it comes from: set where it is handled.
	Node string
}

// NameOf is what the operator of a node calls it, by the node's id; the id itself where it was given no name.
func NameOf(node string) string {
	if at := strings.LastIndexByte(node, '-'); at > 0 {
		return node[:at]
	}
	return node
}

// Settling is somebody of whom there may be something to tell.
type Settling struct {
	UserID string
	// As is whom they are told to be where they are online, a text that means something to the caller. Keep has them stay
	// whom they were told to be, if they were.
	As   string
	Keep bool
	// Rooms are those in which they are found from then on, as As: see UsersIn. In their own they always are.
	Rooms []roles.Room
}

// Settled is what is true of somebody, and what was told last.
type Settled struct {
	// Online anywhere; Here: on this node.
	Online, Here bool
	// Shared says that Was is what was told last, by whichever node: empty where the user was told to be offline. Without it
	// the caller knows best itself.
	Shared bool
	Was    string
	// Unsure: a telling was begun that may have come to nobody, or to some. What is true is to be told in any case, and whom
	// Begun names may be shown to be online: empty where it was told that they are offline.
	Unsure bool
	Begun  string
	// Busy: another node is telling of them. Ask again in a while.
	Busy bool
}

// Emitter sends events to rooms. It never waits for a client. Sockets of this process have been sent an event when it
// returns, in the order of the calls.
type Emitter interface {
	// Emit sends an event to every socket in any of the rooms to, once each, but for sockets in one of except. The
	// payload is encoded once, as JSON.
	Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room)
	// EmitNewest sends an event that tells the newest value of each of several things. A client that does not read may be
	// sent fewer such events, with the newest value of each key in them.
	EmitNewest(ctx context.Context, event string, newest Newest, to ...roles.Room)
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
