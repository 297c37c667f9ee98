package chat

import (
	"context"
	"math"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// Counts are how much of a room lies beyond somebody's read mark.
type Counts struct {
	// Unread is how many messages of others, entries apart, and Mentions how many that mention the reader.
	Unread, Mentions int
}

// anew is a message that nobody has been told of yet.
const anew = math.MaxInt64

// mentioned are the people whom somebody mentions in a message of a room, each once. They must be people who see it: of a direct room
// or a group its members, and of an open room those who may enter it and to whom the caller may write. It fails with not_found.
func (s *Service) mentioned(ctx context.Context, who auth.Identity, talk conversation, seq int64, userIDs []string) ([]string, error) {
	var mentioned []string
	for _, userID := range userIDs {
		if slices.Contains(mentioned, userID) {
			continue
		}
		sees, err := s.canSee(ctx, who, talk, seq, userID)
		if err != nil {
			return nil, err
		}
		if !sees {
			return nil, notFound("mentions", "One of those who are mentioned does not see the message, or is nobody")
		}
		mentioned = append(mentioned, userID)
	}
	return mentioned, nil
}

// canSee reports whether somebody sees a message of a room, as far as the caller may know.
func (s *Service) canSee(ctx context.Context, who auth.Identity, talk conversation, seq int64, userID string) (bool, error) {
	if talk.members != nil {
		return slices.Contains(talk.members, userID) && talk.sight(userID).Sees(seq), nil
	}
	if userID == who.UserID {
		return true, nil
	}
	if err := s.reach.MayWrite(ctx, who, userID); err != nil {
		if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Forbidden) {
			return false, nil
		}
		return false, err
	}
	role, known, err := s.people.RoleOf(ctx, userID)
	return known && talk.room.Kind() == roles.OpenKind && s.options.OpenRooms.Allows(talk.room, role), err
}
