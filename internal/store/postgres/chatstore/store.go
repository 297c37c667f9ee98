// Package chatstore keeps rooms, messages and read marks in a PostgreSQL database. Several servers may write to it at once:
// whoever changes a room holds its row.
package chatstore

import (
	"context"
	"fmt"

	"rolecall/internal/atrest"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/services/people"
	"rolecall/internal/store/postgres"
	"rolecall/internal/words"
)

var (
	_ chat.Store           = (*Store)(nil)
	_ groups.Store         = (*Store)(nil)
	_ people.Conversations = (*Store)(nil)

	_ conversations.Store = (*Store)(nil)
	_ search.Store        = (*Store)(nil)
)

// Store implements the stores of chat and of its groups.
type Store struct {
	db  *postgres.DB
	key words.Key

	texts *atrest.Messages
	// cannotSearch: the key of the index of messages is missing.
	cannotSearch bool
}

// New returns the store of an open database. It fails where its statements do not fit the schema.
func New(ctx context.Context, db *postgres.DB) (*Store, error) {
	return NewEncrypted(ctx, db, atrest.NewMessages(nil, nil))
}

// NewEncrypted is New where texts are encrypted, or were.
func NewEncrypted(ctx context.Context, db *postgres.DB, texts *atrest.Messages) (*Store, error) {
	if err := db.Check(ctx, statements()...); err != nil {
		return nil, fmt.Errorf("chat store: %w", err)
	}
	s := &Store{db: db, texts: texts}
	if err := s.beginIndex(ctx); err != nil {
		return nil, fmt.Errorf("chat store: %w", err)
	}
	return s, nil
}

// statements are all that the store runs.
func statements() []string {
	return append(rightsStatements(),
		lockRooms, selectLatest, selectAuthors, selectSent, insertRooms, insertMembers, insertMessages, updateRooms, updateWrote,
		selectTargets, updateMessage, insertChange, deleteSuperseded, countChanged,
		insertMentions, deleteMentions, insertMentioned,
		selectAttachable, attach, detach,
		selectReacted, insertReaction, deleteReaction, deleteReactions, selectReactions,
		selectChangedMessages, selectQuotes, selectFirst, selectStandings,
		deleteMembers, insertRemovals, insertLater, insertEntry, updateGroup, upsertRoomRead, deleteMessages,
		selectGroup, selectMadeAs, selectEntries, selectPeers, selectDirectAmong, selectGroupPeers, selectFull, countMade, selectHead,
		countUnread, selectNewest, selectOldest, selectSeq, selectReaders,
		selectHeads, selectBefore, selectSince, selectRemovals, selectChanged, selectChanges,
		updateDirectActive, insertTakesPart, updateMuted, selectBlocking, selectClosed, updateClosed,
		selectConversations, selectConversationsIn, selectRisen, selectLastMessages, selectReadersIn,
		insertTerms, deleteTerms, selectUnindexed, selectSearched, selectSearchedRoom, selectLastBefore, selectCandidates, selectHit,
		selectTheirs, countTerms, selectKept, updateKept,
	)
}

