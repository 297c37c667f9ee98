package tracking

// Pending is how many of a company's drivers await the next flush.
func (s *Service) Pending(companyID string) int {
	f := s.directory.fleet(companyID)
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.pending)
}
