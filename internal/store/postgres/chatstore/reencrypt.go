package chatstore

import (
	"context"
	"fmt"

	"rolecall/internal/atrest"
	"rolecall/internal/store/postgres"
)

// reencryptChunk is how many messages are looked at at a time.
const reencryptChunk = 1000

const (
	selectKept = `SELECT m.room, m.seq, r.room_id, m.message_id, m.key_id, m.text, m.said FROM messages m JOIN rooms r ON r.number = m.room
		WHERE (m.room, m.seq) > ($1, $2) ORDER BY m.room, m.seq LIMIT $3`
	// updateKept leaves alone what somebody has changed meanwhile, which is kept by the first key then.
	updateKept = `UPDATE messages m SET key_id = a.key_id, text = a.text, said = a.said
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bytea[], $5::bigint[], $6::text[], $7::bytea[])
			a (room, seq, key_id, text, said, key_before, text_before)
		WHERE m.room = a.room AND m.seq = a.seq AND m.key_id = a.key_before AND m.text = a.text_before`
)

// keptRow is what is kept of a message.
type keptRow struct {
	number, seq     int64
	room, messageID string
	kept            atrest.Kept
}

// Reencrypt has the next messages kept by the first key, beginning from a mark; Looked is 0 once there are none.
func (s *Store) Reencrypt(ctx context.Context, from atrest.Mark) (done atrest.Progress, err error) {
	done.Next = from
	rows, err := postgres.ReadAll(ctx, s.db, selectKept, func(row postgres.Scanner) (r keptRow, err error) {
		return r, row.Scan(&r.number, &r.seq, &r.room, &r.messageID, &r.kept.KeyID, (*postgres.Text)(&r.kept.Text), &r.kept.Said)
	}, from[0], from[1], int64(reencryptChunk))
	if err != nil || len(rows) == 0 {
		return done, err
	}
	last := rows[len(rows)-1]
	done.Looked, done.Next = len(rows), atrest.Mark{last.number, last.seq}
	var (
		rooms, seqs, saids []int64
		keys, keysBefore   []string
		texts, textsBefore []postgres.Text
	)
	for _, row := range rows {
		again, isAnother, err := s.texts.Again(row.room, row.messageID, row.kept)
		switch {
		case err != nil:
			done.Unreadable++
		case isAnother:
			rooms, seqs, saids = append(rooms, row.number), append(seqs, row.seq), append(saids, again.Said)
			keys, keysBefore = append(keys, again.KeyID), append(keysBefore, row.kept.KeyID)
			texts, textsBefore = append(texts, postgres.Text(again.Text)), append(textsBefore, postgres.Text(row.kept.Text))
		}
	}
	if len(rooms) == 0 {
		return done, nil
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) (err error) {
		done.Changed, err = postgres.Affected(tx.Exec(ctx, updateKept, rooms, seqs, keys, texts, saids, keysBefore, textsBefore))
		return err
	})
	if err != nil {
		return done, fmt.Errorf("keep messages by the first key: %w", err)
	}
	return done, nil
}
