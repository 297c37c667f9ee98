package realtime

import (
	"rolecall/internal/realtime/codec"
	"rolecall/internal/realtime/engineio"
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
	log := e.server.log.With("event", event)
	if len(to) == 0 {
		log.Error("an event without rooms reaches nobody")
		return
	}
	if !codec.ValidEventName(event) {
		log.Error("an event cannot have this name")
		return
	}
	raw, err := codec.Marshal(payload)
	if err != nil {
		log.Error("cannot encode event", "error", err)
		return
	}
	for _, name := range e.namespaces {
		n := e.server.namespace(name)
		if n == nil {
			continue
		}
		message, err := encodeEvent(name, event, raw)
		if err != nil {
			log.Error("cannot encode event", "namespace", name, "error", err)
			return
		}
		n.adapter.Deliver(toRooms(to), toRooms(except), []*engineio.Message{message})
	}
}
