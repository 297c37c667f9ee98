package bridge

import (
	"context"
	"encoding/json"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/bridge/wire"
	"rolecall/internal/realtime"
)

const (
	// maxFetched is how many sockets one request is told of, or does something to.
	maxFetched = 10_000
	// maxEntered is in how many rooms a socket may stand for others to put it into more.
	maxEntered = 200
)

// takeRequest answers a request, or does what is asked. What is refused is answered all the same where others wait for
// that: with nothing.
func (b *Bridge) takeRequest(ctx context.Context, came *incoming) error {
	asked, err := wire.DecodeRequest([]byte(came.message))
	if err != nil {
		return err
	}
	if asked.UID == b.uid {
		return nil
	}
	b.counters.requests.Add(1)
	n := came.namespace
	switch asked.Type {
	case wire.Sockets, wire.AllRooms, wire.RemoteFetch:
		return b.tell(ctx, n, asked)
	case wire.RemoteJoin, wire.RemoteLeave:
		return b.move(ctx, n, asked)
	case wire.RemoteDisconnect:
		return b.disconnect(ctx, n, asked)
	case wire.ServerSideEmit:
		if asked.RequestID != "" { // nobody listens here; without an answer the others would wait for it
			b.respond(ctx, n)(wire.AppendServerAck(nil, asked.RequestID, json.RawMessage("null")))
		}
		return nil
	case wire.BroadcastAsking:
		return b.ask(ctx, n, asked)
	default:
		return refusal{reason: errType, from: asked.UID, about: asked.Type.String()}
	}
}

// respond sends what a response was written as.
func (b *Bridge) respond(ctx context.Context, n *namespace) func(message []byte, err error) {
	return func(message []byte, err error) {
		if err != nil {
			b.log.ErrorContext(ctx, "bridge: a response could not be written", "error", err)
			return
		}
		b.send(ctx, n.channels.Responses(), message)
	}
}

// tell answers what is asked about rooms and sockets.
func (b *Bridge) tell(ctx context.Context, n *namespace, asked *wire.Request) error {
	var failed error
	if !b.costly.Allow() {
		failed = refusal{reason: errTooOften, from: asked.UID, about: asked.Type.String()}
	}
	answer := b.respond(ctx, n)
	switch asked.Type {
	case wire.AllRooms:
		var rooms []string
		if failed == nil {
			rooms = b.rooms(n)
		}
		answer(wire.AppendRooms(nil, asked.RequestID, rooms))
	case wire.Sockets:
		var ids []jsontext.Value
		if failed == nil {
			failed = b.each(n, asked.Targets, nil, asked.UID, func(socket realtime.Socket) {
				if id, err := jsonv2.Marshal(socket.ID()); err == nil {
					ids = append(ids, id)
				}
			})
		}
		answer(wire.AppendSockets(nil, asked.RequestID, ids))
	default:
		var sockets []jsontext.Value
		if failed == nil {
			failed = b.each(n, asked.Rooms, asked.Except, asked.UID, func(socket realtime.Socket) {
				if described := b.describe(ctx, n, socket); described != nil {
					sockets = append(sockets, described)
				}
			})
		}
		answer(wire.AppendSockets(nil, asked.RequestID, sockets))
	}
	return failed
}

// rooms are those that may be named.
func (b *Bridge) rooms(n *namespace) (allowed []string) {
	for _, room := range b.engine.Rooms(n.name) {
		if b.mayName(n, room) {
			allowed = append(allowed, room)
		}
	}
	return allowed
}

// each calls f with the sockets that rooms and except select, where those rooms may be named.
func (b *Bridge) each(n *namespace, rooms, except []string, from string, f func(realtime.Socket)) error {
	to, err := b.selected(n, rooms, from)
	if err != nil {
		return err
	}
	count := 0
	for socket := range b.engine.SocketsIn(n.name, to, except) {
		if count++; count > maxFetched {
			return refusal{reason: errTooMany, from: from}
		}
		f(socket)
	}
	return nil
}

