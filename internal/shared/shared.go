// Package shared is a payload that many sockets are sent one by one.
package shared

import (
	"encoding/json"
	"sync"
)

// Payload is one that many sockets are sent one by one, such as a part of a snapshot: what an engine makes of it is
// made once and held once, however many wait to read it. It encodes as its JSON, which must not be changed.
type Payload struct {
	JSON json.RawMessage

	mu   sync.Mutex
	made map[string]any
}

// New returns the payload of this JSON.
func New(encoded json.RawMessage) *Payload { return &Payload{JSON: encoded} }

// MarshalJSON implements json.Marshaler.
func (p *Payload) MarshalJSON() ([]byte, error) { return p.JSON, nil }

// Once returns what is kept for the key. The first call has it made.
func (p *Payload) Once(key string, create func() (any, error)) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if kept, ok := p.made[key]; ok {
		return kept, nil
	}
	made, err := create()
	if err != nil {
		return nil, err
	}
	if p.made == nil {
		p.made = make(map[string]any)
	}
	p.made[key] = made
	return made, nil
}
