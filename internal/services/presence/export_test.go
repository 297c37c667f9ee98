package presence

// Held is how many people's changes are being held back.
func (s *Service) Held() int {
	held := 0
	for i := range s.stripes {
		s.stripes[i].mu.Lock()
		held += len(s.stripes[i].recent)
		s.stripes[i].mu.Unlock()
	}
	return held
}
