package chatstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/store/sqlite"
)

// reacted are the reactions to a message, without people, marked for one.
func (b *batch) reacted(ctx context.Context, room *room, seq int64, userID string) ([]chat.Reaction, error) {
	rows, err := b.tx.StmtContext(ctx, b.sql.selectReacted).QueryContext(ctx, room.number, seq, userID)
	reactions, err := sqlite.Collect(rows, err, func(row sqlite.Scanner) (r chat.Reaction, err error) {
		return r, row.Scan(&r.Emoji, &r.Count, &r.Mine)
	})
	if err != nil {
		return nil, fmt.Errorf("find reactions: %w", err)
	}
	if len(reactions) == 0 {
		return nil, nil
	}
	return reactions, nil
}

// saveReaction writes what a change does to the reactions of a message.
func (b *batch) saveReaction(ctx context.Context, room *room, change chat.MessageChange, after *chat.Applied) (err error) {
	of := change.Of()
	switch change.Kind() {
	case chat.Reacted:
		_, err = b.tx.StmtContext(ctx, b.sql.insertReaction).
			ExecContext(ctx, room.number, after.Seq, change.Emoji(), of.By.UserID, after.Revision, after.IsAlone)
	case chat.Unreacted:
		_, err = b.tx.StmtContext(ctx, b.sql.deleteReaction).ExecContext(ctx, room.number, after.Seq, change.Emoji(), of.By.UserID)
	case chat.Deleted:
		_, err = b.tx.StmtContext(ctx, b.sql.deleteReactions).ExecContext(ctx, room.number, after.Seq)
	case chat.Edited:
	}
	if err != nil {
		return fmt.Errorf("keep reaction: %w", err)
	}
	return nil
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
	slices.Sort(seqs)
	list, err := sqlite.List(slices.Compact(seqs))
	if err != nil {
		return err
	}
	found := make(map[int64][]chat.Reaction)
	_, err = sqlite.ReadAll(ctx, s.db, s.sql.selectReactions, func(row sqlite.Scanner) (none struct{}, err error) {
		var seq int64
		var userIDs string
		var r chat.Reaction
		if err := row.Scan(&seq, &r.Emoji, &r.Count, &r.Mine, &userIDs); err != nil {
			return none, err
		}
		if err := json.Unmarshal([]byte(userIDs), &r.UserIDs); err != nil {
			return none, err
		}
		found[seq] = append(found[seq], r)
		return none, nil
	}, room.String(), list, asker, chat.MaxReactors)
	if err != nil {
		return fmt.Errorf("read reactions: %w", err)
	}
	for _, m := range messages {
		m.Reactions = found[m.Seq]
	}
	return nil
}
