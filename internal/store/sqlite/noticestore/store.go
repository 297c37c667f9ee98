// Package noticestore keeps notices, and who has read them, in a SQLite file.
package noticestore

import (
	"context"
	"database/sql"
	"fmt"

	"rolecall/internal/services/notices"
	"rolecall/internal/store/sqlite"
	"rolecall/internal/store/sqlite/auditlog"
)

var _ notices.Store = (*Store)(nil)

// Store implements notices.Store.
type Store struct {
	db  *sqlite.DB
	log *auditlog.Log
	sql statements
}

// New returns the store of an open file.
func New(ctx context.Context, db *sqlite.DB, log *auditlog.Log) (*Store, error) {
	s := &Store{db: db, log: log}
	if err := db.Prepare(ctx, s.sql.writes(), s.sql.reads()); err != nil {
		return nil, fmt.Errorf("notice store: %w", err)
	}
	return s, nil
}

// statements holds what is prepared once. Those ending in Beside exist a second time, on the reading connections.
type statements struct {
	// Writes, and the reads that belong to a write.
	insertNotice, insertNoticeRooms, retractNotice, endNotice, updateLastSeq *sql.Stmt
	selectEnding, selectNoticeRooms, selectReplayed, upsertKey, deleteKeys   *sql.Stmt
	selectNoticeRead, upsertNoticeRead, insertNoticeRead                     *sql.Stmt
	selectAddressed, selectFirstUnread                                       *sql.Stmt

	// Reads.
	selectLastSeq, selectLiveRooms, selectDue, selectNextExpiry           *sql.Stmt
	selectNotices, selectNoticeByID, selectNoticeSeq                      *sql.Stmt
	selectReplayedBeside, selectNoticeReadBeside, selectInbox, countInbox *sql.Stmt
	selectReceived, selectChanges, selectRoomsAsOf                        *sql.Stmt
}

const noticeColumns = `n.seq, n.notice_id, n.title, n.body, n.severity, n.audience, n.data, n.created_at, n.expires_at,
	n.require_ack, n.from_user_id, n.from_username`

// lastSeq is the number of the newest change, a notice stored or retracted: SQLite keeps it for the column notices.seq,
// and a retraction moves it as well. https://www.sqlite.org/autoinc.html
const lastSeq = `coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'notices'), 0)`

const selectReplayed = `SELECT ` + noticeColumns + `, k.digest
	FROM idempotency_keys k CROSS JOIN notices n ON n.seq = k.notice
	WHERE k.user_id = ? AND k.key = ? AND k.created_at >= ?`

const selectNoticeRead = `SELECT up_to, ahead FROM notice_reads WHERE user_id = ?`

func (s *statements) writes() sqlite.Statements {
	return sqlite.Statements{
		&s.insertNotice: `INSERT INTO notices (notice_id, title, body, severity, audience, data, created_at,
				expires_at, require_ack, from_user_id, from_username)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq`,
		&s.insertNoticeRooms: `INSERT INTO notice_rooms (notice, room) SELECT ?, value FROM json_each(?) WHERE true
			ON CONFLICT DO NOTHING`,
		&s.selectEnding:  `SELECT seq, ended_seq IS NOT NULL FROM notices WHERE notice_id = ? AND retracted_at IS NULL`,
		&s.retractNotice: `UPDATE notices SET retracted_at = ? WHERE seq = ?`,
		&s.endNotice:     `UPDATE notices SET ended_seq = ` + lastSeq + ` + 1 WHERE seq = ? RETURNING ended_seq`,
		&s.updateLastSeq: `UPDATE sqlite_sequence SET seq = ? WHERE name = 'notices'`,
		// The rooms of a notice, and what is the newest one in each that has not ended.
		&s.selectNoticeRooms: `SELECT a.room, coalesce((
				SELECT b.notice FROM notice_rooms b CROSS JOIN notices n ON n.seq = b.notice
				WHERE b.room = a.room AND n.ended_seq IS NULL ORDER BY b.notice DESC LIMIT 1), 0)
			FROM notice_rooms a WHERE a.notice = ? ORDER BY a.room`,
		&s.selectReplayed: selectReplayed,
		&s.upsertKey: `INSERT INTO idempotency_keys (user_id, key, digest, notice, created_at)
			VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (user_id, key) DO UPDATE SET digest = excluded.digest, notice = excluded.notice,
				created_at = excluded.created_at`,
		&s.deleteKeys: `DELETE FROM idempotency_keys WHERE (user_id, key) IN (
			SELECT user_id, key FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT 100)`,
		&s.selectNoticeRead: selectNoticeRead,
		&s.upsertNoticeRead: `INSERT INTO notice_reads (user_id, up_to, ahead) VALUES (?, ?, ?)
			ON CONFLICT (user_id) DO UPDATE SET up_to = excluded.up_to, ahead = excluded.ahead`,
		&s.insertNoticeRead: `INSERT INTO notice_reads (user_id, up_to, ahead) VALUES (?, coalesce((
				SELECT seq FROM notices WHERE created_at < ? ORDER BY created_at DESC, seq DESC LIMIT 1), 0), '[]')
			ON CONFLICT (user_id) DO NOTHING`,
		&s.selectAddressed: `SELECT DISTINCT n.seq
			FROM json_each(?1) wanted CROSS JOIN notices n ON n.notice_id = wanted.value
			WHERE n.retracted_at IS NULL AND EXISTS (
				SELECT 1 FROM json_each(?2) standing CROSS JOIN notice_rooms a
				ON a.room = standing.value AND a.notice = n.seq)
			ORDER BY n.seq`,
		// The oldest in each room, and of these the oldest: however many follow, they are not looked at.
		&s.selectFirstUnread: `SELECT coalesce(min((
				SELECT a.notice FROM notice_rooms a CROSS JOIN notices n ON n.seq = a.notice
				WHERE a.room = standing.value AND a.notice > ?2 AND n.ended_seq IS NULL
					AND a.notice NOT IN (SELECT value FROM json_each(?3))
				ORDER BY a.notice LIMIT 1)), 0)
			FROM json_each(?1) standing`,
	}
}

