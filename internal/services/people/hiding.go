package people

import (
	"context"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

// Whoever has blocked somebody looks to them like a person who is not there, and was last seen when they were blocked.

// Blocks knows who has blocked whom.
type Blocks interface {
	// BlockedBy returns whom each of the people has blocked, without those who have blocked nobody.
	BlockedBy(ctx context.Context, userIDs []string) (map[string][]string, error)
	// BlockersOf returns who has blocked a person, and since when, in Unix milliseconds.
	BlockersOf(ctx context.Context, userID string) (map[string]int64, error)
}

// nobodyBlocks is that nobody has blocked anybody.
type nobodyBlocks struct{}

// BlockedBy implements Blocks.
func (nobodyBlocks) BlockedBy(context.Context, []string) (map[string][]string, error) {
	return nil, nil
} //nolint:nilnil // nobody

// BlockersOf implements Blocks.
func (nobodyBlocks) BlockersOf(context.Context, string) (map[string]int64, error) { return nil, nil } //nolint:nilnil // nobody

// hide leaves those out of who is there who have blocked the one who looks.
func (s *Service) hide(ctx context.Context, who auth.Identity, around []listed) ([]listed, error) {
	blockers, err := s.blocks.BlockersOf(ctx, who.UserID)
	if err != nil || len(blockers) == 0 {
		return around, err
	}
	return slices.DeleteFunc(slices.Clone(around), func(l listed) bool { _, hidden := blockers[l.UserID]; return hidden }), nil
}

// asHidden is somebody who has blocked the one who looks, since a time in Unix milliseconds.
func (u User) asHidden(since int64) User {
	u.LastSeen = min(u.LastSeen, since)
	return u
}

// blockedBy is whom those have blocked of whom there is something to tell.
func (s *Service) blockedBy(ctx context.Context, changes []change) map[string][]string {
	userIDs := make([]string, len(changes))
	for i := range changes {
		userIDs[i] = changes[i].who.UserID
	}
	blocked, err := s.blocks.BlockedBy(ctx, userIDs)
	if err != nil { // all are told, as the store does not say who is not to be: those who look are told right
		s.log.ErrorContext(ctx, "who is blocked not found", "people", len(userIDs), "error", err)
	}
	return blocked
}

// without leaves out of the peers of people those whom they have blocked.
func without(peers, blocked map[string][]string) {
	for userID, out := range blocked {
		peers[userID] = slices.DeleteFunc(slices.Clone(peers[userID]), func(peer string) bool { return slices.Contains(out, peer) })
	}
}

// TellHidden tells somebody that a person has gone of whom they may know whether they are there, and who is.
func (s *Service) TellHidden(ctx context.Context, userID, from string) error {
	return s.tellAlone(ctx, userID, from, false)
}

// TellShown tells somebody that a person is there of whom they may know that, and who is.
func (s *Service) TellShown(ctx context.Context, userID, to string) error {
	return s.tellAlone(ctx, userID, to, true)
}

func (s *Service) tellAlone(ctx context.Context, userID, to string, online bool) error {
	there, err := s.whoIsOnline(ctx, []string{userID})
	if err != nil || !there[userID] {
		return err
	}
	users, err := s.lookUp(ctx, []string{userID, to})
	if err != nil {
		return err
	}
	var person, viewer User
	for _, user := range users {
		if user.UserID == userID {
			person = user
		} else {
			viewer = user
		}
	}
	who := auth.Identity{UserID: viewer.UserID, Role: viewer.Role, CompanyID: viewer.CompanyID}
	conversing, err := s.conversing(ctx, who, []User{person})
	if err != nil || viewer.UserID == "" || s.closenessTo(who, person, conversing[userID]) < acquaintance {
		return err
	}
	one := change{who: auth.Identity{UserID: userID, Username: person.Username}, online: online}
	s.told.Add(1)
	s.tellOne(ctx, &one, []roles.Room{roles.UserRoom(to)})
	return nil
}

// Forget has nothing be remembered here of somebody who was deleted, unless they are here.
func (s *Service) Forget(userID string) {
	s.seen.forget(userID)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.owed, userID)
	if k := s.known[userID]; k != nil && !k.online && !k.due && !k.taken && !k.leaving {
		delete(s.known, userID)
	}
}

// forget has somebody not be written down who waits for it.
func (s *seen) forget(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.unsaved, userID)
}
