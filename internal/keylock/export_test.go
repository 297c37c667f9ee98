package keylock

// Len is how many keys are held or waited for.
func (m *Mutex) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.keys)
}

// Wanted is by how many a key is held or waited for.
func (m *Mutex) Wanted(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.keys[name]; k != nil {
		return k.wanted
	}
	return 0
}
