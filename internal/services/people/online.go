package people

import (
	"context"
	"fmt"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

// Whoever was told to be online counts as that until it is told that they have gone, also while they have no socket anywhere: they
// may be back before, and then nothing is told. What was shown to somebody meanwhile stays true.

// whoIsOnline tells which of the users are online.
func (s *Service) whoIsOnline(ctx context.Context, userIDs []string) (map[string]bool, error) {
	online, err := s.sockets.Online(ctx, userIDs...)
	if err != nil {
		return nil, fmt.Errorf("who is online: %w", err)
	}
	if s.sockets.Shared() {
		return online, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, userID := range userIDs {
		if k := s.known[userID]; k != nil && k.online {
			online[userID] = true
		}
	}
	return online, nil
}

// findOnline looks up people who are online. Who is not in the directory yet, as where the store was away when they came to another
// server for the first time, is whom they were told to be.
func (s *Service) findOnline(ctx context.Context, userIDs []string) ([]User, error) {
	users, err := s.find(ctx, userIDs)
	if err != nil || len(users) == len(userIDs) {
		return users, err
	}
	found := make(map[string]bool, len(users))
	for i := range users {
		found[users[i].UserID] = true
	}
	others := slices.DeleteFunc(slices.Clone(userIDs), func(userID string) bool { return found[userID] })
	told, err := s.toldAnywhere(ctx, others)
	if err != nil {
		return nil, err
	}
	now := s.options.Now().UnixMilli()
	for _, who := range told {
		users = append(users, User{UserID: who.UserID, Username: who.Username, Role: who.Role, CompanyID: who.CompanyID, LastSeen: now})
	}
	return users, nil
}

// toldAnywhere returns those of the people whom any server has told to be online, as whom it did.
func (s *Service) toldAnywhere(ctx context.Context, userIDs []string) (told []auth.Identity, err error) {
	all, err := s.sockets.ToldAs(ctx, userIDs...)
	if err != nil {
		return nil, fmt.Errorf("whom people were told to be: %w", err)
	}
	for userID, as := range all {
		if who := wasTold(userID, as); who.Role != "" {
			told = append(told, who)
		}
	}
	return told, nil
}

// withLeaving adds those to who is online in the rooms who may have no socket any more, and still count, up to maxListed. Of several
// servers another may have told by now that they have gone: who is online to all is asked of all.
func (s *Service) withLeaving(userIDs []string, rooms []roles.Room) []string {
	if s.sockets.Shared() {
		return userIDs
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.due)+len(s.taken)+len(s.leaving) == 0 {
		return userIDs
	}
	listed := make(map[string]bool, len(userIDs))
	for _, userID := range userIDs {
		listed[userID] = true
	}
	for _, awaiting := range [][]*known{s.taken, s.due, s.leaving} {
		for _, k := range awaiting {
			if len(userIDs) >= maxListed {
				return userIDs
			}
			if id := k.told.UserID; k.online && !listed[id] && stands(k.told, rooms) {
				listed[id] = true
				userIDs = append(userIDs, id)
			}
		}
	}
	return userIDs
}

func stands(who auth.Identity, rooms []roles.Room) bool {
	return slices.ContainsFunc(who.Rooms(), func(room roles.Room) bool { return slices.Contains(rooms, room) })
}

// rollsWith are the rooms in whose rolls somebody stands; none of somebody of whom the id alone is known.
func rollsWith(who auth.Identity) []roles.Room {
	if who.Role == "" {
		return nil
	}
	own := roles.UserRoom(who.UserID)
	return slices.DeleteFunc(who.Rooms(), func(room roles.Room) bool { return room == own })
}
