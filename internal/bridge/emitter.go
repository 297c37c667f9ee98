package bridge

import (
	"bytes"
	"context"
	"encoding/json"

	"rolecall/internal/bridge/wire"
	"rolecall/internal/bus"
	"rolecall/internal/roles"
)

// Emitter sends events to the rooms of other servers, and to no sockets here. It implements bus.Emitter.
type Emitter struct {
	bridge     *Bridge
	namespaces []*namespace
}

// Emitter returns what sends to these namespaces, of those that are shared.
func (b *Bridge) Emitter(namespaces ...string) Emitter {
	e := Emitter{bridge: b}
	for _, name := range namespaces {
		if n := b.namespaces[name]; n != nil {
			e.namespaces = append(e.namespaces, n)
		}
	}
	return e
}

// Emit implements bus.Emitter.
func (e Emitter) Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room) {
	sent := wire.Broadcast{UID: e.bridge.uid, Event: event, Rooms: shown(to), Except: shown(except)}
	if len(sent.Rooms) == 0 || len(e.namespaces) == 0 {
		return
	}
	encoded, err := encode(payload)
	if err != nil {
		e.bridge.log.ErrorContext(ctx, "cannot encode event", "event", event, "error", err)
		return
	}
	sent.JSON = []json.RawMessage{encoded}
	for _, n := range e.namespaces {
		sent.Namespace = n.name
		message, err := sent.Append(nil)
		if err != nil {
			e.bridge.log.ErrorContext(ctx, "cannot encode event", "event", event, "error", err)
			return
		}
		e.bridge.send(ctx, n.channels.Broadcast(sent.Rooms), message)
	}
}

// EmitNewest implements bus.Emitter: positions are told here alone.
func (Emitter) EmitNewest(context.Context, string, bus.Newest, ...roles.Room) {}

// shown are the names of rooms that others may have as well.
func shown(rooms []roles.Room) []string {
	names := make([]string, 0, len(rooms))
	for _, room := range rooms {
		if !room.IsLocal() {
			names = append(names, string(room))
		}
	}
	return names
}

// encode writes no escapes for HTML, as the engines do.
func encode(payload any) (json.RawMessage, error) {
	if ready, ok := payload.(json.RawMessage); ok && len(ready) > 0 {
		return ready, nil
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(payload)
	return bytes.TrimSuffix(buffer.Bytes(), []byte{'\n'}), err
}

// Disconnect has the sockets in a room disconnected on other servers, in every namespace that is shared, and their
// connections closed.
func (b *Bridge) Disconnect(ctx context.Context, room roles.Room) {
	b.request(ctx, &wire.Request{
		Type: wire.RemoteDisconnect, UID: b.uid, Selected: true, Rooms: []string{string(room)}, Except: []string{}, Close: true,
	})
}

// Tell sends an event to other servers themselves: there io.on(event, …) hears it, in every namespace that is shared.
func (b *Bridge) Tell(ctx context.Context, event string, payload any) {
	encoded, err := encode(payload)
	if err != nil {
		b.log.ErrorContext(ctx, "cannot encode event", "event", event, "error", err)
		return
	}
	b.request(ctx, &wire.Request{Type: wire.ServerSideEmit, UID: b.uid, Broadcast: wire.Broadcast{
		Event: event, Arguments: wire.Arguments{JSON: []json.RawMessage{encoded}},
	}})
}

func (b *Bridge) request(ctx context.Context, asked *wire.Request) {
	message, err := asked.Append(nil)
	if err != nil {
		b.log.ErrorContext(ctx, "cannot encode request", "error", err)
		return
	}
	for _, n := range b.shared() {
		b.send(ctx, n.channels.Requests(), message)
	}
}

// both sends by two emitters.
type both struct{ here, beyond bus.Emitter }

// Beside returns what sends as here does, and to other servers as well.
func (b *Bridge) Beside(here bus.Emitter, namespaces ...string) bus.Emitter {
	return both{here, b.Emitter(namespaces...)}
}

// Emit implements bus.Emitter.
func (e both) Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room) {
	e.here.Emit(ctx, event, payload, to, except...)
	e.beyond.Emit(ctx, event, payload, to, except...)
}

// EmitNewest implements bus.Emitter.
func (e both) EmitNewest(ctx context.Context, event string, newest bus.Newest, to ...roles.Room) {
	e.here.EmitNewest(ctx, event, newest, to...)
}
