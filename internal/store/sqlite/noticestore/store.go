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
	insertNotice, insertNoticeRooms, selectNotice, retractNotice                       *sql.Stmt
	selectKey, upsertKey, deleteKeys                                                   *sql.Stmt
	selectNoticeRead, upsertNoticeRead, selectAddressed, selectFirstUnread, countInbox *sql.Stmt

	// Reads.
	selectNotices, selectNoticeByID, selectNoticeRooms, selectNoticeSeq *sql.Stmt
	selectInbox, countInboxBeside                                       *sql.Stmt
}

const noticeColumns = `n.seq, n.notice_id, n.title, n.body, n.severity, n.audience, n.data, n.created_at, n.expires_at,
	n.require_ack, n.from_user_id, n.from_username`

// unreadSeqs selects the notices of an inbox, each once: addressed to one of the rooms ?1 (a JSON array), beyond a read
// mark, not among those read ahead of it, not expired at ?2 and not retracted. CROSS JOIN makes it start from the rooms.
func unreadSeqs(upTo, ahead string) string {
	return `SELECT DISTINCT a.notice AS seq
		FROM json_each(?1) standing CROSS JOIN notice_rooms a ON a.room = standing.value AND a.notice > ` + upTo + `
		CROSS JOIN notices n ON n.seq = a.notice
		WHERE n.retracted_at IS NULL AND (n.expires_at = 0 OR n.expires_at > ?2)
			AND a.notice NOT IN (SELECT value FROM json_each(` + ahead + `))`
}

func (s *statements) writes() sqlite.Statements {
	unread := unreadSeqs("?3", "?4")
	return sqlite.Statements{
		&s.insertNotice: `INSERT INTO notices (notice_id, title, body, severity, audience, data, created_at,
				expires_at, require_ack, from_user_id, from_username)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq`,
		&s.insertNoticeRooms: `INSERT INTO notice_rooms (notice, room) SELECT ?, value FROM json_each(?) WHERE true
			ON CONFLICT DO NOTHING`,
		&s.selectNotice:  `SELECT ` + noticeColumns + ` FROM notices n WHERE n.seq = ?`,
		&s.retractNotice: `UPDATE notices SET retracted_at = ? WHERE notice_id = ? AND retracted_at IS NULL`,
		&s.selectKey: `SELECT digest, notice FROM idempotency_keys
			WHERE user_id = ? AND key = ? AND created_at >= ?`,
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
			WHERE n.retracted_at IS NULL AND EXISTS (
				SELECT 1 FROM json_each(?2) standing CROSS JOIN notice_rooms a
				ON a.room = standing.value AND a.notice = n.seq)
			ORDER BY n.seq`,
		&s.selectFirstUnread: `SELECT coalesce(min(seq), 0) FROM (` + unread + `)`,
		&s.countInbox:        `SELECT count(*) FROM (` + unread + `)`,
	}
}

func (s *statements) reads() sqlite.Statements {
	unread := unreadSeqs(`coalesce((SELECT up_to FROM notice_reads WHERE user_id = ?3), 0)`,
		`(SELECT ahead FROM notice_reads WHERE user_id = ?3)`)
	return sqlite.Statements{
		&s.selectNotices: `SELECT ` + noticeColumns + ` FROM notices n
			WHERE n.retracted_at IS NULL AND n.seq < ? ORDER BY n.seq DESC LIMIT ?`,
		&s.selectNoticeByID: `SELECT ` + noticeColumns + ` FROM notices n
			WHERE n.notice_id = ? AND n.retracted_at IS NULL`,
		&s.selectNoticeRooms: `SELECT room FROM notice_rooms WHERE notice = ? ORDER BY room`,
		&s.selectNoticeSeq:   `SELECT seq FROM notices WHERE notice_id = ?`,
		&s.selectInbox: `WITH unread AS MATERIALIZED (` + unread + `)
			SELECT ` + noticeColumns + `, (SELECT count(*) FROM unread) FROM notices n
			WHERE n.seq IN (SELECT seq FROM unread WHERE seq > ?4 ORDER BY seq LIMIT ?5) ORDER BY n.seq`,
		&s.countInboxBeside: `SELECT count(*) FROM (` + unread + `)`,
	}
}
