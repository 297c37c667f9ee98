package chat

import (
	"context"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/emoji"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
)

// React has somebody react to a message with an emoji, or takes that back.
type React struct {
	Deed
	// With is the emoji, in the spelling of package emoji.
	With string
	// Off takes it back.
	Off bool
}

func (r React) among(membersSince int64) Change {
	r.MembersSince = membersSince
	return r
}

func (r React) told(made Applied) telling { return tellingOf(r, made) }

// Kind implements MessageChange.
func (r React) Kind() ChangeKind {
	if r.Off {
		return Unreacted
	}
	return Reacted
}

// Emoji implements MessageChange.
func (r React) Emoji() string { return r.With }

// On implements MessageChange. The reactions of the message before are marked for the one who reacts. It fails with too_large
// as well.
func (r React) On(before Message, _ instant.Stamp) (after Message, changed bool, err error) {
	if before.Deleted {
		return Message{}, false, isDeleted()
	}
	at := reactionAt(before.Reactions, r.With)
	if isMine := at >= 0 && before.Reactions[at].Mine; isMine != r.Off {
		return before, false, nil
	}
	after = before
	after.Reactions = slices.Clone(before.Reactions)
	switch {
	case r.Off:
		after.Reactions[at].Mine = false
		if after.Reactions[at].Count--; after.Reactions[at].Count == 0 {
			after.Reactions = slices.Delete(after.Reactions, at, at+1)
		}
		return after, true, nil
	case ownReactions(before.Reactions) >= MaxOwnEmoji:
		return Message{}, false, tooMany("A person reacts to a message with at most %d emoji", MaxOwnEmoji)
	case at < 0 && len(before.Reactions) >= MaxEmoji:
		return Message{}, false, tooMany("A message has at most %d different emoji", MaxEmoji)
	case at < 0:
		after.Reactions = append(after.Reactions, Reaction{Emoji: r.With})
		at = len(after.Reactions) - 1
	}
	after.Reactions[at].Count++
	after.Reactions[at].Mine = true
	return after, true, nil
}

func reactionAt(reactions []Reaction, with string) int {
	return slices.IndexFunc(reactions, func(r Reaction) bool { return r.Emoji == with })
}

func ownReactions(reactions []Reaction) (own int) {
	for i := range reactions {
		if reactions[i].Mine {
			own++
		}
	}
	return own
}

func tooMany(sentence string, most int) error {
	many := fault.Newf(fault.TooLarge, sentence, most)
	many.Field = "emoji"
	return many
}

// MessageReaction asks for a reaction, or to take it back.
type MessageReaction struct {
	MessageRef
	Emoji string `json:"emoji" validate:"required"`
	On    *bool  `json:"on" validate:"required"`
}

// React has the caller react to a message, or takes that back; that it is so already is no failure. It fails with
// invalid_payload (what is no emoji), room_invalid, room_forbidden, forbidden, not_found, conflict (the message was deleted),
// too_large (more than MaxOwnEmoji, or MaxEmoji on the message), and unavailable under overload.
func (s *Service) React(ctx context.Context, who auth.Identity, reaction MessageReaction) (*PendingChange, error) {
	with, ok := emoji.Parse(reaction.Emoji)
	if !ok {
		return nil, fault.Invalid("emoji", "emoji must be one emoji")
	}
	talk, err := s.conversation(ctx, who, reaction.RoomID)
	if err != nil {
		return nil, err
	}
	if *reaction.On {
		if err := s.mayWrite(ctx, who, talk.room, "roomId"); err != nil {
			return nil, err
		}
	}
	return s.change(ctx, who, React{Deed: s.deed(who, talk, reaction.MessageID), With: with, Off: !*reaction.On})
}
