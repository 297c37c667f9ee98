// Package chatstore keeps rooms, messages and read marks in a SQLite file.
package chatstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"

	"rolecall/internal/atrest"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/store/sqlite"
	"rolecall/internal/store/sqlite/auditlog"
	"rolecall/internal/words"
)

var (
	_ chat.Store   = (*Store)(nil)
	_ groups.Store = (*Store)(nil)

	_ conversations.Store = (*Store)(nil)
	_ search.Store        = (*Store)(nil)
)

// Store implements the stores of chat and of its groups.
type Store struct {
	db      *sqlite.DB
	log     *auditlog.Log
	sql     statements
	rights  rightsStatements
	writers writers
	key     words.Key
	texts   *atrest.Messages
	// cannotSearch: the key of the index of messages is missing.
	cannotSearch bool
}

// New returns the store of an open file. What admins do to messages is written to the log.
func New(ctx context.Context, db *sqlite.DB, log *auditlog.Log) (*Store, error) {
	return NewEncrypted(ctx, db, log, atrest.NewMessages(nil, nil))
}

// NewEncrypted is New where texts are encrypted, or were.
func NewEncrypted(ctx context.Context, db *sqlite.DB, log *auditlog.Log, texts *atrest.Messages) (*Store, error) {
	s := &Store{db: db, log: log, texts: texts}
	writes, reads := s.sql.writes(), s.sql.reads()
	maps.Copy(writes, s.sql.groupWrites())
	maps.Copy(writes, s.sql.termWrites())
	maps.Copy(writes, s.rights.writes())
	maps.Copy(reads, s.sql.termReads())
	maps.Copy(reads, s.rights.reads())
	if err := db.Prepare(ctx, writes, reads); err != nil {
		return nil, fmt.Errorf("chat store: %w", err)
	}
	if err := s.beginIndex(ctx); err != nil {
		return nil, fmt.Errorf("chat store: %w", err)
	}
	if err := s.readWriters(ctx); err != nil {
		return nil, fmt.Errorf("chat store: %w", err)
	}
	return s, nil
}

// statements holds what is prepared once.
type statements struct {
	// Writes, and the reads that belong to a write.
	selectRoom, insertRoom, insertMembers, updateRoom, upsertRoomRead *sql.Stmt
	insertMessage, selectSent, deleteMessages                         *sql.Stmt
	selectTarget, updateMessage, insertChange, deleteSuperseded       *sql.Stmt
	selectReacted, insertReaction, deleteReaction, deleteReactions    *sql.Stmt
	countAttachable, attach, detach                                   *sql.Stmt

	deleteMembers, updateWrote, insertRemovals, updateDirectActive, insertTakesPart, updateMuted *sql.Stmt
	insertMentions, deleteMentions, insertMentioned                                              *sql.Stmt
	insertLater, insertEntry, updateGroup                                                        *sql.Stmt

	insertTerms, deleteTerms, selectUnindexed, insertDocument, updateIndexed *sql.Stmt
	selectBlocking, selectClosed, updateClosed                               *sql.Stmt

	// Reads.
	selectWriters, selectDirectAmong, selectGroupPeers, selectFull, countMade, selectMadeAs *sql.Stmt
	selectGroup, selectEntries, selectPeers, selectHead, countUnread                        *sql.Stmt
	selectLatest, selectOldest, selectSeq, selectReaders                                    *sql.Stmt
	selectHeads, selectBefore, selectSince, selectChanged, selectRemovals                   *sql.Stmt
	selectChanges, selectReactions, selectChangedMessages, selectFirst, selectStandings     *sql.Stmt
	selectQuotes, countChanged                                                              *sql.Stmt
	selectConversations, selectConversationsIn, selectRisen, selectLastMessages             *sql.Stmt
	selectReadersIn                                                                         *sql.Stmt
	selectIndexed, selectFound, selectRoomNumber, selectGroups, selectTheirs                *sql.Stmt
	selectPlace, selectNumberBefore, selectNumberFrom, selectOpen, countFew                 *sql.Stmt
}

