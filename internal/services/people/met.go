package people

import (
	"context"
	"maps"
	"slices"

	"rolecall/internal/auth"
)

// maxMet bounds of how many people it waits to be told that they share a conversation with somebody since a moment ago. Whoever is
// beyond it is seen in the next presence:list.
const maxMet = 10_000

// Met notes that somebody has written for the first time in a direct room or group of these members. Those of them who have written
// there too share a conversation with that person from now on, and they are told of each other, where they are online, in a moment.
func (s *Service) Met(userID string, members []string) {
	if !s.noteMet(userID, members) {
		return
	}
	if s.options.Every < 0 {
		s.tellAllMet()
		return
	}
	go s.tellAllMet()
}

// noteMet reports whether there is somebody to tell, and nobody about to.
func (s *Service) noteMet(userID string, members []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	others, known := s.met[userID]
	if s.closed || !known && len(s.met) == maxMet {
		return false
	}
	for _, member := range members[:min(len(members), maxPeers)] {
		if member != userID && len(others) < maxPeers {
			others = append(others, member)
		}
	}
	if len(others) == 0 {
		return false
	}
	s.met[userID] = others
	if s.meeting {
		return false
	}
	s.meeting = true
	s.armed.Add(1)
	return true
}

// tellAllMet tells whoever has met, until there is nobody left.
func (s *Service) tellAllMet() {
	defer s.armed.Done()
	for met := s.takeMet(); met != nil; met = s.takeMet() {
		ctx, cancel := context.WithTimeout(context.Background(), roundTimeout)
		s.rounds.Lock()
		s.tellMet(ctx, met)
		s.rounds.Unlock()
		cancel()
	}
}

// takeMet takes those who have met, nil where there are none.
func (s *Service) takeMet() map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.met) == 0 {
		s.meeting = false
		return nil
	}
	met := s.met
	s.met = make(map[string][]string)
	return met
}

// tellMet tells those of each other who share a conversation since a moment ago. Of who is still to be
// told of by a round, all with whom they share a conversation will be. Where somebody comes or goes meanwhile, and another server
// tells of that, it may be told twice.
func (s *Service) tellMet(ctx context.Context, met map[string][]string) {
	sharing, err := s.sharing(ctx, met)
	if err != nil {
		s.log.WarnContext(ctx, "people who have met are not told of each other", "people", len(met), "error", err)
		return
	}
	if len(sharing) == 0 {
		return
	}
	there, err := s.toldOnline(ctx, slices.Collect(maps.Keys(sharing)))
	if err != nil {
		s.log.WarnContext(ctx, "people who have met are not told of each other", "people", len(met), "error", err)
		return
	}
	if len(there) == 0 {
		return
	}
	changes := make([]change, len(there))
	for i, who := range there {
		changes[i] = change{who: who, online: true}
	}
	without(sharing, s.blockedBy(ctx, changes))
	s.told.Add(1)
	s.announceRound(ctx)
	s.tellPeers(ctx, changes, sharing)
	s.takeBack(ctx, changes, sharing)
}

// toldOnline returns those of the people who were told to be online, as whom they were.
func (s *Service) toldOnline(ctx context.Context, userIDs []string) (there []auth.Identity, err error) {
	if s.sockets.Shared() {
		return s.toldAnywhere(ctx, userIDs)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, userID := range userIDs {
		if k := s.known[userID]; k != nil && k.online {
			there = append(there, k.told)
		}
	}
	return there, nil
}

// takeBack tells of those who were told to be there and are not, to the same people.
func (s *Service) takeBack(ctx context.Context, changes []change, told map[string][]string) {
	userIDs := make([]string, len(changes))
	for i := range changes {
		userIDs[i] = changes[i].who.UserID
	}
	online, err := s.whoIsOnline(ctx, userIDs)
	if err != nil { // they are told of with whatever the outage leaves to be told
		return
	}
	gone := slices.DeleteFunc(changes, func(c change) bool { return online[c.who.UserID] })
	for i := range gone {
		gone[i].online = false
	}
	s.tellPeers(ctx, gone, told)
}

// sharing returns of those who have met who shares a conversation with whom, both ways.
func (s *Service) sharing(ctx context.Context, met map[string][]string) (map[string][]string, error) {
	sharing := make(map[string][]string)
	for userID, others := range met {
		among, err := s.conversations.Among(ctx, userID, others)
		if err != nil {
			return nil, err
		}
		for other := range among {
			sharing[userID] = append(sharing[userID], other)
			sharing[other] = append(sharing[other], userID)
		}
	}
	return sharing, nil
}
