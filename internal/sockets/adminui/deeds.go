package adminui

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/auth"
	"rolecall/internal/call"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/administration"
	"rolecall/internal/services/chat"
	"rolecall/internal/sockets/event"
)

// What the page sends are arguments, one behind the other, which reach their handler as a list.

// departure asks for sockets to be sent away: [namespace, close, filter].
type departure struct {
	namespace string
	// close has whole connections closed.
	close bool
	// filter is the id of a socket, or a room; "" for all.
	filter string
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (d *departure) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	return unmarshalList(decoder, "must be a namespace, whether to close the connection, and a socket or a room", &d.namespace, &d.close, &d.filter)
}

// move asks for a socket to join a chat room or to leave one: [namespace, room, socket].
type move struct{ namespace, room, id string }

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (m *move) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	return unmarshalList(decoder, "must be a namespace, a room and a socket", &m.namespace, &m.room, &m.id)
}

// unmarshalList reads a list into variables; of what is missing or null they stay empty.
func unmarshalList(decoder *jsontext.Decoder, want string, into ...any) error {
	var list []jsontext.Value
	if decoder.PeekKind() != jsontext.KindBeginArray {
		if err := decoder.SkipValue(); err != nil {
			return err
		}
		return fault.Wrong(want)
	}
	if err := json.UnmarshalDecode(decoder, &list); err != nil {
		return err
	}
	if len(list) > len(into) {
		return fault.Wrong(want)
	}
	for i, value := range list {
		if value.Kind() != jsontext.KindNull && json.Unmarshal(value, into[i]) != nil {
			return fault.Wrong(want)
		}
	}
	return nil
}

// disconnect answers _disconnect: of one socket that the page shows, or of all in a room, on every node. It sends away no
// whole namespace, which is what the event asks for without a filter.
func (d *Door) disconnect(ctx context.Context, caller *event.Caller, in departure) (call.Nothing, error) {
	if in.filter == "" {
		return call.Nothing{}, fault.New(fault.Forbidden, "A whole namespace is not sent away: name a socket or a room")
	}
	if one := d.shownTo(caller, in.namespace, in.filter); one != nil {
		return call.Nothing{}, d.Deeds.DisconnectSocket(ctx, caller.Who, one.subject(), one.socket, in.close)
	}
	if !d.isRoom(in.namespace, in.filter) {
		return call.Nothing{}, notShown()
	}
	return call.Nothing{}, d.Deeds.DisconnectRoom(ctx, caller.Who, roles.Room(in.filter))
}

// join answers join: what the socket's user might have done by themselves.
func (d *Door) join(ctx context.Context, caller *event.Caller, in move) (call.Nothing, error) {
	of, room, member, err := d.moving(caller, in)
	if err != nil {
		return call.Nothing{}, err
	}
	return call.Nothing{}, d.Deeds.JoinSocket(ctx, caller.Who, of, room, member)
}

// leave answers leave. The rooms that identity alone opens cannot be left.
func (d *Door) leave(ctx context.Context, caller *event.Caller, in move) (call.Nothing, error) {
	of, room, member, err := d.moving(caller, in)
	if err != nil {
		return call.Nothing{}, err
	}
	return call.Nothing{}, d.Deeds.LeaveSocket(ctx, caller.Who, of, room, member)
}

// moving is whose socket is to move, and where.
func (d *Door) moving(caller *event.Caller, in move) (of administration.Subject, room roles.ChatRoom, member membership, err error) {
	one := d.shownTo(caller, in.namespace, in.id)
	if one == nil {
		return of, room, member, notShown()
	}
	if !slices.Contains(d.ChatNamespaces, in.namespace) {
		return of, room, member, fault.New(fault.RoomForbidden, "There are no chat rooms in this namespace")
	}
	room, isChat := roles.ChatRoomOf(roles.Room(in.room))
	if !isChat {
		if room, err = roles.ParseChatRoom(in.room); err != nil {
			return of, room, member, fault.New(fault.RoomForbidden, "Only chat rooms are joined and left")
		}
	}
	who, _, known := d.People.Who(one.socket)
	if !known {
		return of, room, member, notShown()
	}
	return one.subject(), room, membership{d.Chat, &event.Caller{Socket: one.socket, Who: who}, who, room}, nil
}

// membership implements administration.Membership.
type membership struct {
	chat   Chat
	socket *event.Caller
	who    auth.Identity
	room   roles.ChatRoom
}

// Join implements administration.Membership.
func (m membership) Join(ctx context.Context) error {
	_, err := m.chat.Join(ctx, m.who, chat.Entry{RoomID: m.room.String()}, m.socket)
	return err
}

// Leave implements administration.Membership.
func (m membership) Leave(ctx context.Context) error {
	return m.chat.Leave(ctx, m.who, m.room.String(), m.socket)
}

// shownTo finds a socket that the caller is shown; nil where there is none.
func (d *Door) shownTo(caller *event.Caller, namespace, id string) *shown {
	if v := d.viewer(caller.Socket); v != nil {
		return v.find(namespace, id)
	}
	return nil
}

// isRoom reports whether a socket of the namespace stands in the room here.
func (d *Door) isRoom(namespace, room string) bool {
	for socket := range d.Engine.OpenSockets(room) {
		if socket.Namespace() == namespace {
			return true
		}
	}
	return false
}

func notShown() error {
	return fault.New(fault.NotFound, "There is no such socket or room on this page")
}
