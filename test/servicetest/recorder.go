package servicetest

import (
	"encoding/json"
	"slices"
	"sync"
)

// Emission is one call of Emit, its payload encoded as a client would see it.
type Emission struct {
	Event      string
	Payload    string
	To, Except []string // rooms
}

// Recorder is an Emitter that remembers what it was given. Its zero value is ready, and it may be used by several
// goroutines at once.
type Recorder struct {
	mu  sync.Mutex
	all []Emission
}

// Emit keeps an event. It encodes the payload and copies the rooms at once, so that later changes to them do not show.
func (r *Recorder) Emit(event string, payload any, to, except []string) {
	emission := Emission{event, Encode(payload), slices.Clone(to), slices.Clone(except)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, emission)
}

// EmitLatest keeps an event of newest values as Emit does.
func (r *Recorder) EmitLatest(event string, _ []string, values []json.RawMessage, payload func([]json.RawMessage) any, to []string) {
	r.Emit(event, payload(values), to, nil)
}

// Take returns what was emitted since the last call, in order.
func (r *Recorder) Take() []Emission {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.all
	r.all = nil
	return taken
}
