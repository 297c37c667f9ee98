package people

// Held is how many people's changes are being held back.
func (s *Service) Held() int {
	held := 0
	for i := range s.stripes {
		s.stripes[i].mu.Lock()
		for _, k := range s.stripes[i].known {
			if k.hold != nil {
				held++
			}
		}
		s.stripes[i].mu.Unlock()
	}
	return held
}

// Known is how many people are remembered.
func (s *Service) Known() int {
	people := 0
	for i := range s.stripes {
		s.stripes[i].mu.Lock()
		people += len(s.stripes[i].known)
		s.stripes[i].mu.Unlock()
	}
	return people
}
