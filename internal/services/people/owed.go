package people

import (
	"context"
	"maps"
	"slices"
)

// maxOwed bounds of how many people something is owed to those who share a conversation with them.
const maxOwed = 10_000

// owe keeps what could not be told to those who share a conversation, as it could not be found out who they are, until it can
// be: who is an admin or of the company has been told. Of each person that is the last change.
func (s *Service) owe(changes []change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		if _, known := s.owed[c.who.UserID]; known || len(s.owed) < maxOwed {
			s.owed[c.who.UserID] = c
		}
	}
}

// owes reports whether anything is owed.
func (s *Service) owes() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.owed) > 0
}

// settleDebt forgets what is owed of people of whom peers are told something.
func (s *Service) settleDebt(changes []change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		delete(s.owed, c.who.UserID)
	}
}

// tellOwed tells what is owed, if it can: what is true now, as another server may have told of the same people since.
func (s *Service) tellOwed(ctx context.Context) {
	s.mu.Lock()
	owed := slices.Collect(maps.Values(s.owed))
	s.mu.Unlock()
	if len(owed) == 0 {
		return
	}
	peers := s.peersOf(ctx, owed, s.blockedBy(ctx, owed))
	if peers == nil {
		return
	}
	userIDs := make([]string, len(owed))
	for i := range owed {
		userIDs[i] = owed[i].who.UserID
	}
	online, err := s.whoIsOnline(ctx, userIDs)
	if err != nil {
		s.log.WarnContext(ctx, "what is owed of people is not told yet", "people", len(owed), "error", err)
		return
	}
	for i := range owed {
		owed[i].online = online[owed[i].who.UserID]
	}
	s.told.Add(1)
	s.announceRound(ctx)
	s.tellPeers(ctx, owed, peers)
	s.settleDebt(owed)
}
