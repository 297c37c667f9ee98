package chat

import (
	"context"
	"slices"

	"rolecall/internal/auth"
)

// Cite returns a message that the caller may read, and up to so many before and after it, as they are shown to the caller, in the
// order of seq; place is where the message stands among them. It fails with room_invalid, room_forbidden and not_found.
func (s *Service) Cite(ctx context.Context, who auth.Identity, of MessageRef, before, after int) (cited []Message, place int, err error) {
	room, err := parseRoom(of.RoomID)
	if err != nil {
		return nil, 0, err
	}
	err = s.while(ctx, who, room, func(talk conversation) error {
		seq, found, err := s.store.SeqOf(ctx, room, of.MessageID)
		if err != nil {
			return err
		}
		if !found {
			return NoMessage()
		}
		behind := seq + 1
		first, err := s.readHistory(ctx, who, talk, newPage(&behind, nil, before+1))
		if err != nil {
			return err
		}
		place = len(first.Messages) - 1
		if place < 0 || first.Messages[place].ID != of.MessageID { // it is not shown to the caller
			return NoMessage()
		}
		rest, err := s.readHistory(ctx, who, talk, newPage(nil, &seq, after))
		cited = slices.Concat(first.Messages, rest.Messages)
		return err
	})
	return cited, place, err
}
