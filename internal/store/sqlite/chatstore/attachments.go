package chatstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rolecall/internal/services/chat"
	"rolecall/internal/store/sqlite"
)

// attachable reports whether all of a draft's attachments are there, its sender's, and in no message.
func (b *batch) attachable(ctx context.Context, draft *chat.Append) (bool, error) {
	if len(draft.Attachments) == 0 {
		return true, nil
	}
	list, err := sqlite.List(draft.Attachments.IDs())
	if err != nil {
		return false, err
	}
	free := 0
	if err := b.tx.StmtContext(ctx, b.sql.countAttachable).QueryRowContext(ctx, draft.UserID, list).Scan(&free); err != nil {
		return false, fmt.Errorf("look for attachments: %w", err)
	}
	return free == len(draft.Attachments), nil
}

// resent is what becomes of a draft whose attachments are not to be had: it was sent before, or is refused.
func (b *batch) resent(ctx context.Context, draft *chat.Append, failed error) (chat.Applied, error) {
	if failed != nil {
		return chat.Applied{}, failed
	}
	if draft.ClientID != "" {
		before, err := b.sent(ctx, draft)
		if !errors.Is(err, sql.ErrNoRows) {
			return before, err
		}
	}
	return chat.Applied{Refused: chat.NoAttachment()}, nil
}

// attachTo puts a message's attachments into it.
func (b *batch) attachTo(ctx context.Context, room *room, message *chat.Message) error {
	if len(message.Attachments) == 0 {
		return nil
	}
	list, err := sqlite.List(message.Attachments.IDs())
	if err == nil {
		_, err = b.tx.StmtContext(ctx, b.sql.attach).ExecContext(ctx, room.number, message.Seq, list)
	}
	if err != nil {
		return fmt.Errorf("put attachments into message: %w", err)
	}
	return nil
}
