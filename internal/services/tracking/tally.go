package tracking

// Tally counts the drivers by status, each where they were heard last. It looks at one fleet at a time.
func (s *Service) Tally() map[Status]int {
	tally := map[Status]int{Online: 0, Stale: 0, Offline: 0}
	for _, f := range s.directory.all() {
		f.tally(tally)
	}
	return tally
}

func (f *fleet) tally(into map[Status]int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members.Scan(func(_ string, m *membership) bool {
		if !m.gone && m.driver.isHome(m) {
			into[m.status]++
		}
		return true
	})
}
