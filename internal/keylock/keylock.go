// Package keylock is a lock for each of any number of keys.
package keylock

import (
	"slices"
	"sync"
)

// Mutex locks keys: who holds one keeps out others who want the same, and nobody else. It remembers only keys that are
// held or waited for. The zero value holds none.
type Mutex struct {
	mu   sync.Mutex
	keys map[string]*key
}

type key struct {
	sync.Mutex
	name   string
	wanted int // by how many it is held or waited for
}

// Lock waits until it holds all of the keys and returns the function that gives them back, to be called once. Keys are
// taken in one order, so that two who want several at once do not wait for each other. Who holds a key must not ask for
// further ones.
func (m *Mutex) Lock(keys ...string) (unlock func()) {
	if len(keys) > 1 {
		keys = slices.Clone(keys)
		slices.Sort(keys)
		keys = slices.Compact(keys)
	}
	wanted := m.want(keys)
	for _, k := range wanted {
		k.Lock()
	}
	return func() {
		for _, k := range wanted {
			k.Unlock()
		}
		m.release(wanted)
	}
}

func (m *Mutex) want(keys []string) []*key {
	wanted := make([]*key, len(keys))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys == nil {
		m.keys = make(map[string]*key)
	}
	for i, name := range keys {
		k := m.keys[name]
		if k == nil {
			k = &key{name: name}
			m.keys[name] = k
		}
		k.wanted++
		wanted[i] = k
	}
	return wanted
}

func (m *Mutex) release(keys []*key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range keys {
		if k.wanted--; k.wanted == 0 {
			delete(m.keys, k.name)
		}
	}
}
