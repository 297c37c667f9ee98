package native

import (
	"bytes"
	"encoding/json"
	"errors"

	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native/codec"
	"rolecall/internal/realtime/native/engineio"
)

// emitter implements realtime.Emitter.
type emitter struct {
	server     *Server
	namespaces []string
}

// Emitter implements realtime.Engine.
func (s *Server) Emitter(namespaces ...string) realtime.Emitter {
	return &emitter{server: s, namespaces: namespaces}
}

// Emit implements realtime.Emitter.
func (e *emitter) Emit(event string, payload any, to, except []string) {
	log := e.server.log
	if len(to) == 0 {
		log.Error("an event without rooms reaches nobody", "event", event)
		return
	}
	if !codec.ValidEventName(event) {
		log.Error("an event cannot have this name", "event", event)
		return
	}
	var encoded *realtime.Payload // made for the first who hears it
	for _, n := range e.targets() {
		n.deliver(event, to, except, func() []*engineio.Message {
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

// EmitNewest implements realtime.Emitter.
func (e *emitter) EmitNewest(event string, newest realtime.Newest, to []string) {
	shape, err := shapeOf(event, newest)
	if err != nil || len(to) == 0 {
		e.server.log.Error("an event cannot be told", "event", event, "rooms", len(to), "error", err)
		return
	}
	values := make([]engineio.Value, len(newest.Values))
	for i, value := range newest.Values {
		values[i] = engineio.Value{Key: value.Key, JSON: value.JSON}
	}
	for _, n := range e.targets() {
		n.deliver(event, to, nil, func() []*engineio.Message {
			return []*engineio.Message{engineio.LatestMessage(&engineio.Latest{
				Stream: n.name + "," + event,
				Values: values,
				Encode: func(values []engineio.Value) []byte { return shape.encode(n.name, values) },
			}).Metered(&n.counters.queued)}
		})
	}
}

// newestShape is what stands around the values of an event that tells newest values.
type newestShape struct {
	event string
	// before is the payload up to its first value.
	before []byte
}

func shapeOf(event string, newest realtime.Newest) (newestShape, error) {
	if !codec.ValidEventName(event) {
		return newestShape{}, errEventName
	}
	before := []byte("{")
	if fields := bytes.TrimSpace(newest.Fields); len(fields) > 0 {
		if fields[0] != '{' || !json.Valid(fields) {
			return newestShape{}, errors.New("native: the fields of newest values are no JSON object")
		}
		if before = bytes.TrimSpace(fields[: len(fields)-1 : len(fields)-1]); len(before) > 1 {
			before = append(before, ',')
		}
	}
	member, err := codec.Marshal(newest.Member)
	if err != nil {
		return newestShape{}, err
	}
	return newestShape{event: event, before: append(append(before, member...), ":["...)}, nil
}

// encode writes the event with these values.
func (s newestShape) encode(namespace string, values []engineio.Value) []byte {
	size := len(s.before) + len("]}")
	for i := range values {
		size += len(values[i].JSON) + 1
	}
	payload := append(make([]byte, 0, size), s.before...)
	for i := range values {
		if i > 0 {
			payload = append(payload, ',')
		}
		payload = append(payload, values[i].JSON...)
	}
	payload = append(payload, "]}"...)
	return codec.AppendEvent(make([]byte, 0, codec.EventSize(namespace, s.event, payload)), namespace, s.event, nil, payload, 0)
}

// targets are the emitter's namespaces that have a handler.
func (e *emitter) targets() []*namespace {
	targets := make([]*namespace, 0, len(e.namespaces))
	for _, name := range e.namespaces {
		if n := e.server.namespace(name); n != nil {
			targets = append(targets, n)
		}
	}
	return targets
}