// messageColumns are those of a message as it is, saidColumns those with the revision by which it was said.
const (
	messageColumns = `max(m.revision, m.changed)` + besideRevision
	saidColumns    = `m.revision` + besideRevision
	besideRevision = `, m.message_id, m.seq, m.user_id, m.username, m.role, m.text, m.reply_to, m.timestamp,
		coalesce(m.client_id, ''), m.edited_at, m.deleted_at, m.deleted_by, m.alone, m.system, m.mentions, m.attachments` + keptBeside
	// keptBeside is what it takes, beside the text, to read it.
	keptBeside = `, m.key_id, m.said, iif(m.key_id = '', '', (SELECT said_in.room_id FROM rooms said_in WHERE said_in.number = m.room))`
	// shown is of a message m that somebody (?6) may be shown it.
	shown = `(m.alone <> 1 OR m.user_id = ?6)`
)

const (
	// mark is how far a reader (?2) has read a room r, or what came before they took part.
	mark = `max(
		coalesce((SELECT read.seq FROM room_reads read WHERE read.room = r.number AND read.user_id = ?2), 0),
		coalesce((SELECT me.counted_from FROM room_members me WHERE me.room = r.number AND me.user_id = ?2), 0))`
	// lost is the last message that a room r is without.
	lost = `coalesce((SELECT min(m.seq) FROM messages m WHERE m.room = r.number), r.last_seq + 1) - 1`
	// beyond counts the messages of others beyond upto, where the room of a place has lost none any more, without looking at
	// them: the reader's own (?2) among them are numbered one after the other, and so are entries of the log, which have no author.
	beyond = `last_seq - upto - ` + ownBeyond + `?2` + endOfOwn + `?2` + endOfBeyond +
		` - ` + ownBeyond + `''` + endOfOwn + `''` + endOfBeyond + ` - ` + hidden
	ownBeyond = `coalesce(
		(SELECT own.author_nth FROM messages own WHERE own.room = place.room AND own.user_id = `
	endOfOwn = ` ORDER BY own.seq DESC LIMIT 1) + 1 -
		(SELECT own.author_nth FROM messages own WHERE own.room = place.room AND own.user_id = `
	endOfBeyond = ` AND own.seq > upto ORDER BY own.seq LIMIT 1), 0)`
	// hidden counts those that the reader is not shown, of which there are few.
	hidden = `(SELECT count(*) FROM messages other
		WHERE other.room = place.room AND other.alone = 1 AND other.user_id <> ?2 AND other.seq > upto)`

	// mentioning counts the messages beyond upto that mention the reader (?2).
	mentioning = `(SELECT count(*) FROM message_mentions x WHERE x.user_id = ?2 AND x.room = place.room AND x.seq > upto)`

	selectUnread = `WITH place AS (SELECT r.number AS room, r.last_seq, max(` + mark + `, ` + lost + `) AS upto
			FROM rooms r WHERE r.room_id = ?1 AND r.members_since = ?3)
		SELECT ` + beyond + `, ` + mentioning + ` FROM place`
)

