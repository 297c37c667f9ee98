// Package noticestore keeps notices, and who has read them, in a SQLite file.
package noticestore

import (
	"context"
	"database/sql"
	"fmt"

	"rolecall/internal/services/notices"
	"rolecall/internal/store/sqlite"
)

var _ notices.Store = (*Store)(nil)

// Store implements notices.Store.
type Store struct {
	db  *sqlite.DB
	sql statements
}

// New returns the store of an open file.
func New(ctx context.Context, db *sqlite.DB) (*Store, error) {
	s := &Store{db: db}
	if err := db.Prepare(ctx, s.sql.writes(), s.sql.reads()); err != nil {
		return nil, fmt.Errorf("notice store: %w", err)
	}
	return s, nil
}

// statements holds what is prepared once. Those ending in Beside exist a second time, on the reading connections.
type statements struct {
	// Writes, and the reads that belong to a write.
	insertNotice, insertNoticeRooms, retractNotice, updateLastSeq, selectNoticeRooms   *sql.Stmt
	selectReplayed, upsertKey, deleteKeys                                              *sql.Stmt
	selectNoticeRead, upsertNoticeRead, selectAddressed, selectFirstUnread, countInbox *sql.Stmt

	// Reads.
	selectLastSeq, selectNotices, selectNoticeByID, selectNoticeSeq *sql.Stmt
	selectReplayedBeside, selectInbox, countInboxBeside             *sql.Stmt
}

const noticeColumns = `n.seq, n.notice_id, n.title, n.body, n.severity, n.audience, n.data, n.created_at, n.expires_at,
	n.require_ack, n.from_user_id, n.from_username`

// lastSeq is the number of the newest change, a notice stored or retracted: SQLite keeps it for the column notices.seq,
// and a retraction moves it as well. https://www.sqlite.org/autoinc.html
const lastSeq = `coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'notices'), 0)`

const selectReplayed = `SELECT ` + noticeColumns + `, k.digest
	FROM idempotency_keys k CROSS JOIN notices n ON n.seq = k.notice
	WHERE k.user_id = ? AND k.key = ? AND k.created_at >= ?`

// unreadSeqs selects the notices of an inbox, each once: addressed to one of the rooms ?1 (a JSON array), beyond a read
// mark, not among those read ahead of it, not expired at ?2 and there, as a condition on a and n tells. CROSS JOIN makes it start
// from the rooms.
func unreadSeqs(upTo, ahead, there string) string {
	return `SELECT DISTINCT a.notice AS seq
		FROM json_each(?1) standing CROSS JOIN notice_rooms a ON a.room = standing.value AND a.notice > ` + upTo + `
		CROSS JOIN notices n ON n.seq = a.notice
		WHERE ` + there + ` AND (n.expires_at = 0 OR n.expires_at > ?2)
			AND a.notice NOT IN (SELECT value FROM json_each(` + ahead + `))`
}

func (s *statements) writes() sqlite.Statements {
	unread := unreadSeqs("?3", "?4", "n.retracted_seq IS NULL")
	return sqlite.Statements{
		&s.insertNotice: `INSERT INTO notices (notice_id, title, body, severity, audience, data, created_at,
				expires_at, require_ack, from_user_id, from_username)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq`,
		&s.insertNoticeRooms: `INSERT INTO notice_rooms (notice, room) SELECT ?, value FROM json_each(?) WHERE true
			ON CONFLICT DO NOTHING`,
		&s.retractNotice: `UPDATE notices SET retracted_at = ?, retracted_seq = ` + lastSeq + ` + 1
			WHERE notice_id = ? AND retracted_seq IS NULL RETURNING seq, retracted_seq`,
		&s.updateLastSeq:     `UPDATE sqlite_sequence SET seq = ? WHERE name = 'notices'`,
		&s.selectNoticeRooms: `SELECT room FROM notice_rooms WHERE notice = ? ORDER BY room`,
		&s.selectReplayed:    selectReplayed,
		&s.upsertKey: `INSERT INTO idempotency_keys (user_id, key, digest, notice, created_at)
			VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (user_id, key) DO UPDATE SET digest = excluded.digest, notice = excluded.notice,
				created_at = excluded.created_at`,
		&s.deleteKeys: `DELETE FROM idempotency_keys WHERE (user_id, key) IN (
			SELECT user_id, key FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT 100)`,
		&s.selectNoticeRead: `SELECT up_to, ahead FROM notice_reads WHERE user_id = ?`,
		&s.upsertNoticeRead: `INSERT INTO notice_reads (user_id, up_to, ahead) VALUES (?, ?, ?)
			ON CONFLICT (user_id) DO UPDATE SET up_to = excluded.up_to, ahead = excluded.ahead`,
		&s.selectAddressed: `SELECT DISTINCT n.seq
			FROM json_each(?1) wanted CROSS JOIN notices n ON n.notice_id = wanted.value
			WHERE n.retracted_seq IS NULL AND EXISTS (
				SELECT 1 FROM json_each(?2) standing CROSS JOIN notice_rooms a
				ON a.room = standing.value AND a.notice = n.seq)
			ORDER BY n.seq`,
		&s.selectFirstUnread: `SELECT coalesce(min(seq), 0) FROM (` + unread + `)`,
		&s.countInbox:        `SELECT count(*) FROM (` + unread + `)`,
	}
}

func (s *statements) reads() sqlite.Statements {
	unread := unreadSeqs(`coalesce((SELECT up_to FROM notice_reads WHERE user_id = ?3), 0)`,
		`(SELECT ahead FROM notice_reads WHERE user_id = ?3)`,
		`a.notice <= ?4 AND (n.retracted_seq IS NULL OR n.retracted_seq > ?4)`)
	return sqlite.Statements{
		&s.selectNotices: `SELECT ` + noticeColumns + ` FROM notices n
			WHERE n.retracted_seq IS NULL AND n.seq < ? ORDER BY n.seq DESC LIMIT ?`,
		&s.selectNoticeByID: `SELECT ` + noticeColumns + ` FROM notices n
			WHERE n.notice_id = ? AND n.retracted_seq IS NULL`,
		&s.selectLastSeq:        `SELECT ` + lastSeq,
		&s.selectNoticeSeq:      `SELECT seq FROM notices WHERE notice_id = ?`,
		&s.selectReplayedBeside: selectReplayed,
		&s.selectInbox: `WITH unread AS MATERIALIZED (` + unread + `)
			SELECT ` + noticeColumns + `, (SELECT count(*) FROM unread) FROM notices n
			WHERE n.seq IN (SELECT seq FROM unread WHERE seq > ?5 ORDER BY seq LIMIT ?6) ORDER BY n.seq`,
		&s.countInboxBeside: `SELECT count(*) FROM (` + unread + `)`,
	}
}