// unread selects the notices of an inbox, each once: addressed to one of the rooms ?1 (a JSON array), beyond the read mark
// of the user ?2, not among those read ahead of it, there as of the change ?3 and not expired at ?4. CROSS JOIN makes it
// start from the rooms.
const unread = `SELECT DISTINCT a.notice AS seq
	FROM json_each(?1) standing CROSS JOIN notice_rooms a ON a.room = standing.value
		AND a.notice > coalesce((SELECT up_to FROM notice_reads WHERE user_id = ?2), 0)
	CROSS JOIN notices n ON n.seq = a.notice
	WHERE a.notice <= ?3 AND (n.ended_seq IS NULL OR n.ended_seq > ?3) AND (n.expires_at = 0 OR n.expires_at > ?4)
		AND a.notice NOT IN (SELECT value FROM json_each((SELECT ahead FROM notice_reads WHERE user_id = ?2)))`

// selectReceived selects the notices of a history, newest first: addressed to one of the rooms ?1 (a JSON array), older
// than ?2, neither ended nor expired at ?3, of those read up to ?4 or listed in ?5 (a JSON array) or not, as ?6 and ?7 tell. From each room come no more than ?8, so that a long past costs nothing.
const selectReceived = `WITH found AS MATERIALIZED (
		SELECT DISTINCT a.notice AS seq FROM json_each(?1) standing CROSS JOIN notice_rooms a
		ON a.room = standing.value AND a.notice IN (
			SELECT b.notice FROM notice_rooms b CROSS JOIN notices n ON n.seq = b.notice
			WHERE b.room = standing.value AND b.notice < ?2 AND n.ended_seq IS NULL
				AND (n.expires_at = 0 OR n.expires_at > ?3)
				AND CASE WHEN b.notice <= ?4 OR b.notice IN (SELECT value FROM json_each(?5)) THEN ?6 ELSE ?7 END
			ORDER BY b.notice DESC LIMIT ?8))
	SELECT ` + noticeColumns + `, n.seq <= ?4 OR n.seq IN (SELECT value FROM json_each(?5)) FROM notices n
	WHERE n.seq IN (SELECT seq FROM found ORDER BY seq DESC LIMIT ?8) ORDER BY n.seq DESC`

func (s *statements) reads() sqlite.Statements {
	return sqlite.Statements{
		&s.selectNotices: `SELECT ` + noticeColumns + ` FROM notices n
			WHERE n.retracted_at IS NULL AND n.seq < ? ORDER BY n.seq DESC LIMIT ?`,
		&s.selectNoticeByID: `SELECT ` + noticeColumns + ` FROM notices n
			WHERE n.notice_id = ? AND n.retracted_at IS NULL`,
		&s.selectLastSeq: `SELECT ` + lastSeq,
		&s.selectLiveRooms: `SELECT a.room, max(a.notice) FROM notices n CROSS JOIN notice_rooms a ON a.notice = n.seq
			WHERE n.ended_seq IS NULL GROUP BY a.room`,
		&s.selectDue: `SELECT notice_id FROM notices
			WHERE expires_at > 0 AND expires_at <= ? AND ended_seq IS NULL ORDER BY expires_at LIMIT ?`,
		&s.selectNextExpiry: `SELECT coalesce(min(expires_at), 0) FROM notices
			WHERE expires_at > ?1 AND expires_at > 0 AND ended_seq IS NULL`,
		&s.selectNoticeSeq:        `SELECT seq FROM notices WHERE notice_id = ?`,
		&s.selectReplayedBeside:   selectReplayed,
		&s.selectNoticeReadBeside: selectNoticeRead,
		&s.selectInbox: `WITH unread AS MATERIALIZED (` + unread + `)
			SELECT ` + noticeColumns + `, (SELECT count(*) FROM unread) FROM notices n
			WHERE n.seq IN (SELECT seq FROM unread WHERE seq > ?5 ORDER BY seq LIMIT ?6) ORDER BY n.seq`,
		&s.countInbox:     `SELECT count(*) FROM (` + unread + `)`,
		&s.selectReceived: selectReceived,
		&s.selectChanges: `SELECT * FROM (SELECT ` + noticeColumns + `, n.seq AS change, 0 AS ended FROM notices n
				WHERE n.seq > ?1 ORDER BY n.seq LIMIT ?2)
			UNION ALL SELECT * FROM (SELECT ` + noticeColumns + `, n.ended_seq, 1 FROM notices n
				WHERE n.ended_seq > ?1 ORDER BY n.ended_seq LIMIT ?2)
			ORDER BY change LIMIT ?2`,
		// The rooms of a notice, and what is the newest one in each that was there after the change ?2.
		&s.selectRoomsAsOf: `SELECT a.room, coalesce((
				SELECT b.notice FROM notice_rooms b CROSS JOIN notices n ON n.seq = b.notice
				WHERE b.room = a.room AND b.notice <= ?2 AND (n.ended_seq IS NULL OR n.ended_seq > ?2)
				ORDER BY b.notice DESC LIMIT 1), 0)
			FROM notice_rooms a WHERE a.notice = ?1 ORDER BY a.room`,
	}
}
