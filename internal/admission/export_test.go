package admission

// MaxAddresses is the bound on what Handshakes remembers.
const MaxAddresses = maxAddresses

// Len returns how many addresses are remembered.
func (h *Handshakes) Len() int { return h.buckets.Len() }

// Len returns how many addresses have a session open.
func (s *Sessions) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}
