package bridge

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"

	"rolecall/internal/bridge/wire"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
)

// maxMessage is how long a message may be, in bytes.
const maxMessage = 1 << 20

// handle handles what has come.
func (b *Bridge) handle(ctx context.Context, came *incoming) {
	defer func() { // whatever there is in it that nobody has thought of
		if p := recover(); p != nil {
			b.refuse(ctx, came, refusal{reason: errPanic})
			b.log.ErrorContext(ctx, "bridge: panic", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if len(came.message) > maxMessage {
		b.refuse(ctx, came, refusal{reason: errTooLarge})
		return
	}
	var err error
	switch came.kind {
	case kindBroadcast:
		err = b.takeBroadcast(came)
	case kindRequest:
		err = b.takeRequest(ctx, came)
	}
	if err != nil {
		b.refuse(ctx, came, err)
	}
}

// refusal is why something was not done, and what it was about.
type refusal struct {
	reason error
	from   string
	about  string
	cause  error
}

func (r refusal) Error() string { return r.reason.Error() }

// refuse tells of something that was not done: every time in the figures, and in the log as often as that can be read.
func (b *Bridge) refuse(ctx context.Context, came *incoming, err error) {
	var why refusal
	if !errors.As(err, &why) {
		why = refusal{reason: errMalformed, cause: err}
	}
	b.counters.refuse(why.reason)
	attrs := []any{"reason", why.reason.Error(), "namespace", came.namespace.name}
	if why.from != "" {
		attrs = append(attrs, "from", clipped(why.from))
	}
	if why.about != "" {
		attrs = append(attrs, "about", clipped(why.about))
	}
	if why.cause != nil {
		attrs = append(attrs, "error", clipped(why.cause.Error()))
	}
	b.log.WarnContext(ctx, "bridge: what another server of Socket.IO has sent was refused", attrs...)
}

// clipped is what may stand in the log of what others choose.
func clipped(text string) string {
	const most = 120
	return text[:min(len(text), most)]
}

// takeBroadcast tells the sockets here of an event.
func (b *Bridge) takeBroadcast(came *incoming) error {
	room, ok := came.namespace.channels.RoomOf(came.channel)
	switch {
	case !ok:
		return refusal{reason: errMalformed, about: came.channel}
	case room != "" && b.engine.SocketCount(room) == 0: // most of what others tell each other
		return nil
	case wire.UIDOf([]byte(came.message)) == b.uid:
		return nil
	}
	sent, err := wire.DecodeBroadcast([]byte(came.message))
	if err != nil {
		return err
	}
	b.counters.received.Add(1)
	to, err := b.permit(came.namespace, &sent)
	if err != nil || len(to) == 0 {
		return err
	}
	b.engine.Emitter(came.namespace.name).Emit(sent.Event, argumentsOf(&sent), to, sent.Except)
	b.counters.delivered.Add(1)
	return nil
}

func argumentsOf(sent *wire.Broadcast) realtime.RawArguments {
	return realtime.RawArguments{JSON: sent.JSON, Attachments: sent.Binary}
}

// permit holds an event against the policy, and returns to which rooms it goes: none where none of its rooms has sockets
// here, of which it is not told whether they could have been named.
func (b *Bridge) permit(n *namespace, sent *wire.Broadcast) (to []string, err error) {
	switch {
	case sent.Namespace != n.name:
		return nil, refusal{reason: errNamespace, from: sent.UID, about: sent.Namespace}
	case isReserved(sent.Event):
		return nil, refusal{reason: errEvent, from: sent.UID, about: sent.Event}
	}
	if to, err = b.selected(n, sent.Rooms, sent.UID); err != nil || len(to) == 0 {
		return nil, err
	}
	if !n.policy.allowsEvent(sent.Event) {
		return nil, refusal{reason: errEvent, from: sent.UID, about: sent.Event}
	}
	return to, nil
}

// selected are those of the named rooms in which there are sockets here; Everyone where none is named. It fails where one
// of them may not be named, whoever is here of those that identities open.
func (b *Bridge) selected(n *namespace, rooms []string, from string) (to []string, err error) {
	if len(rooms) == 0 {
		rooms = []string{realtime.Everyone}
	}
	for _, room := range rooms {
		switch here := b.isHere(n, room); {
		case !here && !roles.Room(room).IsOfIdentity(): // it may be a room of theirs alone
		case !b.mayName(n, room) && room == realtime.Everyone:
			return nil, refusal{reason: errEveryone, from: from}
		case !b.mayName(n, room):
			return nil, refusal{reason: errRoom, from: from, about: room}
		case here:
			to = append(to, room)
		}
	}
	return to, nil
}

func (b *Bridge) isHere(n *namespace, room string) bool {
	if b.engine.SocketCount(room) == 0 { // quicker, over all namespaces
		return false
	}
	for range b.engine.SocketsIn(n.name, []string{room}, nil) {
		return true
	}
	return false
}

// mayName says whether a room may be named. A socket's own may where the socket stands in another that may.
func (b *Bridge) mayName(n *namespace, room string) bool {
	if n.policy.allowsRoom(room) {
		return true
	}
	if room == realtime.Everyone {
		return false
	}
	for socket := range b.engine.SocketsIn(n.name, []string{room}, nil) {
		return socket.ID() == room && slices.ContainsFunc(socket.Rooms(), n.policy.allowsRoom)
	}
	return false
}
