package bridge

import (
	"errors"
	"strings"

	"rolecall/internal/realtime"
	"rolecall/internal/roles"
)

// Policy is what others than this deployment's servers may do in a namespace. Redis does not tell who has published a
// message, so it holds for every back end that reaches it alike. What is not allowed is refused.
type Policy struct {
	// Rooms are patterns of the rooms that may be named: a name, or its beginning with * behind it. Everyone allows what
	// names none and so is meant for the whole namespace.
	Rooms []string
	// Events are patterns of those of the server's own events that may be sent: see own. Any other event may be.
	Events []string
}

// Everyone is the pattern in Policy.Rooms that allows what names no room.
const Everyone = "everyone"

// own are how the server's own events begin. Clients take them for what the server says: a message that somebody has
// written, where a driver is, that a token ends.
func own() []string {
	return []string{"auth:", "chat:", "error:", "people:", "presence:", "room:", "rooms:", "system:", "tracking:"}
}

func matches(patterns []string, name string) bool {
	for _, pattern := range patterns {
		beginning, open := strings.CutSuffix(pattern, "*")
		if name == pattern || open && strings.HasPrefix(name, beginning) {
			return true
		}
	}
	return false
}

// allowsRoom says whether a room may be named.
func (p Policy) allowsRoom(room string) bool {
	if room == realtime.Everyone {
		return matches(p.Rooms, Everyone)
	}
	return room != Everyone && matches(p.Rooms, room)
}

// allowsEntry says whether sockets may be put into a room, or taken out of it: never where who is in it follows from whom
// they speak for, or from the members of a conversation.
func (p Policy) allowsEntry(room string) bool {
	named := roles.Room(room)
	if room == realtime.Everyone || named.IsOfIdentity() || !p.allowsRoom(room) {
		return false
	}
	if !roles.IsChatRoom(named) {
		return true
	}
	chat, ok := roles.ChatRoomOf(named)
	return ok && chat.Kind() == roles.OpenKind
}

// allowsEvent says whether an event may be sent to clients.
func (p Policy) allowsEvent(event string) bool {
	for _, beginning := range own() {
		if strings.HasPrefix(event, beginning) {
			return matches(p.Events, event)
		}
	}
	return !isReserved(event)
}

// isReserved says whether Socket.IO itself uses the name.
// https://github.com/socketio/socket.io/blob/4.8.1/packages/socket.io/lib/socket-types.ts
func isReserved(event string) bool {
	switch event {
	case "", "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// Why something was refused, as it stands in the log and the metrics.
var (
	errMalformed = errors.New("malformed")
	errTooLarge  = errors.New("too_large")
	errRoom      = errors.New("room")
	errEveryone  = errors.New("everyone")
	errEvent     = errors.New("event")
	errNamespace = errors.New("namespace")
	errType      = errors.New("type")
	errTooMany   = errors.New("too_many")
	errTooOften  = errors.New("too_often")
	errPanic     = errors.New("panic")
)

func reasons() []error {
	return []error{errMalformed, errTooLarge, errRoom, errEveryone, errEvent, errNamespace, errType, errTooMany, errTooOften, errPanic}
}
