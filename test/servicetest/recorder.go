package servicetest

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
)

// Emission is one call of Emit, its payload encoded as a client would see it.
type Emission struct {
	Event      string
	Payload    string
	To, Except []roles.Room
}

// Recorder is an Emitter that remembers what it was given. Its zero value is ready, and it may be used by several
// goroutines at once.
type Recorder struct {
	mu  sync.Mutex
	all []Emission
}

// Emit keeps an event. It encodes the payload and copies the rooms at once, so that later changes to them do not show.
func (r *Recorder) Emit(_ context.Context, event string, payload any, to []roles.Room, except ...roles.Room) {
	emission := Emission{event, Encode(payload), slices.Clone(to), slices.Clone(except)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, emission)
}

// EmitNewest keeps an event of newest values as Emit does.
func (r *Recorder) EmitNewest(ctx context.Context, event string, newest bus.Newest, to ...roles.Room) {
	r.Emit(ctx, event, newestPayload(newest), to)
}

// newestPayload is what a client that reads in time is sent.
func newestPayload(newest bus.Newest) map[string]json.RawMessage {
	payload := make(map[string]json.RawMessage)
	if len(newest.Fields) > 0 {
		if err := json.Unmarshal(newest.Fields, &payload); err != nil {
			panic(err)
		}
	}
	values := make([]json.RawMessage, len(newest.Values))
	for i, value := range newest.Values {
		values[i] = value.JSON
	}
	payload[newest.Member] = json.RawMessage(Encode(values))
	return payload
}

// Take returns what was emitted since the last call, in order.
func (r *Recorder) Take() []Emission {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.all
	r.all = nil
	return taken
}
