// Package typing has signs that somebody writes end by themselves, where whoever gives them does not say so, or is gone with their
// connection or their server.
package typing

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
)

const (
	// After is how long after it was given last a sign ends.
	After = 5 * time.Second
	// elsewhereAfter is when one that was given on another node ends on this one, should the other have died meanwhile: late enough
	// that its own word comes first.
	elsewhereAfter = After + time.Second
	// most is how many signs there are at a time, of a few hundred bytes each; of more the first to end end at once.
	most = 20_000
	// kind is that of the messages by which nodes tell each other of signs.
	kind = "typing"
)

// Key says who writes where.
type Key struct {
	Room   roles.ChatRoom
	UserID string
}

// Sign is shown to sockets of some rooms.
type Sign struct {
	Key
	// Username is as whom the writer was shown.
	Username string
	// Event tells of the end of the sign, with its payload Ended.
	Event string
	Ended any
	To    []roles.Room
}

// Emitter sends an event to every socket in any of the rooms, once each.
type Emitter interface {
	Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room)
}

// Bus is what the board needs to tell other nodes.
type Bus interface {
	Publish(ctx context.Context, message bus.Message)
	Handle(kind string, handler func(ctx context.Context, message bus.Message))
}

// Board knows the signs that are shown.
type Board struct {
	bus Bus // nil on a server that runs alone
	log *slog.Logger
	// own are those that were given on this node, theirs those on others.
	own, theirs *signs
}

// New returns the Board of a server that runs alone: emit tells of the ends of signs.
func New(emit Emitter) *Board {
	b := &Board{log: slog.New(slog.DiscardHandler)}
	b.own = newSigns(After, most, func(sign Sign) { emit.Emit(context.Background(), sign.Event, sign.Ended, sign.To) })
	b.theirs = newSigns(elsewhereAfter, most, func(Sign) {})
	return b
}

// NewOfNodes returns the Board of one of several: everywhere tells of the ends of signs to sockets of all nodes, here to those of this
// one.
func NewOfNodes(everywhere, here Emitter, nodes Bus, log *slog.Logger) *Board {
	b := &Board{bus: nodes, log: log}
	b.own = newSigns(After, most, func(sign Sign) {
		b.publish(context.Background(), &sign, false)
		everywhere.Emit(context.Background(), sign.Event, sign.Ended, sign.To)
	})
	b.theirs = newSigns(elsewhereAfter, most, func(sign Sign) { here.Emit(context.Background(), sign.Event, sign.Ended, sign.To) })
	nodes.Handle(kind, b.hear)
	return b
}

// Close has no sign end any more.
func (b *Board) Close() {
	b.own.close()
	b.theirs.close()
}

// Begin notes a sign that has been shown, or shown again.
func (b *Board) Begin(ctx context.Context, sign Sign) {
	b.own.show(sign)
	b.publish(ctx, &sign, true)
}

// End notes that a sign has ended, of which the others have been told.
func (b *Board) End(ctx context.Context, sign Sign) {
	b.own.take(sign.Key)
	b.theirs.take(sign.Key)
	b.publish(ctx, &sign, false)
}

// Shown returns a sign of somebody that was given on this node and is still shown.
func (b *Board) Shown(key Key) (Sign, bool) { return b.own.find(key) }

// wireSign is a sign as it travels. It is read by other nodes, which may be of another version: members are only added.
type wireSign struct {
	Room   string          `json:"room"`
	UserID string          `json:"userId"`
	Event  string          `json:"event"`
	Ended  json.RawMessage `json:"ended"`
	To     []string        `json:"to"`
	On     bool            `json:"on"`
}

func (b *Board) publish(ctx context.Context, sign *Sign, on bool) {
	if b.bus == nil {
		return
	}
	ended, err := json.Marshal(sign.Ended)
	if err != nil {
		b.log.ErrorContext(ctx, "sign not published", "error", err)
		return
	}
	body, err := json.Marshal(wireSign{sign.Room.String(), sign.UserID, sign.Event, ended, roles.Names(sign.To), on})
	if err != nil {
		b.log.ErrorContext(ctx, "sign not published", "error", err)
		return
	}
	b.bus.Publish(ctx, bus.Message{Kind: kind, Rooms: sign.To, Body: body})
}

// hear takes a sign of another node, which has shown it.
func (b *Board) hear(ctx context.Context, message bus.Message) {
	var came wireSign
	err := json.Unmarshal(message.Body, &came)
	room, invalid := roles.ParseChatRoom(came.Room)
	if err != nil || invalid != nil || came.Event == "" || len(came.Ended) == 0 {
		b.log.WarnContext(ctx, "a sign of another node was not taken", "node", message.Node, "error", err)
		return
	}
	key := Key{room, came.UserID}
	if !came.On {
		b.theirs.take(key)
		return
	}
	b.theirs.show(Sign{Key: key, Event: came.Event, Ended: came.Ended, To: roles.Rooms(came.To)})
}
