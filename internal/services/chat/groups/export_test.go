package groups

// Remember bounds the members that a new service remembers.
func (s *Service) Remember(most int) { s.members = newMemberCache(most) }

// Remembered is how many members of how many groups are remembered.
func (s *Service) Remembered() (groups, members int) {
	s.members.mu.Lock()
	defer s.members.mu.Unlock()
	return s.members.groups.Len(), s.members.size
}
