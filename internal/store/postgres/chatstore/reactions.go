package chatstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/store/postgres"
)

const (
	// selectReacted is of messages and of people who change them: what there is, and whether they have reacted so.
	selectReacted = `SELECT a.room_id, a.message_id, a.user_id, x.emoji, count(*), bool_or(x.user_id = a.user_id)
		FROM unnest($1::text[], $2::text[], $3::text[]) a (room_id, message_id, user_id)
		JOIN rooms r ON r.room_id = a.room_id JOIN messages m ON m.message_id = a.message_id AND m.room = r.number
		JOIN message_reactions x ON x.room = m.room AND x.seq = m.seq AND (NOT x.alone OR x.user_id = a.user_id)
		GROUP BY a.room_id, a.message_id, a.user_id, x.emoji ORDER BY min(x.revision)`
	insertReaction  = `INSERT INTO message_reactions (room, seq, emoji, user_id, revision, alone) VALUES ($1, $2, $3, $4, $5, $6)`
	deleteReaction  = `DELETE FROM message_reactions WHERE room = $1 AND seq = $2 AND emoji = $3 AND user_id = $4`
	deleteReactions = `DELETE FROM message_reactions WHERE room = $1 AND seq = $2`
	selectReactions = `SELECT seq, emoji, count(*), bool_or(user_id = $3),
			array_agg(user_id ORDER BY revision) FILTER (WHERE place <= $4)
		FROM (SELECT seq, emoji, user_id, revision, row_number() OVER (PARTITION BY seq, emoji ORDER BY revision) AS place
			FROM message_reactions WHERE room = (SELECT number FROM rooms WHERE room_id = $1) AND seq = ANY($2::bigint[])
				AND (NOT alone OR user_id = $3)) reacted
		GROUP BY seq, emoji ORDER BY seq, min(revision)`
)

// reacted are the reactions to a message, as a batch has left them.
type reacted struct {
	all  []chat.Reaction            // of all people, nobody's own
	mine map[string]map[string]bool // the emoji of those who change the message in the batch
}

// seenBy are the reactions, marked for somebody.
func (r *reacted) seenBy(userID string) []chat.Reaction {
	if r == nil {
		return nil
	}
	var seen []chat.Reaction
	for _, one := range r.all {
		one.Mine = r.mine[userID][one.Emoji]
		seen = append(seen, one)
	}
	return seen
}

// after are the reactions once somebody's change has left these.
func (r *reacted) after(change chat.MessageChange, left []chat.Reaction) *reacted {
	if r == nil {
		r = &reacted{mine: make(map[string]map[string]bool)}
	}
	r.all = nil
	own := make(map[string]bool)
	for _, one := range left {
		own[one.Emoji] = one.Mine
		one.Mine = false
		r.all = append(r.all, one)
	}
	if len(left) == 0 { // nobody's are left
		clear(r.mine)
	}
	r.mine[change.Of().By.UserID] = own
	return r
}

// queueReacted asks for the reactions to the messages to be changed.
func (b *batch) queueReacted(asked *pgx.Batch) {
	type key struct {
		target
		userID string
	}
	seen := make(map[key]bool)
	var roomIDs, messageIDs, userIDs []string
	for _, change := range b.changes {
		change, is := change.(chat.MessageChange)
		if !is {
			continue
		}
		of := change.Of()
		if wanted := (key{targetOf(of), of.By.UserID}); !seen[wanted] {
			seen[wanted] = true
			roomIDs, messageIDs = append(roomIDs, wanted.roomID), append(messageIDs, wanted.messageID)
			userIDs = append(userIDs, wanted.userID)
		}
	}
	asked.Queue(selectReacted, roomIDs, messageIDs, userIDs).Query(func(rows pgx.Rows) error {
		var of key
		var one chat.Reaction
		_, err := pgx.ForEachRow(rows, []any{&of.roomID, &of.messageID, &of.userID, &one.Emoji, &one.Count, &one.Mine}, func() error {
			b.noteReacted(of.target, of.userID, one)
			return nil
		})
		return err
	})
}

// noteReacted adds an emoji of a message, which comes once for each who changes it.
func (b *batch) noteReacted(to target, userID string, one chat.Reaction) {
	r := b.reacted[to]
	if r == nil {
		r = &reacted{mine: make(map[string]map[string]bool)}
		b.reacted[to] = r
	}
	if r.mine[userID] == nil {
		r.mine[userID] = make(map[string]bool)
	}
	r.mine[userID][one.Emoji] = one.Mine
	one.Mine = false
	for i := range r.all {
		if r.all[i].Emoji == one.Emoji {
			return
		}
	}
	r.all = append(r.all, one)
}

// queueReaction adds what a change does to the reactions of a message.
func (a *amended) queueReaction(wanted *pgx.Batch) {
	room, seq, userID := a.room.number, a.after.Seq, a.change.Of().By.UserID
	switch a.change.Kind() {
	case chat.Reacted:
		wanted.Queue(insertReaction, room, seq, a.change.Emoji(), userID, a.after.Revision, a.isAlone)
	case chat.Unreacted:
		wanted.Queue(deleteReaction, room, seq, a.change.Emoji(), userID)
	case chat.Deleted:
		wanted.Queue(deleteReactions, room, seq)
	case chat.Edited:
	}
}

// fillReactions adds the reactions to messages of one room, marked for who asks.
func (s *Store) fillReactions(ctx context.Context, room roles.ChatRoom, asker string, messages []*chat.Message) error {
	if len(messages) == 0 {
		return nil
	}
	seqs := make([]int64, len(messages))
	for i, m := range messages {
		seqs[i] = m.Seq
	}
	found := make(map[int64][]chat.Reaction)
	_, err := postgres.ReadAll(ctx, s.db, selectReactions, func(row postgres.Scanner) (none struct{}, err error) {
		var seq int64
		var r chat.Reaction
		err = row.Scan(&seq, &r.Emoji, &r.Count, &r.Mine, &r.UserIDs)
		found[seq] = append(found[seq], r)
		return none, err
	}, room.String(), seqs, asker, chat.MaxReactors)
	if err != nil {
		return fmt.Errorf("read reactions: %w", err)
	}
	for _, m := range messages {
		m.Reactions = found[m.Seq]
	}
	return nil
}
