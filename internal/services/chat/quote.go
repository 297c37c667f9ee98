package chat

import (
	"context"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
)

// MaxQuote is the longest excerpt of a message that is replied to, in code points.
const MaxQuote = 200

// Quote is a message that is replied to, as who reads the reply is shown it.
type Quote struct {
	Seq       int64  `json:"-"`
	MessageID string `json:"messageId"`
	UserID    string `json:"userId"`
	Username  string `json:"username"`
	// Text is how the message begins, at most MaxQuote code points of it; "" where it was deleted.
	Text    string `json:"text"`
	Deleted bool   `json:"deleted,omitempty"`
	// Alone is that of the message.
	Alone Privacy `json:"-"`
}

// excerpt is the quote with no more text than is shown.
func (q Quote) excerpt() Quote {
	points := 0
	for i := range q.Text {
		if points++; points > MaxQuote {
			q.Text = q.Text[:i]
			break
		}
	}
	return q
}

// Quoter finds messages that are replied to.
type Quoter interface {
	Quotes(ctx context.Context, room roles.ChatRoom, messageIDs []string) (map[string]Quote, error)
}

// FillQuotes adds to the messages of one room those to which they reply, as they are by now, for who sees the room from a place on.
func FillQuotes(ctx context.Context, from Quoter, room roles.ChatRoom, sight groups.Sight, messages []*Message) error {
	var wanted []string
	for _, m := range messages {
		if m.ReplyTo != "" && !m.Deleted {
			wanted = append(wanted, m.ReplyTo)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	quotes, err := from.Quotes(ctx, room, wanted)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if quote, kept := quotes[m.ReplyTo]; kept && !m.Deleted && sight.Sees(quote.Seq) {
			shown := quote.excerpt()
			m.Quoted = &shown
		}
	}
	return nil
}

// Pointers are where the messages stand.
func Pointers(messages []Message) []*Message {
	all := make([]*Message, len(messages))
	for i := range messages {
		all[i] = &messages[i]
	}
	return all
}

// quote adds to messages that have just been stored those to which they reply: read after the commit, so that what was deleted
// before it is not shown any more. A message is told without where that fails; the history has it.
func (s *Service) quote(ctx context.Context, made []Applied) {
	replies := make(map[roles.ChatRoom][]*Message)
	for i := range made {
		if made[i].IsMade() && made[i].ReplyTo != "" {
			replies[made[i].Room] = append(replies[made[i].Room], &made[i].Message)
		}
	}
	for room, messages := range replies {
		if err := FillQuotes(ctx, s.store, room, groups.Sight{}, messages); err != nil {
			s.log.ErrorContext(ctx, "messages not quoted", "room", room.String(), "messages", len(messages), "error", err)
		}
	}
}