func (s *statements) writes() sqlite.Statements {
	return sqlite.Statements{
		&s.selectRoom: `SELECT number, last_seq, revision, members_since, active_at, closed_at > 0, coalesce(
				(SELECT m.timestamp FROM messages m WHERE m.room = rooms.number ORDER BY m.seq DESC LIMIT 1), 0)
			FROM rooms WHERE room_id = ?`,
		&s.insertRoom: `INSERT INTO rooms
			(room_id, kind, name, created_by, created_at, active_at, owner, history, client_id, made_as)
			VALUES (?1, ?2, ?3, ?4, ?5, ?5, CASE ?2 WHEN 'group' THEN ?4 ELSE '' END, ?6, ?7, ?8)
			ON CONFLICT (created_by, client_id) WHERE client_id IS NOT NULL DO NOTHING RETURNING number`,
		&s.insertMembers: `INSERT INTO room_members (room, user_id, kind) SELECT ?, value, ? FROM json_each(?) WHERE true
			ON CONFLICT DO NOTHING`,
		&s.updateWrote: `UPDATE room_members SET wrote = 1 WHERE room = ? AND user_id = ? AND wrote = 0`,
		&s.updateRoom: `UPDATE rooms SET last_seq = ?1, revision = ?2, members_since = ?4, active_at = ?5
			WHERE number = ?3 AND revision <> ?2`,
		&s.updateDirectActive: `UPDATE room_members SET active_at = ?1 WHERE room = ?2 AND active_at < ?1 AND (?3 = '' OR user_id = ?3)`,
		&s.selectClosed:       `SELECT closed_at FROM rooms WHERE room_id = ?`,
		&s.updateClosed:       `UPDATE rooms SET closed_at = ? WHERE room_id = ?`,
		&s.selectBlocking: `SELECT coalesce(max(user_id = ?1), 0), coalesce(max(user_id = ?2), 0) FROM blocks
			WHERE user_id = ?1 AND blocked_id = ?2 OR user_id = ?2 AND blocked_id = ?1`,
		&s.insertTakesPart: `INSERT INTO room_members (room, user_id, kind, wrote, counted_from) VALUES (?, ?, 'open', 1, ? - 1)
			ON CONFLICT DO NOTHING`,
		&s.updateMuted: `UPDATE room_members SET muted = ?1
			WHERE room = (SELECT number FROM rooms WHERE room_id = ?2) AND user_id = ?3 AND (kind <> 'direct' OR active_at > 0)`,
		&s.upsertRoomRead: `INSERT INTO room_reads (room, user_id, seq)
			SELECT number, ?1, min(?2, last_seq) FROM rooms WHERE room_id = ?3 AND min(?2, last_seq) > 0 AND members_since = ?4
			ON CONFLICT (room, user_id) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > room_reads.seq`,
		&s.insertMessage: `INSERT INTO messages
			(message_id, room, seq, revision, user_id, username, role, text, reply_to, timestamp, client_id, mentions, attachments, key_id, alone, author_nth)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 1 + coalesce(
				(SELECT author_nth FROM messages WHERE room = ?2 AND user_id = ?5 ORDER BY seq DESC LIMIT 1), 0))
			ON CONFLICT (user_id, client_id) WHERE client_id IS NOT NULL DO NOTHING`,
		&s.selectSent: `SELECT r.room_id, ` + messageColumns + ` FROM messages m JOIN rooms r ON r.number = m.room
			WHERE m.user_id = ? AND m.client_id = ?`,
		&s.selectTarget: `SELECT ` + messageColumns + ` FROM messages m WHERE m.room = ? AND m.message_id = ?`,
		&s.updateMessage: `UPDATE messages SET changed = ?3, text = ?4, edited_at = ?5, deleted_at = ?6, deleted_by = ?7,
				said = ?8, mentions = ?9, attachments = ?10, key_id = ?11, alone = ?12
			WHERE room = ?1 AND seq = ?2`,
		&s.countAttachable: `SELECT count(*) FROM json_each(?2) asked
			CROSS JOIN attachments a ON a.attachment_id = asked.value WHERE a.user_id = ?1 AND a.spent = 0`,
		&s.attach: `UPDATE attachments SET spent = 1, room = ?1, seq = ?2 WHERE attachment_id IN (SELECT value FROM json_each(?3))`,
		&s.detach: `UPDATE attachments SET room = NULL, seq = NULL WHERE room = ? AND seq = ?`,
		&s.insertChange: `INSERT INTO message_changes (room, revision, seq, kind, user_id, username, changed_at, emoji, alone)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		&s.deleteSuperseded: `DELETE FROM message_changes
			WHERE room = ? AND seq = ? AND user_id = ? AND emoji = ? AND changed_at < ?`,
		&s.selectReacted: `SELECT emoji, count(*), max(user_id = ?3) FROM message_reactions WHERE room = ?1 AND seq = ?2
				AND (alone = 0 OR user_id = ?3)
			GROUP BY emoji ORDER BY min(revision)`,
		&s.insertReaction:  `INSERT INTO message_reactions (room, seq, emoji, user_id, revision, alone) VALUES (?, ?, ?, ?, ?, ?)`,
		&s.deleteReaction:  `DELETE FROM message_reactions WHERE room = ? AND seq = ? AND emoji = ? AND user_id = ?`,
		&s.deleteReactions: `DELETE FROM message_reactions WHERE room = ? AND seq = ?`,
		&s.deleteMessages: `DELETE FROM messages WHERE number IN (
			SELECT number FROM messages WHERE timestamp < ? ORDER BY timestamp, number LIMIT ?)`,
	}
}

func (s *statements) reads() sqlite.Statements {
	all := s.pastReads()
	maps.Copy(all, sqlite.Statements{
		&s.selectGroup: `SELECT m.user_id, m.joined, m.sees_after, r.members_since, r.name, r.owner, r.history
			FROM rooms r JOIN room_members m ON m.room = r.number WHERE r.room_id = ? AND r.kind <> 'open' ORDER BY m.user_id`,
		&s.selectMadeAs: `SELECT room_id, made_as FROM rooms WHERE created_by = ? AND client_id = ?`,
		&s.selectEntries: `SELECT ` + saidColumns + ` FROM rooms r JOIN messages m ON m.room = r.number
			WHERE r.room_id = ?1 AND m.user_id = '' AND m.seq > ?2 - (r.revision - r.last_seq) AND m.revision > ?2 ORDER BY m.seq`,
		&s.selectPeers: `SELECT asked.value, (SELECT json_group_array(user_id) FROM (
				SELECT DISTINCT peer.user_id FROM room_members me
				CROSS JOIN room_members peer ON peer.room = me.room AND peer.wrote = 1 AND peer.user_id <> me.user_id
				WHERE me.user_id = asked.value AND me.kind IN ('direct', 'group') AND me.wrote = 1
				ORDER BY peer.user_id LIMIT ?2))
			FROM json_each(?1) asked`,
		&s.selectWriters: `SELECT DISTINCT user_id FROM room_members WHERE user_id > ? AND wrote = 1 AND kind <> 'open' ORDER BY user_id LIMIT ?`,
		&s.selectDirectAmong: `SELECT peer.user_id FROM json_each(?2) asked
			CROSS JOIN rooms r ON r.room_id = asked.value
			CROSS JOIN room_members me ON me.room = r.number AND me.user_id = ?1 AND me.wrote = 1
			CROSS JOIN room_members peer ON peer.room = r.number AND peer.wrote = 1 AND peer.user_id <> ?1`,
		&s.selectGroupPeers: `SELECT peer.user_id FROM room_members me
			CROSS JOIN room_members peer ON peer.room = me.room AND peer.wrote = 1 AND peer.user_id <> me.user_id
			WHERE me.user_id = ? AND me.kind = 'group' AND me.wrote = 1 LIMIT ?`,
		&s.selectFull: `SELECT asked.value FROM json_each(?1) asked WHERE ?2 <= (SELECT count(*) FROM (
			SELECT 1 FROM room_members m WHERE m.user_id = asked.value AND m.kind = 'group' LIMIT ?2))`,
		&s.countMade:   `SELECT count(*) FROM rooms WHERE created_by = ? AND kind = 'group' AND created_at > ?`,
		&s.selectHead:  `SELECT revision, last_seq, members_since, closed_at FROM rooms WHERE room_id = ?`,
		&s.countUnread: selectUnread,
		&s.selectLatest: `SELECT ` + messageColumns + ` FROM rooms r JOIN messages m ON m.room = r.number
			WHERE r.room_id = ?1 AND r.members_since = ?2 AND m.seq > ?3 AND m.seq < ?4 AND ` + shown + ` ORDER BY m.seq DESC LIMIT ?5`,
		&s.selectOldest: `SELECT ` + messageColumns + ` FROM rooms r JOIN messages m ON m.room = r.number
			WHERE r.room_id = ?1 AND r.members_since = ?2 AND m.seq > ?3 AND m.seq < ?4 AND ` + shown + ` ORDER BY m.seq LIMIT ?5`,
		&s.selectSeq: `SELECT m.seq FROM messages m JOIN rooms r ON r.number = m.room
			WHERE r.room_id = ? AND m.message_id = ?`,
		&s.selectReaders: `SELECT read.user_id, read.seq, coalesce(
				(SELECT me.sees_after FROM room_members me WHERE me.room = r.number AND me.user_id = read.user_id), 0)
			FROM rooms r JOIN room_reads read ON read.room = r.number
			WHERE r.room_id = ? AND read.seq >= ? ORDER BY read.seq DESC, read.user_id DESC LIMIT ?`,
		&s.selectConversations:   selectConversations,
		&s.selectConversationsIn: selectConversationsIn,
		&s.selectRisen:           selectRisen,
		&s.selectLastMessages: `SELECT r.room_id, ` + messageColumns + ` FROM json_each(?) asked
			CROSS JOIN rooms r ON r.room_id = asked.value ->> 'room'
			CROSS JOIN messages m ON m.room = r.number AND m.seq = asked.value ->> 'seq'`,
		&s.selectReadersIn: `SELECT r.room_id, (SELECT json_group_array(json_object('UserID', user_id, 'Seq', seq)) FROM (
				SELECT read.user_id, read.seq FROM room_reads read WHERE read.room = r.number AND read.seq >= asked.value ->> 'seq'
				ORDER BY read.seq DESC, read.user_id DESC LIMIT ?2))
			FROM json_each(?1) asked CROSS JOIN rooms r ON r.room_id = asked.value ->> 'room'`,
	})
	return all
}
