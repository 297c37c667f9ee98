package people

import "maps"

// Held is how many people's changes are being held back.
func (s *Service) Held() int {
	s.mu.Lock()
	everybody := maps.Clone(s.known)
	s.mu.Unlock()
	held := 0
	for userID, k := range everybody {
		unlock := s.telling.Lock(userID)
		if k.hold != nil {
			held++
		}
		unlock()
	}
	return held
}

// Known is how many people are remembered.
func (s *Service) Known() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.known)
}
