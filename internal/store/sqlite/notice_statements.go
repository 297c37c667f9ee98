package sqlite

const noticeColumns = `n.seq, n.notice_id, n.title, n.body, n.severity, n.audience, n.data, n.created_at, n.expires_at,
	n.require_ack, n.from_user_id, n.from_username`

// unreadSeqs selects the notices of an inbox, each once: addressed to one of the rooms ?1 (a JSON array), beyond ?2,
// not expired at ?3, not retracted, and not among ?4 (a JSON array). CROSS JOIN makes it start from the rooms.
const unreadSeqs = `SELECT DISTINCT a.notice AS seq
	FROM json_each(?1) standing CROSS JOIN notice_rooms a ON a.room = standing.value AND a.notice > ?2
	CROSS JOIN notices n ON n.seq = a.notice
	WHERE n.retracted_at IS NULL AND (n.expires_at = 0 OR n.expires_at > ?3)
		AND a.notice NOT IN (SELECT value FROM json_each(?4))`

const (
	countInbox       = `SELECT count(*) FROM (` + unreadSeqs + `)`
	selectNoticeRead = `SELECT up_to, ahead FROM notice_reads WHERE user_id = ?`
)

func (s *statements) noticeWrites() []statement {
	return []statement{
		{&s.insertNotice, `INSERT INTO notices (notice_id, title, body, severity, audience, data, created_at,
				expires_at, require_ack, from_user_id, from_username)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq`},
		{&s.insertNoticeRooms, `INSERT INTO notice_rooms (notice, room) SELECT ?, value FROM json_each(?) WHERE true
			ON CONFLICT DO NOTHING`},
		{&s.selectNotice, `SELECT ` + noticeColumns + ` FROM notices n WHERE n.seq = ?`},
		{&s.retractNotice, `UPDATE notices SET retracted_at = ? WHERE notice_id = ? AND retracted_at IS NULL`},
		{&s.selectKey, `SELECT digest, notice FROM idempotency_keys
			WHERE user_id = ? AND key = ? AND created_at >= ?`},
		{&s.upsertKey, `INSERT INTO idempotency_keys (user_id, key, digest, notice, created_at)
			VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (user_id, key) DO UPDATE SET digest = excluded.digest, notice = excluded.notice,
				created_at = excluded.created_at`},
		{&s.deleteKeys, `DELETE FROM idempotency_keys WHERE (user_id, key) IN (
			SELECT user_id, key FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT 100)`},
		{&s.selectNoticeRead, selectNoticeRead},
		{&s.upsertNoticeRead, `INSERT INTO notice_reads (user_id, up_to, ahead) VALUES (?, ?, ?)
			ON CONFLICT (user_id) DO UPDATE SET up_to = excluded.up_to, ahead = excluded.ahead`},
		{&s.selectAddressed, `SELECT DISTINCT n.seq
			FROM json_each(?1) wanted CROSS JOIN notices n ON n.notice_id = wanted.value
			WHERE n.retracted_at IS NULL AND EXISTS (
				SELECT 1 FROM json_each(?2) standing CROSS JOIN notice_rooms a
				ON a.room = standing.value AND a.notice = n.seq)
			ORDER BY n.seq`},
		{&s.selectFirstUnread, `SELECT coalesce(min(seq), 0) FROM (` + unreadSeqs + `)`},
		{&s.countInbox, countInbox},
	}
}

func (s *statements) noticeReads() []statement {
	return []statement{
		{&s.selectNotices, `SELECT ` + noticeColumns + ` FROM notices n
			WHERE n.retracted_at IS NULL AND n.seq < ? ORDER BY n.seq DESC LIMIT ?`},
		{&s.selectNoticeByID, `SELECT ` + noticeColumns + ` FROM notices n
			WHERE n.notice_id = ? AND n.retracted_at IS NULL`},
		{&s.selectNoticeRooms, `SELECT room FROM notice_rooms WHERE notice = ? ORDER BY room`},
		{&s.selectNoticeSeq, `SELECT seq FROM notices WHERE notice_id = ?`},
		{&s.selectNoticeReadBeside, selectNoticeRead},
		{&s.selectInbox, `SELECT ` + noticeColumns + ` FROM notices n
			WHERE n.seq IN (` + unreadSeqs + ` ORDER BY seq LIMIT ?5) ORDER BY n.seq`},
		{&s.countInboxBeside, countInbox},
	}
}
