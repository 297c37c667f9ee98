package tracking

// Forget has nothing be remembered here of a driver who was deleted, once they are offline.
func (s *Service) Forget(driverID string) {
	for _, f := range s.directory.all() {
		f.mu.Lock()
		if m, known := f.members.Get(driverID); known {
			m.deleted = true
		}
		f.mu.Unlock()
	}
}
