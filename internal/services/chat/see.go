package chat

import (
	"context"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

// MaySee is the one place that says whether somebody may see a message of a room, now and as the store has it: whoever may be
// in the room, and of a group sees as much of it. What belongs to a message, such as its attachments, is for those alone. It
// fails as mayBeIn does, and with not_found and unavailable.
func (s *Service) MaySee(ctx context.Context, who auth.Identity, room roles.ChatRoom, seq int64) error {
	return s.while(ctx, who, room, func(talk conversation) error {
		head, err := s.store.Head(ctx, room)
		switch {
		case err != nil:
			return err
		case head.MembersSince != talk.since:
			return ErrOutdated
		case seq <= talk.sight(who.UserID).Seq:
			return NoMessage()
		default:
			return nil
		}
	})
}
