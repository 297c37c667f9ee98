package engineio

// Waiting says whether a poll waits for something to send.
func (s *Session) Waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polling.poll.waits()
}

// Queued is the cost of what has not been written.
func (s *Session) Queued() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outbox.cost
}