// Statements of writes, and the reads that belong to a write.
const (
	// lockRooms locks in the order of the rows that come out: two batches that want the same rooms never wait for each other.
	lockRooms = `SELECT number, room_id, last_seq, revision, members_since, active_at, closed_at > 0 FROM rooms WHERE room_id = ANY($1::text[])
		ORDER BY room_id FOR NO KEY UPDATE`
	// selectLatest and those behind it are run once the rooms are locked, so that they see what was committed before.
	selectLatest = `SELECT r.room_id, coalesce(
			(SELECT m.timestamp FROM messages m WHERE m.room = r.number ORDER BY m.seq DESC LIMIT 1), 0)
		FROM rooms r WHERE r.room_id = ANY($1::text[])`
	selectAuthors = `SELECT r.room_id, a.user_id, m.author_nth
		FROM unnest($1::text[], $2::text[]) a (room_id, user_id) JOIN rooms r ON r.room_id = a.room_id
		CROSS JOIN LATERAL (SELECT author_nth FROM messages WHERE room = r.number AND user_id = a.user_id
			ORDER BY seq DESC LIMIT 1) m`
	selectSent = `SELECT r.room_id, ` + messageColumns + `
		FROM unnest($1::text[], $2::bytea[]) a (user_id, client_id)
		JOIN messages m ON m.user_id = a.user_id AND m.client_id = a.client_id JOIN rooms r ON r.number = m.room`
	// selectTargets has the messages wait that a batch changes, should retention be about to delete them.
	selectTargets = `SELECT r.room_id, ` + messageColumns + `
		FROM unnest($1::text[], $2::text[]) a (room_id, message_id)
		JOIN rooms r ON r.room_id = a.room_id JOIN messages m ON m.message_id = a.message_id AND m.room = r.number
		FOR NO KEY UPDATE OF m`

	insertRooms = `INSERT INTO rooms (room_id, kind, name, created_by, created_at, history, client_id, made_as, active_at, owner)
		SELECT room_id, kind, name, created_by, created_at, history, nullif(client_id, ''), made_as, created_at,
			CASE kind WHEN 'group' THEN created_by ELSE '' END
		FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::bigint[], $6::text[], $7::bytea[], $8::bigint[])
			a (room_id, kind, name, created_by, created_at, history, client_id, made_as)
		ON CONFLICT DO NOTHING`
	insertMembers = `INSERT INTO room_members (room, user_id, kind)
		SELECT r.number, a.user_id, r.kind FROM unnest($1::text[], $2::text[]) a (room_id, user_id) JOIN rooms r USING (room_id)
		ON CONFLICT DO NOTHING`
	insertMessages = `INSERT INTO messages
		(room, seq, revision, author_nth, timestamp, message_id, user_id, username, role, text, reply_to, client_id, mentions, attachments, key_id, alone)
		SELECT room, seq, revision, author_nth, timestamp, message_id, user_id, username, role, text, reply_to, nullif(client_id, ''),
			mentions, attachments, key_id, alone
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bytea[],
			$9::text[], $10::bytea[], $11::text[], $12::bytea[], $13::text[], $14::text[], $15::text[], $16::bigint[])
			a (room, seq, revision, author_nth, timestamp, message_id, user_id, username, role, text, reply_to, client_id, mentions, attachments,
			key_id, alone)
		ON CONFLICT (user_id, client_id) WHERE client_id IS NOT NULL DO NOTHING`
	updateMessage = `UPDATE messages SET changed = $3, text = $4, edited_at = $5, deleted_at = $6, deleted_by = $7,
			said = $8, mentions = $9, attachments = $10, key_id = $11, alone = $12
		WHERE room = $1 AND seq = $2`
	insertMentions = `INSERT INTO message_mentions (user_id, room, seq) SELECT a.user_id, a.room, a.seq
		FROM unnest($1::text[], $2::bigint[], $3::bigint[]) a (user_id, room, seq)
		JOIN messages m ON m.room = a.room AND m.seq = a.seq` // all of them, unless another server has stored a draft before
	deleteMentions = `DELETE FROM message_mentions WHERE room = $1 AND seq = $2`
	// insertMentioned: who is mentioned in an open room takes part in it from then on.
	insertMentioned = `INSERT INTO room_members (room, user_id, kind, counted_from)
		SELECT r.number, a.user_id, r.kind, a.seq - 1 FROM (SELECT user_id, room, min(seq) AS seq
			FROM unnest($1::text[], $2::bigint[], $3::bigint[]) a (user_id, room, seq) GROUP BY user_id, room ORDER BY room, user_id) a
		JOIN rooms r ON r.number = a.room AND r.kind = 'open'
		ON CONFLICT DO NOTHING`
	insertChange = `INSERT INTO message_changes (room, revision, seq, kind, user_id, username, changed_at, emoji, alone)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	deleteSuperseded = `DELETE FROM message_changes
		WHERE room = $1 AND seq = $2 AND user_id = $3 AND emoji = $4 AND changed_at < $5`
	updateRooms = `UPDATE rooms r SET last_seq = a.last_seq, revision = a.revision, active_at = a.active_at
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) a (number, last_seq, revision, active_at)
		WHERE r.number = a.number`
	updateDirectActive = `UPDATE room_members m SET active_at = a.active_at FROM unnest($1::bigint[], $2::bigint[], $3::text[]) a (room, active_at, user_id)
		WHERE m.room = a.room AND m.active_at < a.active_at AND (a.user_id = '' OR a.user_id = m.user_id)`
	selectBlocking = `SELECT b.user_id, b.blocked_id FROM unnest($1::text[], $2::text[]) a (user_id, peer)
		JOIN blocks b ON b.user_id = a.user_id AND b.blocked_id = a.peer OR b.user_id = a.peer AND b.blocked_id = a.user_id`
	// insertTakesPart: who was mentioned first takes part already, in the same batch perhaps by a later message.
	insertTakesPart = `INSERT INTO room_members (room, user_id, kind, wrote, counted_from)
		SELECT a.room, a.user_id, 'open', true, a.seq - 1 FROM unnest($1::bigint[], $2::text[], $3::bigint[]) a (room, user_id, seq)
		ON CONFLICT (room, user_id) DO UPDATE SET counted_from = excluded.counted_from
			WHERE excluded.counted_from < room_members.counted_from`
	updateMuted = `UPDATE room_members SET muted = $1
		WHERE room = (SELECT number FROM rooms WHERE room_id = $2) AND user_id = $3 AND (kind <> 'direct' OR active_at > 0)`
	updateWrote = `UPDATE room_members m SET wrote = true FROM unnest($1::bigint[], $2::text[]) a (room, user_id)
		WHERE m.room = a.room AND m.user_id = a.user_id AND NOT m.wrote`

	deleteMembers  = `DELETE FROM room_members WHERE room = $1 AND user_id = ANY($2::text[])`
	insertRemovals = `INSERT INTO room_removals (room, revision, user_id, by_user_id, by_username, removed_at, joined, sees_after)
		SELECT $1, $2, user_id, $4, $5, $6, joined, sees_after FROM room_members WHERE room = $1 AND user_id = ANY($3::text[])`
	// insertLater: who is put into a group has read what was there before.
	insertLater = `INSERT INTO room_members (room, user_id, kind, joined, counted_from, sees_after, wrote)
		SELECT r.number, a.user_id, r.kind, $2, $4::bigint, CASE r.history WHEN 'all' THEN 0 ELSE $4::bigint END,
			EXISTS (SELECT FROM messages m WHERE m.room = r.number AND m.user_id = a.user_id)
		FROM rooms r CROSS JOIN unnest($3::text[]) a (user_id) WHERE r.number = $1`
	insertEntry = `INSERT INTO messages
		(message_id, room, seq, revision, user_id, username, role, text, reply_to, timestamp, author_nth, system)
		VALUES ($1, $2, $3, $4, '', $5, $6, '', '', $7, 1 + coalesce(
			(SELECT author_nth FROM messages WHERE room = $2 AND user_id = '' ORDER BY seq DESC LIMIT 1), 0), $8)`
	updateGroup = `UPDATE rooms SET last_seq = $2, revision = $3, members_since = $4, active_at = $5,
			name = coalesce(nullif($6::bytea, ''), name), owner = coalesce(nullif($7::text, ''), owner),
			history = coalesce(nullif($8::text, ''), history)
		WHERE number = $1`
	upsertRoomRead = `INSERT INTO room_reads (room, user_id, seq)
		SELECT number, $1, least($2, last_seq) FROM rooms WHERE room_id = $3 AND least($2, last_seq) > 0 AND members_since = $4
		ON CONFLICT (room, user_id) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > room_reads.seq`
	// deleteMessages deletes the beginnings of rooms, in which times do not fall.
	deleteMessages = `DELETE FROM messages m USING (
			SELECT room, seq FROM messages WHERE timestamp < $1 ORDER BY timestamp, room, seq LIMIT $2) gone
		WHERE m.room = gone.room AND m.seq = gone.seq RETURNING m.room, ` + messageColumns
)

// messageColumns are those of a message as it is, saidColumns those with the revision by which it was said.
const (
	messageColumns = `greatest(m.revision, m.changed)` + besideRevision
	saidColumns    = `m.revision` + besideRevision
	besideRevision = `, m.message_id, m.seq, m.user_id, m.username, m.role, m.text, m.reply_to, m.timestamp,
		coalesce(m.client_id, ''), m.edited_at, m.deleted_at, m.deleted_by, m.alone, m.system, m.mentions, m.attachments` + keptBeside
	// keptBeside is what it takes, beside the text, to read it.
	keptBeside = `, m.key_id, m.said, CASE m.key_id WHEN '' THEN '' ELSE (SELECT said_in.room_id FROM rooms said_in WHERE said_in.number = m.room) END`
)

// Statements of reads.
const (
	selectGroup = `SELECT m.user_id, m.joined, m.sees_after, r.members_since, r.name, r.owner, r.history
		FROM rooms r JOIN room_members m ON m.room = r.number WHERE r.room_id = $1 AND r.kind <> 'open' ORDER BY m.user_id`
	selectMadeAs  = `SELECT room_id, made_as FROM rooms WHERE created_by = $1 AND client_id = $2`
	selectEntries = `SELECT ` + saidColumns + ` FROM messages m WHERE m.room = (SELECT number FROM rooms WHERE room_id = $1)
			AND m.user_id = '' AND m.seq > $2 - (SELECT revision - last_seq FROM rooms WHERE room_id = $1) AND m.revision > $2
		ORDER BY m.seq`
	selectPeers = `SELECT asked.user_id, peers.user_ids FROM unnest($1::text[]) asked (user_id)
		CROSS JOIN LATERAL (SELECT array_agg(user_id) AS user_ids FROM (
			SELECT DISTINCT peer.user_id FROM room_members me
			JOIN room_members peer ON peer.room = me.room AND peer.wrote AND peer.user_id <> me.user_id
			WHERE me.user_id = asked.user_id AND me.kind IN ('direct', 'group') AND me.wrote
			ORDER BY peer.user_id LIMIT $2) found) peers
		WHERE peers.user_ids IS NOT NULL`
	selectDirectAmong = `SELECT peer.user_id FROM rooms r
		JOIN room_members me ON me.room = r.number AND me.user_id = $1 AND me.wrote
		JOIN room_members peer ON peer.room = r.number AND peer.wrote AND peer.user_id <> $1
		WHERE r.room_id = ANY($2::text[])`
	selectGroupPeers = `SELECT peer.user_id FROM room_members me
		JOIN room_members peer ON peer.room = me.room AND peer.wrote AND peer.user_id <> me.user_id
		WHERE me.user_id = $1 AND me.kind = 'group' AND me.wrote LIMIT $2`
	selectFull = `SELECT asked.user_id FROM unnest($1::text[]) asked (user_id) WHERE $2::bigint <= (SELECT count(*) FROM (
		SELECT 1 FROM room_members m WHERE m.user_id = asked.user_id AND m.kind = 'group' LIMIT $2) belonging)`
	countMade  = `SELECT count(*) FROM rooms WHERE created_by = $1 AND kind = 'group' AND created_at > $2`
	selectHead = `SELECT revision, last_seq, members_since, closed_at FROM rooms WHERE room_id = $1`
	// mark is how far a reader ($2) has read a room r, or what came before they took part.
	mark = `greatest(
		(SELECT read.seq FROM room_reads read WHERE read.room = r.number AND read.user_id = $2),
		(SELECT me.counted_from FROM room_members me WHERE me.room = r.number AND me.user_id = $2), 0)`
	// lost is the last message that a room r is without.
	lost = `coalesce((SELECT m.seq FROM messages m WHERE m.room = r.number ORDER BY m.seq LIMIT 1), r.last_seq + 1) - 1`
	// beyond counts the messages of others beyond upto, where the room of a place has lost none any more, without looking at
	// them: the reader's own ($2) among them are numbered one after the other, and so are entries of the log, which have no author.
	beyond = `last_seq - upto - ` + ownBeyond + `$2` + endOfOwn + `$2` + endOfBeyond +
		` - ` + ownBeyond + `''` + endOfOwn + `''` + endOfBeyond + ` - ` + hidden
	ownBeyond = `coalesce(
		(SELECT own.author_nth FROM messages own WHERE own.room = place.room AND own.user_id = `
	endOfOwn = ` ORDER BY own.seq DESC LIMIT 1) + 1 -
		(SELECT own.author_nth FROM messages own WHERE own.room = place.room AND own.user_id = `
	endOfBeyond = ` AND own.seq > upto ORDER BY own.seq LIMIT 1), 0)`
	// hidden counts those that the reader is not shown, of which there are few.
	hidden = `(SELECT count(*) FROM messages other
		WHERE other.room = place.room AND other.alone = 1 AND other.user_id <> $2 AND other.seq > upto)`
	countUnread = `WITH place AS MATERIALIZED (SELECT r.number AS room, r.last_seq, greatest(` + mark + `, ` + lost + `) AS upto
			FROM rooms r WHERE r.room_id = $1 AND r.members_since = $3)
		SELECT ` + beyond + `, ` + mentioning + ` FROM place`
	// mentioning counts the messages beyond upto that mention the reader ($2).
	mentioning = `(SELECT count(*) FROM message_mentions x WHERE x.user_id = $2 AND x.room = place.room AND x.seq > upto)`
	selectSeq  = `SELECT m.seq FROM messages m JOIN rooms r ON r.number = m.room WHERE r.room_id = $1 AND m.message_id = $2`

	selectReaders = `SELECT read.user_id, read.seq, coalesce(
			(SELECT me.sees_after FROM room_members me WHERE me.room = read.room AND me.user_id = read.user_id), 0)
		FROM room_reads read
		WHERE read.room = (SELECT number FROM rooms WHERE room_id = $1) AND read.seq >= $2
		ORDER BY read.seq DESC, read.user_id DESC LIMIT $3`
)

// Pages of a room: so many messages ($5) between two places, of a room that has the members since a revision, and of them those
// up to the first with which there is enough text ($6). The room is found first, as a value: its messages then come in the
// order of their index, and no more of them than are asked for.
const (
	selectNewest = selectPage + `DESC` + ofPage + `DESC` + endOfPage
	selectOldest = selectPage + `ASC` + ofPage + `ASC` + endOfPage

	selectPage = `SELECT ` + messageColumns + ` FROM (
			SELECT page.*, sum(octet_length(page.text)) OVER (ORDER BY page.seq `
	ofPage = `) - octet_length(page.text) AS before
			FROM (SELECT * FROM messages WHERE room = (SELECT number FROM rooms WHERE room_id = $1 AND members_since = $2)
				AND seq > $3 AND seq < $4 AND (alone <> 1 OR user_id = $7) ORDER BY seq `
	endOfPage = ` LIMIT $5) page) m
		WHERE m.before <= $6 ORDER BY m.seq`
)