// described is a socket as RemoteFetch tells of it.
type described struct {
	ID        string    `json:"id"`
	Handshake handshake `json:"handshake"`
	Rooms     []string  `json:"rooms"`
	Data      any       `json:"data"`
}

// handshake has the members that a handshake has in Socket.IO. What a client has presented is none of it: tokens come in auth,
// in the headers, and with some clients in the query, and cookies are headers.
type handshake struct {
	Headers map[string]string `json:"headers"`
	Time    string            `json:"time"`
	Address string            `json:"address"`
	XDomain bool              `json:"xdomain"`
	Secure  bool              `json:"secure"`
	Issued  int64             `json:"issued"`
	URL     string            `json:"url"`
	Query   map[string]string `json:"query"`
	Auth    map[string]string `json:"auth"`
}

// describe is nil where nothing is known of a socket.
func (b *Bridge) describe(ctx context.Context, n *namespace, socket realtime.Socket) jsontext.Value {
	person, known := b.options.Describe(socket)
	if !known {
		return nil
	}
	d := described{ID: socket.ID(), Rooms: []string{socket.ID()}, Data: person.Data, Handshake: handshake{
		Headers: map[string]string{}, Query: map[string]string{}, Auth: map[string]string{}, URL: "/socket.io/",
		Time: person.Since.UTC().Format(time.RFC1123), Issued: person.Since.UnixMilli(),
	}}
	for _, room := range socket.Rooms() {
		if n.policy.allowsRoom(room) {
			d.Rooms = append(d.Rooms, room)
		}
	}
	text, err := jsonv2.Marshal(&d)
	if err != nil {
		b.log.ErrorContext(ctx, "bridge: a socket could not be described", "error", err)
		return nil
	}
	return text
}

// of are the rooms that select the sockets a request is for: servers before version 6 name one socket, which has a room.
func of(asked *wire.Request) []string {
	if asked.Socket != "" && !asked.Selected {
		return []string{asked.Socket}
	}
	return asked.Rooms
}

// answerOld answers a server before version 6, which waits for the one that has the socket.
func (b *Bridge) answerOld(ctx context.Context, n *namespace, asked *wire.Request, done bool) {
	if asked.Socket != "" && !asked.Selected && asked.RequestID != "" && done {
		b.respond(ctx, n)(wire.AppendDone(nil, asked.RequestID))
	}
}

// move has sockets join rooms, or leave them.
func (b *Bridge) move(ctx context.Context, n *namespace, asked *wire.Request) error {
	if !asked.Selected && asked.Socket == "" {
		return refusal{reason: errMalformed, from: asked.UID, about: asked.Type.String()}
	}
	for _, room := range asked.Targets {
		if !n.policy.allowsEntry(room) {
			return refusal{reason: errRoom, from: asked.UID, about: room}
		}
	}
	moved := false
	full := 0
	err := b.each(n, of(asked), asked.Except, asked.UID, func(socket realtime.Socket) {
		moved = true
		switch {
		case asked.Type == wire.RemoteLeave:
			socket.Leave(asked.Targets...)
		case len(socket.Rooms())+len(asked.Targets) > maxEntered:
			full++
		default:
			socket.Join(asked.Targets...)
		}
	})
	b.answerOld(ctx, n, asked, moved)
	if err == nil && full > 0 {
		err = refusal{reason: errTooMany, from: asked.UID, about: asked.Type.String()}
	}
	return err
}

// disconnect disconnects sockets.
func (b *Bridge) disconnect(ctx context.Context, n *namespace, asked *wire.Request) error {
	if !asked.Selected && asked.Socket == "" {
		return refusal{reason: errMalformed, from: asked.UID, about: asked.Type.String()}
	}
	var gone []realtime.Socket
	err := b.each(n, of(asked), asked.Except, asked.UID, func(socket realtime.Socket) { gone = append(gone, socket) })
	for _, socket := range gone {
		if asked.Close {
			b.engine.DisconnectRoom(socket.ID())
		} else {
			socket.Disconnect(false)
		}
	}
	b.answerOld(ctx, n, asked, len(gone) > 0)
	return err
}
