package realtime

import (
	"encoding/json"
	"sync"
)

// Shared is a payload that many sockets are sent one by one, such as a part of a snapshot: what an engine makes of it is
// made once and held once, however many wait to read it. It encodes as its JSON, which must not be changed.
type Shared struct {
	JSON json.RawMessage

	mu   sync.Mutex
	made map[string]any
}

// NewShared returns the payload of this JSON.
func NewShared(encoded json.RawMessage) *Shared { return &Shared{JSON: encoded} }

// MarshalJSON implements json.Marshaler.
func (s *Shared) MarshalJSON() ([]byte, error) { return s.JSON, nil }

// Once returns what is kept for the key. The first call has it made.
func (s *Shared) Once(key string, create func() (any, error)) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept, ok := s.made[key]; ok {
		return kept, nil
	}
	made, err := create()
	if err != nil {
		return nil, err
	}
	if s.made == nil {
		s.made = make(map[string]any)
	}
	s.made[key] = made
	return made, nil
}
