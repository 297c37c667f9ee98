package chatstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/store/mentioned"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/auditlog"
)

// target is a message that a batch changes.
type target struct{ roomID, messageID string }

func targetOf(deed chat.Deed) target { return target{deed.Room.String(), deed.MessageID} }

// amended is a message as a change has left it.
type amended struct {
	change chat.MessageChange
	before chat.Message
	after  chat.Message
	room   *room
	at     int64
	said   int64 // of what it said at first

	isAlone bool
}

// wantedTargets are the messages to be changed, each once: their rooms, and their ids.
func (b *batch) wantedTargets() (roomIDs, messageIDs []string) {
	seen := make(map[target]bool)
	for _, change := range b.changes {
		change, is := change.(chat.MessageChange)
		if !is {
			continue
		}
		if wanted := targetOf(change.Of()); !seen[wanted] {
			seen[wanted] = true
			roomIDs, messageIDs = append(roomIDs, wanted.roomID), append(messageIDs, wanted.messageID)
		}
	}
	return roomIDs, messageIDs
}

func (b *batch) readTargets(rows pgx.Rows) error {
	_, err := postgres.Collect(rows, nil, func(row postgres.Scanner) (none struct{}, err error) {
		var roomID string
		message, said, err := b.store.scanKept(row, &roomID)
		if err == nil {
			message.Room, err = roles.ParseChatRoom(roomID)
		}
		b.targets[target{roomID, message.ID}], b.saids[target{roomID, message.ID}] = message, said
		return none, err
	})
	return err
}

// amend changes a message that is there.
func (b *batch) amend(change chat.MessageChange) chat.Applied {
	deed := change.Of()
	room, there := b.rooms[deed.Room.String()]
	if !there {
		return chat.Applied{Refused: chat.NoMessage()}
	}
	if room.isOutdated = room.isOutdated || room.membersSince != deed.MembersSince; room.isOutdated {
		return chat.Applied{Outdated: true}
	}
	before, there := b.targets[targetOf(deed)]
	if !there {
		return chat.Applied{Refused: chat.NoMessage()}
	}
	before.Reactions = b.reacted[targetOf(deed)].seenBy(deed.By.UserID)
	at := max(deed.At, room.latest)
	made := chat.Amend(change, before, at, b.terms(deed.Room, deed.By.UserID))
	if !made.IsMade() {
		return made
	}
	room.revision++
	room.changed = true
	made.Revision = room.revision
	b.reacted[targetOf(deed)] = b.reacted[targetOf(deed)].after(change, made.Reactions)
	b.targets[targetOf(deed)] = made.Message
	said := b.saids[targetOf(deed)]
	if said == 0 {
		said = chat.Said(&before, &made.Message)
		b.saids[targetOf(deed)] = said
	}
	b.amended = append(b.amended, amended{change, before, made.Message, room, int64(at), said, made.IsAlone})
	if line := change.Line(before, at); line != nil {
		b.lines = append(b.lines, *line)
	}
	return made
}

// queueAmended adds the messages as they have become, the changes, and what is written down of them.
func (b *batch) queueAmended(wanted *pgx.Batch) {
	for i := range b.amended {
		made := &b.amended[i]
		after, deed := &made.after, made.change.Of()
		kept := b.store.texts.Keep(after.Room.String(), after.ID, after.Text, made.said)
		wanted.Queue(updateMessage, made.room.number, after.Seq, after.Revision, postgres.Text(kept.Text),
			int64(after.EditedAt), int64(after.DeletedAt), after.DeletedBy, kept.Said, mentioned.Encode(after.Mentions), after.Attachments.Text(),
			kept.KeyID, int64(after.Alone))
		made.queueDetached(wanted)
		if !slices.Equal(made.before.Mentions, after.Mentions) || made.before.Alone != after.Alone {
			wanted.Queue(deleteMentions, made.room.number, after.Seq)
			mentions := mentions{}
			mentions.add(after, made.room.number)
			mentions.queue(wanted)
		}
		wanted.Queue(deleteSuperseded, made.room.number, after.Seq, deed.By.UserID, made.change.Emoji(),
			made.at-chat.SupersededFor.Milliseconds())
		wanted.Queue(insertChange, made.room.number, after.Revision, after.Seq, string(made.change.Kind()), deed.By.UserID,
			postgres.Text(deed.By.Username), made.at, made.change.Emoji(), made.isAlone)
		made.queueReaction(wanted)
	}
	for _, line := range b.lines {
		auditlog.Queue(wanted, line)
	}
}

// ChangesSince implements chat.Store.
func (s *Store) ChangesSince(ctx context.Context, room roles.ChatRoom, after, upTo int64, limit int) ([]chat.Changed, error) {
	changes, err := postgres.ReadAll(ctx, s.db, selectChanges, func(row postgres.Scanner) (c chat.Changed, err error) {
		c.Message, err = s.scanMessage(row, &c.Revision, &c.Kind, &c.By.UserID, (*postgres.Text)(&c.By.Username), &c.At, &c.Emoji, &c.IsAlone)
		c.Message.Room = room
		return c, err
	}, room.String(), after, upTo, int64(limit))
	if err == nil {
		err = s.fillChanged(ctx, room, changes)
	}
	if err != nil {
		return nil, fmt.Errorf("read changes of messages since a revision: %w", err)
	}
	return changes, nil
}

// fillChanged adds the reactions to changed messages, as who is told of the changes sees them.
func (s *Store) fillChanged(ctx context.Context, room roles.ChatRoom, changes []chat.Changed) error {
	for who, messages := range chat.ByListener(changes) {
		if err := s.fillReactions(ctx, room, who, messages); err != nil {
			return err
		}
	}
	return nil
}
