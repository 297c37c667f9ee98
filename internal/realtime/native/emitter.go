package native

import (
	"encoding/json"

	"rolecall/internal/realtime/native/codec"
	"rolecall/internal/realtime/native/engineio"
)

// Emitter sends events to rooms.
type Emitter struct {
	server     *Server
	namespaces []string
}

// Emitter sends to the sockets of these namespaces, which may still be without a
// handler.
func (s *Server) Emitter(namespaces ...string) *Emitter {
	return &Emitter{server: s, namespaces: namespaces}
}

// Emit sends an event to each socket that stands in any of the rooms to and in
// none of except, once. The payload is encoded once, as JSON; raw JSON is sent as
// it is. Without rooms to send to it reaches nobody and logs an error, as it does
// when the event cannot be encoded. It never waits for a client.
func (e *Emitter) Emit(event string, payload any, to, except []string) {
	log := e.server.log
	if len(to) == 0 {
		log.Error("an event without rooms reaches nobody", "event", event)
		return
	}
	if !codec.ValidEventName(event) {
		log.Error("an event cannot have this name", "event", event)
		return
	}
	var encoded *Payload // made for the first who hears it
	for _, n := range e.targets() {
		n.deliver(to, except, func() []*engineio.Message {
			if encoded == nil {
				made, err := marshal(payload)
				if err != nil {
					log.Error("cannot encode event", "event", event, "error", err)
					return nil
				}
				encoded = &made
			}
			return eventPacket(n, event, nil, *encoded)
		})
	}
}

// EmitLatest sends an event that tells the newest values of several things, such as
// the positions of drivers: payload makes what is sent of values, of which each has
// its key. A client that is slow to read is not sent every such event: while it does
// not read, newer values replace older ones of the same key, over all events of this
// name, and payload may be called with what is left. In all else it is Emit.
func (e *Emitter) EmitLatest(event string, keys []string, values []json.RawMessage, payload func(values []json.RawMessage) any, to []string) {
	if len(to) == 0 || len(keys) != len(values) || !codec.ValidEventName(event) {
		e.server.log.Error("an event without rooms, with another number of keys than values, or with a name it cannot have", "event", event)
		return
	}
	keyed := make([]engineio.Value, len(keys))
	for i, key := range keys {
		keyed[i] = engineio.Value{Key: key, JSON: values[i]}
	}
	for _, n := range e.targets() {
		n.deliver(to, nil, func() []*engineio.Message {
			return []*engineio.Message{engineio.LatestMessage(&engineio.Latest{
				Stream: n.name + "," + event,
				Values: keyed,
				Encode: func(values []engineio.Value) []byte { return n.encodeLatest(event, values, payload) },
			}).Metered(&n.counters.queued)}
		})
	}
}

func (n *namespace) encodeLatest(event string, values []engineio.Value, payload func([]json.RawMessage) any) []byte {
	list := make([]json.RawMessage, len(values))
	for i, value := range values {
		list[i] = value.JSON
	}
	raw, err := codec.Marshal(payload(list))
	if err != nil {
		n.server.log.Error("cannot encode event", "namespace", n.name, "event", event, "error", err)
		raw = json.RawMessage("null")
	}
	return codec.AppendEvent(make([]byte, 0, codec.EventSize(n.name, event, raw)), n.name, event, nil, raw, 0)
}

// targets are the emitter's namespaces that have a handler.
func (e *Emitter) targets() []*namespace {
	targets := make([]*namespace, 0, len(e.namespaces))
	for _, name := range e.namespaces {
		if n := e.server.namespace(name); n != nil {
			targets = append(targets, n)
		}
	}
	return targets
}
