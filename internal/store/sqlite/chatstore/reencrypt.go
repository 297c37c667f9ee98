package chatstore

import (
	"context"
	"database/sql"
	"fmt"

	"rolecall/internal/atrest"
	"rolecall/internal/store/sqlite"
)

// reencryptChunk is how many messages are looked at at a time.
const reencryptChunk = 1000

const (
	selectKept = `SELECT m.number, r.room_id, m.message_id, m.key_id, m.text, m.said FROM messages m CROSS JOIN rooms r ON r.number = m.room
		WHERE m.number > ?1 ORDER BY m.number LIMIT ?2`
	// updateKept leaves alone what somebody has changed meanwhile, which is kept by the first key then.
	updateKept = `UPDATE messages SET key_id = ?2, text = ?3, said = ?4 WHERE number = ?1 AND key_id = ?5 AND text = ?6`
)

// keptRow is what is kept of a message.
type keptRow struct {
	number          int64
	room, messageID string
	kept            atrest.Kept
}

// Reencrypt has the next messages kept by the first key, beginning from a mark; Looked is 0 once there are none.
func (s *Store) Reencrypt(ctx context.Context, from atrest.Mark) (done atrest.Progress, err error) {
	done.Next = from
	var rows []keptRow
	err = s.db.Snapshot(ctx, func(ctx context.Context, tx *sql.Tx) error {
		found, err := tx.QueryContext(ctx, selectKept, from[0], reencryptChunk)
		rows, err = sqlite.Collect(found, err, func(row sqlite.Scanner) (r keptRow, err error) {
			return r, row.Scan(&r.number, &r.room, &r.messageID, &r.kept.KeyID, &r.kept.Text, &r.kept.Said)
		})
		return err
	})
	if err != nil || len(rows) == 0 {
		return done, err
	}
	done.Looked, done.Next = len(rows), atrest.Mark{rows[len(rows)-1].number}
	type change struct {
		keptRow
		again atrest.Kept
	}
	var changes []change
	for _, row := range rows {
		again, isAnother, err := s.texts.Again(row.room, row.messageID, row.kept)
		switch {
		case err != nil:
			done.Unreadable++
		case isAnother:
			changes = append(changes, change{row, again})
		}
	}
	if len(changes) == 0 {
		return done, nil
	}
	err = s.db.WriteOver(ctx, func(ctx context.Context, tx *sql.Tx) error {
		done.Changed = 0
		for _, c := range changes {
			changed, err := sqlite.Affected(tx.ExecContext(ctx, updateKept, c.number, c.again.KeyID, c.again.Text, c.again.Said, c.kept.KeyID, c.kept.Text))
			if err != nil {
				return fmt.Errorf("keep messages by the first key: %w", err)
			}
			done.Changed += changed
		}
		return nil
	})
	return done, err
}
