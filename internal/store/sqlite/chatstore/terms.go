package chatstore

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/store/sqlite"
	"rolecall/internal/words"
)

// The index of messages is a table of FTS5 (https://www.sqlite.org/fts5.html) that is given no text but tokens, a message: one
// for each term, and those of where it was said. So one lookup finds what has all terms in any of the rooms that are looked
// through, the newest first.

// indexChunk is how many messages are indexed in one transaction.
const indexChunk = 500

// tokens writes terms as tokens, none of which is one of a room.
func (s *Store) tokens(into *strings.Builder, terms []string) {
	const digits = "0123456789abcdefghijklmnopqrstuv"
	for _, number := range s.key.Numbers(terms) {
		if into.Len() > 0 {
			into.WriteByte(' ')
		}
		for shift := 35; shift >= 0; shift -= 5 {
			into.WriteByte(digits[number>>shift&31])
		}
	}
}

// openToken is the token of what was said in open rooms.
const openToken = "y"

func roomToken(number int64) string { return "z" + strconv.FormatInt(number, 36) }

// document is what the index is given of a message; "" where it is not to be found.
func (s *Store) document(room int64, m *chat.Message) string {
	terms := search.TermsOf(m)
	if len(terms) == 0 || s.cannotSearch {
		return ""
	}
	var all strings.Builder
	all.WriteString(roomToken(room))
	if m.Room.Kind() == roles.OpenKind {
		all.WriteString(" " + openToken)
	}
	for _, person := range m.Room.People() {
		terms = append(terms, words.Addressee(person))
	}
	s.tokens(&all, terms)
	return all.String()
}

// addTerms has a message found that has just been stored.
func (b *batch) addTerms(ctx context.Context, room *room, m *chat.Message) error {
	document := b.document(room.number, m)
	if document == "" {
		return nil
	}
	if _, err := b.tx.StmtContext(ctx, b.sql.insertTerms).ExecContext(ctx, room.number, m.Seq, document); err != nil {
		return fmt.Errorf("index message: %w", err)
	}
	return nil
}

// changeTerms has a message found by what it says by now.
func (b *batch) changeTerms(ctx context.Context, room *room, before, after *chat.Message) error {
	if before.Text == after.Text {
		return nil
	}
	if _, err := b.tx.StmtContext(ctx, b.sql.deleteTerms).ExecContext(ctx, room.number, after.Seq); err != nil {
		return fmt.Errorf("take message out of the index: %w", err)
	}
	return b.addTerms(ctx, room, after)
}

// beginIndex begins the index anew where it is of another version.
func (s *Store) beginIndex(ctx context.Context) error {
	write := s.db.Write
	if s.texts.Keys() != nil { // what is edited may have been stored before there was a key
		write = s.db.WriteOver
	}
	err := write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var version int
		var keyID, sealed string
		err := tx.QueryRowContext(ctx, `SELECT version, key_id, key FROM message_index`).Scan(&version, &keyID, &sealed)
		if err != nil {
			return err
		}
		kept := s.texts.IndexKey(keyID, sealed)
		s.key, s.cannotSearch = kept.Key, kept.IsMissing
		if kept.IsMissing { // what is said meanwhile is found once the index is made anew
			_, err := tx.ExecContext(ctx, `UPDATE message_index SET version = 0`)
			return err
		}
		if keyID != kept.KeyID || sealed != kept.Sealed {
			if _, err := tx.ExecContext(ctx, `UPDATE message_index SET key_id = ?, key = ?`, kept.KeyID, kept.Sealed); err != nil {
				return err
			}
		}
		if version == words.Version && !kept.IsNew {
			return nil
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO message_terms (message_terms) VALUES ('delete-all')`); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE message_index SET version = ?,
			below = (SELECT coalesce(max(number), 0) + 1 FROM messages)`, words.Version)
		return err
	})
	if err != nil {
		return fmt.Errorf("begin the index of messages: %w", err)
	}
	return nil
}

// Index implements search.Store.
func (s *Store) Index(ctx context.Context) (more bool, err error) {
	below, err := sqlite.ReadOne(ctx, s.db, s.sql.selectIndexed, sqlite.ScanOne[int64])
	if err != nil || below <= 0 || s.cannotSearch {
		return false, err
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.StmtContext(ctx, s.sql.selectUnindexed).QueryContext(ctx, below, indexChunk)
		found, err := sqlite.Collect(rows, err, s.scanUnindexed)
		if err != nil {
			return err
		}
		insert := tx.StmtContext(ctx, s.sql.insertDocument)
		for i := range found {
			if document := s.document(found[i].room, &found[i].message); document != "" {
				if _, err := insert.ExecContext(ctx, found[i].number, document); err != nil {
					return err
				}
			}
		}
		next := int64(0)
		if more = len(found) == indexChunk; more {
			next = found[len(found)-1].number
		}
		_, err = tx.StmtContext(ctx, s.sql.updateIndexed).ExecContext(ctx, next)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("index messages: %w", err)
	}
	return more, nil
}

// numbered is a message with the numbers by which the store knows it and its room.
type numbered struct {
	number, room int64
	message      chat.Message
}

func (s *Store) scanUnindexed(row sqlite.Scanner) (n numbered, err error) {
	var id string
	if n.message, err = s.scanMessage(row, &n.number, &n.room, &id); err == nil {
		n.message.Room, err = roles.ParseChatRoom(id)
	}
	return n, err
}

// termWrites are the statements of writes to the index, termReads those of reads.
func (s *statements) termWrites() sqlite.Statements {
	return sqlite.Statements{
		&s.insertTerms: `INSERT INTO message_terms (rowid, terms) SELECT number, ?3 FROM messages WHERE room = ?1 AND seq = ?2`,
		&s.deleteTerms: `DELETE FROM message_terms WHERE rowid = (SELECT number FROM messages WHERE room = ?1 AND seq = ?2)`,
		&s.selectUnindexed: `SELECT m.number, m.room, r.room_id, ` + messageColumns + `
			FROM messages m CROSS JOIN rooms r ON r.number = m.room WHERE m.number < ?1 ORDER BY m.number DESC LIMIT ?2`,
		&s.insertDocument: `INSERT OR REPLACE INTO message_terms (rowid, terms) VALUES (?, ?)`,
		&s.updateIndexed:  `UPDATE message_index SET below = ?`,
	}
}
