package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// statements holds what is prepared once. Those ending in Beside exist a second time, on the reading connections.
type statements struct {
	// Writes, and the reads that belong to a write.
	selectDriversByID, upsertDriver, insertPosition, insertPositions, deletePositions  *sql.Stmt
	selectRoom, insertRoom, insertMembers, updateLastSeq, upsertRoomRead               *sql.Stmt
	insertMessage, selectSent, selectReaders, deleteMessages                           *sql.Stmt
	insertNotice, insertNoticeRooms, selectNotice, retractNotice                       *sql.Stmt
	selectKey, upsertKey, deleteKeys                                                   *sql.Stmt
	selectNoticeRead, upsertNoticeRead, selectAddressed, selectFirstUnread, countInbox *sql.Stmt
	upsertUser                                                                         *sql.Stmt

	// Reads.
	selectPing, selectDrivers, selectTrack                              *sql.Stmt
	selectMembers, selectLastSeq, countUnread, selectPeers              *sql.Stmt
	selectLatest, selectOldest, selectMessage, selectReadersBeside      *sql.Stmt
	selectNotices, selectNoticeByID, selectNoticeRooms, selectNoticeSeq *sql.Stmt
	selectInbox, countInboxBeside                                       *sql.Stmt
	selectUsers                                                         [1 << userFilters]*sql.Stmt
}

// statement is one to prepare, and where to put it.
type statement struct {
	into **sql.Stmt
	text string
}

// prepare fails where a statement does not fit the schema.
func (s *statements) prepare(ctx context.Context, writer, readers *sql.DB) error {
	for _, group := range []struct {
		db         *sql.DB
		statements []statement
	}{
		{writer, s.positionWrites()},
		{writer, s.chatWrites()},
		{writer, s.noticeWrites()},
		{readers, s.reads()},
		{readers, s.noticeReads()},
		{readers, s.userReads()},
	} {
		for _, each := range group.statements {
			prepared, err := group.db.PrepareContext(ctx, each.text)
			if err != nil {
				return fmt.Errorf("prepare %q: %w", each.text, err)
			}
			*each.into = prepared
		}
	}
	return nil
}

func (s *statements) positionWrites() []statement {
	return []statement{
		{&s.upsertUser, `INSERT INTO users (user_id, username, folded_name, role, company_id, last_seen)
			VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (user_id) DO UPDATE SET username = excluded.username, folded_name = excluded.folded_name,
				role = excluded.role, company_id = excluded.company_id, last_seen = excluded.last_seen`},
		{&s.selectDriversByID, `SELECT d.number, d.driver_id, d.company_id, d.username
			FROM json_each(?) wanted CROSS JOIN drivers d ON d.driver_id = wanted.value`},
		{&s.upsertDriver, `INSERT INTO drivers (driver_id, company_id, username) VALUES (?, ?, ?)
			ON CONFLICT (driver_id) DO UPDATE SET company_id = excluded.company_id, username = excluded.username
			RETURNING number`},
		{&s.insertPosition, insertPositionsSQL(1)},
		{&s.insertPositions, insertPositionsSQL(positionsPerInsert)},
		// CROSS JOIN keeps the order: a seek for each driver, and no index on ts alone to keep up.
		{&s.deletePositions, `DELETE FROM positions WHERE number IN (
			SELECT p.number FROM drivers d CROSS JOIN positions p ON p.driver = d.number AND p.ts < ? LIMIT ?)`},
	}
}

const messageColumns = `m.message_id, r.room_id, m.seq, m.user_id, m.username, m.role, m.text, m.reply_to, m.timestamp`

const selectReaders = `SELECT read.user_id, read.seq FROM rooms r JOIN room_reads read ON read.room = r.number
	WHERE r.room_id = ? AND read.seq >= ? ORDER BY read.user_id`

