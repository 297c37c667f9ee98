package people

// Known is how many people are remembered.
func (s *Service) Known() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.known)
}
