package chatstore

import (
	"github.com/jackc/pgx/v5"

	"rolecall/internal/services/chat"
)

const (
	// selectAttachable has other servers wait that want the same attachments.
	selectAttachable = `SELECT attachment_id, user_id FROM attachments WHERE attachment_id = ANY($1::text[]) AND NOT spent
		ORDER BY attachment_id FOR NO KEY UPDATE`
	attach = `UPDATE attachments f SET spent = true, room = a.room, seq = a.seq
		FROM unnest($1::text[], $2::bigint[], $3::bigint[]) a (attachment_id, room, seq) WHERE f.attachment_id = a.attachment_id`
	detach = `UPDATE attachments SET room = NULL, seq = NULL WHERE room = $1 AND seq = $2`
)

// queueAttachable looks for the attachments that the drafts name.
func (b *batch) queueAttachable(asked *pgx.Batch) {
	var ids []string
	for draft := range b.drafts() {
		ids = append(ids, draft.Attachments.IDs()...)
	}
	if len(ids) == 0 {
		return
	}
	asked.Queue(selectAttachable, ids).Query(func(rows pgx.Rows) error {
		var id, userID string
		_, err := pgx.ForEachRow(rows, []any{&id, &userID}, func() error {
			b.free[id] = userID
			return nil
		})
		return err
	})
}

// take takes the attachments of a draft, all or none, where they are there, its sender's, and in no message.
func (b *batch) take(draft *chat.Append) bool {
	for i := range draft.Attachments {
		if userID, isFree := b.free[draft.Attachments[i].ID]; !isFree || userID != draft.UserID {
			return false
		}
	}
	for i := range draft.Attachments {
		delete(b.free, draft.Attachments[i].ID)
	}
	return true
}

// queueAttached puts attachments into the messages that were added.
func (b *batch) queueAttached(wanted *pgx.Batch) {
	var ids []string
	var rooms, seqs []int64
	for _, m := range b.added {
		for i := range m.Attachments {
			ids, rooms, seqs = append(ids, m.Attachments[i].ID), append(rooms, m.room), append(seqs, m.Seq)
		}
	}
	if len(ids) > 0 {
		wanted.Queue(attach, ids, rooms, seqs)
	}
}

// queueDetached takes attachments out of a message that has none any more.
func (a *amended) queueDetached(wanted *pgx.Batch) {
	if a.after.Deleted {
		wanted.Queue(detach, a.room.number, a.after.Seq)
	}
}
