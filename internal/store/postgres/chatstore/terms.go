package chatstore

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/store/postgres"
	"rolecall/internal/words"
)

// indexChunk is how many messages are indexed in one transaction.
const indexChunk = 500

// Statements of the index: it has a row for each term of a message.
const (
	insertTerms = `INSERT INTO message_terms (room, term, seq) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
		ON CONFLICT DO NOTHING`
	deleteTerms = `DELETE FROM message_terms t USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) a (room, term, seq)
		WHERE t.room = a.room AND t.term = a.term AND t.seq = a.seq`
	lockIndex   = `SELECT version, key_id, key FROM message_index FOR UPDATE`
	beginIndex  = `UPDATE message_index SET version = $1, at = 9223372036854775807, room = 0, seq = 0`
	selectIndex = `SELECT at, room, seq FROM message_index`
	updateIndex = `UPDATE message_index SET at = $1, room = $2, seq = $3`
	// selectUnindexed has the messages wait that somebody wants to change meanwhile.
	selectUnindexed = `SELECT m.room, ` + messageColumns + ` FROM messages m WHERE (m.timestamp, m.room, m.seq) < ($1, $2, $3)
		ORDER BY m.timestamp DESC, m.room DESC, m.seq DESC LIMIT $4 FOR NO KEY UPDATE`
)

// indexed are rows of the index.
type indexed struct{ room, term, seq int64 }

// rowsOf are the rows of a message in the index.
func (s *Store) rowsOf(room int64, m *chat.Message) []indexed {
	if s.cannotSearch {
		return nil
	}
	numbers := s.key.Numbers(search.TermsOf(m))
	rows := make([]indexed, len(numbers))
	for i, number := range numbers {
		rows[i] = indexed{room, number, m.Seq}
	}
	return rows
}

// columnsOf are the parameters of insertTerms and deleteTerms. They are in the order of the index, which makes it quick, and has
// those who write at the same time wait for each other in one order.
func columnsOf(rows []indexed) []any {
	slices.SortFunc(rows, func(a, b indexed) int {
		return cmp.Or(cmp.Compare(a.room, b.room), cmp.Compare(a.term, b.term), cmp.Compare(a.seq, b.seq))
	})
	rooms, terms, seqs := make([]int64, len(rows)), make([]int64, len(rows)), make([]int64, len(rows))
	for i, row := range rows {
		rooms[i], terms[i], seqs[i] = row.room, row.term, row.seq
	}
	return []any{rooms, terms, seqs}
}

// queueTerms has messages found by what they say from now on.
func (b *batch) queueTerms(wanted *pgx.Batch) {
	var gone, come []indexed
	for i := range b.amended {
		made := &b.amended[i]
		if made.before.Text != made.after.Text {
			gone = append(gone, b.store.rowsOf(made.room.number, &made.before)...)
		}
	}
	for _, m := range b.added {
		come = append(come, b.store.rowsOf(m.room, m.Message)...)
	}
	for key, after := range b.targets { // as the last change has left them
		if b.isSaidAnew(key) {
			come = append(come, b.store.rowsOf(b.rooms[key.roomID].number, &after)...)
		}
	}
	if len(gone) > 0 {
		wanted.Queue(deleteTerms, columnsOf(gone)...)
	}
	if len(come) > 0 {
		wanted.Queue(insertTerms, columnsOf(come)...)
	}
}

// isSaidAnew reports whether a change of the batch has a message say something else.
func (b *batch) isSaidAnew(key target) bool {
	return slices.ContainsFunc(b.amended, func(made amended) bool {
		return targetOf(made.change.Of()) == key && made.before.Text != made.after.Text
	})
}

// beginIndex begins the index anew where it is of another version.
func (s *Store) beginIndex(ctx context.Context) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		var version int64
		var keyID string
		var sealed postgres.Text
		if err := tx.QueryRow(ctx, lockIndex).Scan(&version, &keyID, &sealed); err != nil {
			return err
		}
		kept := s.texts.IndexKey(keyID, string(sealed))
		s.key, s.cannotSearch = kept.Key, kept.IsMissing
		if kept.IsMissing { // what is said meanwhile is found once the index is made anew
			_, err := tx.Exec(ctx, `UPDATE message_index SET version = 0`)
			return err
		}
		if keyID != kept.KeyID || string(sealed) != kept.Sealed {
			if _, err := tx.Exec(ctx, `UPDATE message_index SET key_id = $1, key = $2`, kept.KeyID, postgres.Text(kept.Sealed)); err != nil {
				return err
			}
		}
		if version == words.Version && !kept.IsNew {
			return nil
		}
		if _, err := tx.Exec(ctx, `TRUNCATE message_terms`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, beginIndex, words.Version)
		return err
	})
	if err != nil {
		return fmt.Errorf("begin the index of messages: %w", err)
	}
	return nil
}

// place is one among messages in the order of time.
type place struct{ at, room, seq int64 }

func scanPlace(row postgres.Scanner) (p place, err error) { return p, row.Scan(&p.at, &p.room, &p.seq) }

// Index implements search.Store.
func (s *Store) Index(ctx context.Context) (more bool, err error) {
	if s.cannotSearch {
		return false, nil
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		more = false
		from, err := scanPlace(tx.QueryRow(ctx, selectIndex))
		if err != nil || from.at == math.MinInt64 {
			return err
		}
		rows, err := tx.Query(ctx, selectUnindexed, from.at, from.room, from.seq, int64(indexChunk))
		var terms []indexed
		next := place{at: math.MinInt64}
		found, err := postgres.Collect(rows, err, func(row postgres.Scanner) (m chat.Message, err error) {
			var room int64
			m, err = s.scanMessage(row, &room)
			terms = append(terms, s.rowsOf(room, &m)...)
			next = place{int64(m.Timestamp), room, m.Seq}
			return m, err
		})
		if err != nil {
			return err
		}
		if more = len(found) == indexChunk; !more {
			next = place{at: math.MinInt64}
		}
		if _, err := tx.Exec(ctx, insertTerms, columnsOf(terms)...); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, updateIndex, next.at, next.room, next.seq)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("index messages: %w", err)
	}
	return more, nil
}

// DeleteMessagesBefore implements chat.Store.
func (s *Store) DeleteMessagesBefore(ctx context.Context, timestamp int64) (gone int, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		rows, err := tx.Query(ctx, deleteMessages, timestamp, postgres.DeleteChunkSize)
		var terms []indexed
		deleted, err := postgres.Collect(rows, err, func(row postgres.Scanner) (m chat.Message, err error) {
			var room int64
			m, err = s.scanMessage(row, &room)
			terms = append(terms, s.rowsOf(room, &m)...)
			return m, err
		})
		if gone = len(deleted); err != nil || len(terms) == 0 {
			return err
		}
		_, err = tx.Exec(ctx, deleteTerms, columnsOf(terms)...)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete messages: %w", err)
	}
	return gone, nil
}
