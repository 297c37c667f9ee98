package zishang520

import (
	"encoding/json"
	"fmt"
	"slices"

	"rolecall/internal/realtime"
)

// emitter implements realtime.Emitter.
type emitter struct {
	engine     *Engine
	namespaces []string
}

// Emitter implements realtime.Engine.
func (e *Engine) Emitter(namespaces ...string) realtime.Emitter {
	return &emitter{engine: e, namespaces: namespaces}
}

// Emit implements realtime.Emitter.
func (e *emitter) Emit(event string, payload any, to, except []string) {
	log := e.engine.options.Logger
	if len(to) == 0 {
		log.Error("an event without rooms reaches nobody", "event", event)
		return
	}
	arguments, err := argumentsOf(payload)
	if err != nil {
		log.Error("cannot encode event", "event", event, "error", err)
		return
	}
	for _, name := range e.namespaces {
		n, known := e.engine.find(name)
		if !known {
			continue
		}
		beside := append(roomsOf(except), n.gatherFor(event, arguments, to, except)...)
		listeners := n.io.Except(beside...)
		if !e.engine.options.SocketRooms || !slices.Contains(to, realtime.Everyone) {
			listeners = listeners.To(roomsOf(to)...)
		}
		if err := listeners.Emit(event, arguments...); err != nil {
			log.Error("an event cannot have this name", "event", event, "error", err)
			continue
		}
		if watcher := e.engine.watch.Watcher(); watcher != nil {
			watcher.Sent(event, n.open(to, except))
		}
	}
}

// EmitNewest implements realtime.Emitter. The library merges nothing, however slow a client reads.
func (e *emitter) EmitNewest(event string, newest realtime.Newest, to []string) {
	payload, err := payloadOf(newest)
	if err != nil {
		e.engine.options.Logger.Error("cannot encode event", "event", event, "error", err)
		return
	}
	e.Emit(event, payload, to, nil)
}

func payloadOf(newest realtime.Newest) (map[string]any, error) {
	payload := make(map[string]any)
	if len(newest.Fields) > 0 {
		if err := json.Unmarshal(newest.Fields, &payload); err != nil {
			return nil, fmt.Errorf("zishang520: the fields of newest values: %w", err)
		}
	}
	values := make([]json.RawMessage, len(newest.Values))
	for i, value := range newest.Values {
		values[i] = value.JSON
	}
	payload[newest.Member] = values
	return payload, nil
}
