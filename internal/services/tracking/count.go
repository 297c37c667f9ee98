package tracking

// Accepted is how many positions have been accepted since the start.
func (s *Service) Accepted() int64 { return s.accepted.Load() }

// CountDrivers counts the known drivers by their status with the company they were heard of last for.
func (s *Service) CountDrivers() map[string]int {
	counts := map[string]int{string(Online): 0, string(Stale): 0, string(Offline): 0}
	for after, more := "", true; more; {
		var some []*membership
		some, after, more = s.directory.someAfter(scope{all: true}, after)
		for _, m := range some {
			if status, there := m.statusNow(); there {
				counts[string(status)]++
			}
		}
	}
	return counts
}

// statusNow is the status of a member who has not gone.
func (m *membership) statusNow() (status Status, there bool) {
	m.fleet.mu.Lock()
	defer m.fleet.mu.Unlock()
	return m.status, !m.gone
}
