package tracking

// Accepted is how many positions have been accepted since the start.
func (s *Service) Accepted() int64 { return s.accepted.Load() }

// EachDriver calls each with the known drivers, once each, and their status as this node has heard it, with the company they
// were heard of last for.
func (s *Service) EachDriver(each func(driverID, status string)) {
	for after, more := "", true; more; {
		var some []*membership
		some, after, more = s.directory.someAfter(scope{all: true}, after)
		for _, m := range some {
			if status, there := m.statusNow(); there {
				each(m.id, string(status))
			}
		}
	}
}

// statusNow is the status of a member who has not gone.
func (m *membership) statusNow() (status Status, there bool) {
	m.fleet.mu.Lock()
	defer m.fleet.mu.Unlock()
	return m.status, !m.gone
}
