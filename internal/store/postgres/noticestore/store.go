// Package noticestore keeps notices, and who has read them, in a PostgreSQL database.
package noticestore

import (
	"context"
	"fmt"

	"rolecall/internal/services/notices"
	"rolecall/internal/store/postgres"
)

var _ notices.Store = (*Store)(nil)

// Store implements notices.Store.
type Store struct{ db *postgres.DB }

// New returns the store of an open database.
func New(ctx context.Context, db *postgres.DB) (*Store, error) {
	if err := db.Check(ctx, statements()...); err != nil {
		return nil, fmt.Errorf("notice store: %w", err)
	}
	return &Store{db: db}, nil
}

const noticeColumns = `n.seq, n.notice_id, n.title, n.body, n.severity, n.audience, n.data, n.created_at, n.expires_at,
	n.require_ack, n.from_user_id, n.from_username`

// Writes, and the reads that belong to a write.
const (
	lockLastSeq   = `SELECT last_seq FROM notice_changes FOR UPDATE`
	updateLastSeq = `UPDATE notice_changes SET last_seq = $1`

	insertNotice = `INSERT INTO notices (seq, notice_id, title, body, severity, audience, data, created_at, expires_at,
			require_ack, from_user_id, from_username) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	insertNoticeRooms = `INSERT INTO notice_rooms (notice, room) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING`
	selectEnding      = `SELECT seq, ended_seq IS NOT NULL FROM notices WHERE notice_id = $1 AND retracted_at IS NULL`
	retractNotice     = `UPDATE notices SET retracted_at = $1 WHERE seq = $2`
	endNotice         = `UPDATE notices SET ended_seq = $1 WHERE seq = $2`
	// The rooms of a notice, and what is the newest one in each that has not ended.
	selectNoticeRooms = `SELECT a.room, coalesce((
			SELECT b.notice FROM notice_rooms b JOIN notices n ON n.seq = b.notice
			WHERE b.room = a.room AND n.ended_seq IS NULL ORDER BY b.notice DESC LIMIT 1), 0)
		FROM notice_rooms a WHERE a.notice = $1 ORDER BY a.room`
	selectReplayed = `SELECT ` + noticeColumns + `, k.digest
		FROM idempotency_keys k JOIN notices n ON n.seq = k.notice
		WHERE k.user_id = $1 AND k.key = $2 AND k.created_at >= $3`
	upsertKey = `INSERT INTO idempotency_keys (user_id, key, digest, notice, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (user_id, key) DO UPDATE SET digest = excluded.digest, notice = excluded.notice,
			created_at = excluded.created_at`
	deleteKeys = `DELETE FROM idempotency_keys WHERE (user_id, key) IN (
		SELECT user_id, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT 100)`

	selectMark = `SELECT up_to, ahead FROM notice_reads WHERE user_id = $1`
	lockMark   = selectMark + ` FOR UPDATE`
	insertMark = `INSERT INTO notice_reads (user_id, up_to, ahead) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	updateMark = `UPDATE notice_reads SET up_to = $2, ahead = $3 WHERE user_id = $1`
	beginMark  = `INSERT INTO notice_reads (user_id, up_to, ahead) SELECT $1, coalesce((
			SELECT seq FROM notices WHERE created_at < $2 ORDER BY created_at DESC, seq DESC LIMIT 1), 0), '{}'
		ON CONFLICT DO NOTHING`
	selectAddressed = `SELECT n.seq FROM notices n WHERE n.notice_id = ANY($1::text[]) AND n.retracted_at IS NULL
		AND EXISTS (SELECT FROM notice_rooms a WHERE a.notice = n.seq AND a.room = ANY($2::text[]))
		ORDER BY n.seq`
	// The oldest in each room, and of these the oldest: however many follow, they are not looked at.
	selectFirstUnread = `SELECT coalesce(min((
			SELECT a.notice FROM notice_rooms a JOIN notices n ON n.seq = a.notice
			WHERE a.room = standing.room AND a.notice > $2 AND n.ended_seq IS NULL AND a.notice <> ALL($3::bigint[])
			ORDER BY a.notice LIMIT 1)), 0)
		FROM unnest($1::text[]) AS standing (room)`
)

// unread selects the notices of an inbox, each once: addressed to one of the rooms $1, beyond the read mark of the user $2, not
// among those read ahead of it, there as of the change $3 and not expired at $4.
const unread = `SELECT DISTINCT a.notice AS seq
	FROM notice_rooms a JOIN notices n ON n.seq = a.notice
	WHERE a.room = ANY($1::text[]) AND a.notice > coalesce((SELECT up_to FROM notice_reads WHERE user_id = $2), 0)
		AND a.notice <= $3 AND (n.ended_seq IS NULL OR n.ended_seq > $3) AND (n.expires_at = 0 OR n.expires_at > $4)
		AND a.notice NOT IN (SELECT unnest(ahead) FROM notice_reads WHERE user_id = $2)`

// Reads.
const (
	selectLastSeq   = `SELECT last_seq FROM notice_changes`
	selectLiveRooms = `SELECT a.room, max(a.notice) FROM notices n JOIN notice_rooms a ON a.notice = n.seq
		WHERE n.ended_seq IS NULL GROUP BY a.room`
	selectDue = `SELECT notice_id FROM notices
		WHERE expires_at > 0 AND expires_at <= $1 AND ended_seq IS NULL ORDER BY expires_at LIMIT $2`
	selectNextExpiry = `SELECT coalesce(min(expires_at), 0) FROM notices
		WHERE expires_at > $1 AND expires_at > 0 AND ended_seq IS NULL`
	selectNotices = `SELECT ` + noticeColumns + ` FROM notices n
		WHERE n.retracted_at IS NULL AND n.seq < $1 ORDER BY n.seq DESC LIMIT $2`
	selectNoticeByID = `SELECT ` + noticeColumns + ` FROM notices n WHERE n.notice_id = $1 AND n.retracted_at IS NULL`
	selectNoticeSeq  = `SELECT seq FROM notices WHERE notice_id = $1`
	selectInbox      = `WITH unread AS MATERIALIZED (` + unread + `)
		SELECT ` + noticeColumns + `, (SELECT count(*) FROM unread) FROM notices n
		WHERE n.seq IN (SELECT seq FROM unread WHERE seq > $5 ORDER BY seq LIMIT $6) ORDER BY n.seq`
	countInbox = `SELECT count(*) FROM (` + unread + `) AS unread`
	// The notices of a history, newest first: addressed to one of the rooms $1, older than $2, neither ended nor expired at $3,
	// of those read up to $4 or listed in $5 or not, as $6 and $7 tell. From each room come no more than $8, so that a long past
	// costs nothing.
	selectReceived = `WITH found AS MATERIALIZED (
			SELECT DISTINCT its.notice AS seq FROM unnest($1::text[]) AS standing (room) CROSS JOIN LATERAL (
				SELECT b.notice FROM notice_rooms b JOIN notices n ON n.seq = b.notice
				WHERE b.room = standing.room AND b.notice < $2 AND n.ended_seq IS NULL
					AND (n.expires_at = 0 OR n.expires_at > $3)
					AND CASE WHEN b.notice <= $4 OR b.notice = ANY($5::bigint[]) THEN $6::boolean ELSE $7::boolean END
				ORDER BY b.notice DESC LIMIT $8) its)
		SELECT ` + noticeColumns + `, n.seq <= $4 OR n.seq = ANY($5::bigint[]) FROM notices n
		WHERE n.seq IN (SELECT seq FROM found ORDER BY seq DESC LIMIT $8) ORDER BY n.seq DESC`
)

// statements is everything that the store runs.
func statements() []string {
	return []string{
		lockLastSeq, updateLastSeq, insertNotice, insertNoticeRooms, selectEnding, retractNotice, endNotice, selectNoticeRooms,
		selectReplayed, upsertKey, deleteKeys, selectMark, lockMark, insertMark, updateMark, beginMark, selectAddressed,
		selectFirstUnread, selectLastSeq, selectLiveRooms, selectDue, selectNextExpiry, selectNotices, selectNoticeByID,
		selectNoticeSeq, selectInbox, countInbox, selectReceived, selectChanges, selectRoomsAsOf,
	}
}