func (s *statements) chatWrites() []statement {
	return []statement{
		{&s.selectRoom, `SELECT number, last_seq FROM rooms WHERE room_id = ?`},
		{&s.insertRoom, `INSERT INTO rooms (room_id, kind, name, created_by, created_at) VALUES (?, ?, ?, ?, ?)
			RETURNING number`},
		{&s.insertMembers, `INSERT INTO room_members (room, user_id) SELECT ?, value FROM json_each(?) WHERE true
			ON CONFLICT DO NOTHING`},
		{&s.updateLastSeq, `UPDATE rooms SET last_seq = ?1 WHERE number = ?2 AND last_seq <> ?1`},
		{&s.upsertRoomRead, `INSERT INTO room_reads (room, user_id, seq)
			SELECT number, ?1, min(?2, last_seq) FROM rooms WHERE room_id = ?3 AND min(?2, last_seq) > 0
			ON CONFLICT (room, user_id) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > room_reads.seq`},
		{&s.insertMessage, `INSERT INTO messages
			(message_id, room, seq, user_id, username, role, text, reply_to, timestamp, client_id)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (room, user_id, client_id) WHERE client_id IS NOT NULL DO NOTHING`},
		{&s.selectSent, `SELECT ` + messageColumns + ` FROM messages m JOIN rooms r ON r.number = m.room
			WHERE m.room = ? AND m.user_id = ? AND m.client_id = ?`},
		{&s.selectReaders, selectReaders},
		{&s.deleteMessages, `DELETE FROM messages WHERE number IN (
			SELECT number FROM messages WHERE timestamp < ? ORDER BY timestamp LIMIT ?)`},
	}
}

func (s *statements) reads() []statement {
	const positionColumns = `p.company_id, p.ts, p.lat, p.lng, p.heading, p.speed, p.accuracy, p.altitude, p.battery, p.seq`
	return []statement{
		{&s.selectPing, `SELECT max(id) FROM goose_db_version`},
		{&s.selectDrivers, `SELECT d.driver_id, d.company_id, d.username, ` + positionColumns + `
			FROM drivers d LEFT JOIN positions p ON p.number = (
				SELECT number FROM positions WHERE driver = d.number ORDER BY ts DESC, number DESC LIMIT 1)
			ORDER BY d.driver_id`},
		{&s.selectTrack, `SELECT p.number, ` + positionColumns + `
			FROM drivers d CROSS JOIN positions p ON p.driver = d.number
			WHERE d.driver_id = ?1 AND p.ts >= ?2 AND p.ts <= ?3 AND (?4 = '' OR p.company_id = ?4)
				AND (p.ts > ?5 OR p.number > ?6)
			ORDER BY p.ts, p.number LIMIT ?7`},
		{&s.selectMembers, `SELECT m.user_id FROM rooms r JOIN room_members m ON m.room = r.number
			WHERE r.room_id = ? ORDER BY m.user_id`},
		{&s.selectLastSeq, `SELECT last_seq FROM rooms WHERE room_id = ?`},
		{&s.countUnread, `SELECT count(*) FROM rooms r JOIN messages m ON m.room = r.number
			WHERE r.room_id = ?1 AND m.user_id <> ?2 AND m.seq > coalesce(
				(SELECT read.seq FROM room_reads read WHERE read.room = r.number AND read.user_id = ?2), 0)`},
		{&s.selectPeers, `SELECT DISTINCT peer.user_id FROM room_members me
			JOIN room_members peer ON peer.room = me.room AND peer.user_id <> me.user_id
			WHERE me.user_id = ? ORDER BY peer.user_id LIMIT ?`},
		{&s.selectLatest, `SELECT ` + messageColumns + ` FROM rooms r JOIN messages m ON m.room = r.number
			WHERE r.room_id = ? AND m.seq > ? AND m.seq < ? ORDER BY m.seq DESC LIMIT ?`},
		{&s.selectOldest, `SELECT ` + messageColumns + ` FROM rooms r JOIN messages m ON m.room = r.number
			WHERE r.room_id = ? AND m.seq > ? AND m.seq < ? ORDER BY m.seq LIMIT ?`},
		{&s.selectMessage, `SELECT ` + messageColumns + ` FROM messages m JOIN rooms r ON r.number = m.room
			WHERE r.room_id = ? AND m.message_id = ?`},
		{&s.selectReadersBeside, selectReaders},
	}
}
