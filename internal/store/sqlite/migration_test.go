package sqlite

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// openOld makes a file with the schema of a version, filled by statements.
func openOld(t *testing.T, version int64, statements ...string) (path string) {
	t.Helper()
	path, err := create(filepath.Join(t.TempDir(), "old.db"))
	if err != nil {
		t.Fatal(err)
	}
	old, err := sql.Open("sqlite", dataSource(path, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := old.Close(); err != nil {
			t.Error(err)
		}
	}()
	provider, err := migrator(old, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		if _, err := old.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return path
}

// openMigrated opens the file of openOld as it is after all migrations, until the test ends.
func openMigrated(t *testing.T, version int64, statements ...string) *DB {
	t.Helper()
	db, err := Open(t.Context(), openOld(t, version, statements...), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// TestRevisionsOfOldMessages opens a file from before there were revisions: every message was the one change that its seq
// counts, also where the earlier ones have been deleted.
func TestRevisionsOfOldMessages(t *testing.T) {
	db := openMigrated(t, 1,
		`INSERT INTO rooms (number, room_id, kind, name, created_by, created_at, last_seq)
			VALUES (1, 'lobby', 'open', '', 'u1', 1, 3), (2, 'dm:u1:u2', 'direct', '', 'u1', 1, 7), (3, 'group:g', 'group', 'g', 'u1', 1, 0)`,
		`INSERT INTO messages (message_id, room, seq, user_id, username, role, text, reply_to, timestamp, client_id)
			VALUES ('a', 1, 1, 'u1', 'U', 'driver', 'x', '', 1, NULL), ('b', 1, 2, 'u1', 'U', 'driver', 'x', 'a', 2, 'c'),
				('c', 1, 3, 'u2', 'U', 'driver', 'x', '', 3, NULL), ('d', 2, 7, 'u2', 'U', 'driver', 'x', '', 4, NULL)`)
	type row struct {
		Name          string
		Seq, Revision int64
	}
	read := func(query string) []row {
		rows, err := db.readers.QueryContext(t.Context(), query)
		found, err := Collect(rows, err, func(s Scanner) (r row, err error) { return r, s.Scan(&r.Name, &r.Seq, &r.Revision) })
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	got := slices.Concat(
		read("SELECT room_id, last_seq, revision FROM rooms ORDER BY number"),
		read("SELECT message_id, seq, revision FROM messages ORDER BY number"))
	want := []row{{"lobby", 3, 3}, {"dm:u1:u2", 7, 7}, {"group:g", 0, 0}, {"a", 1, 1}, {"b", 2, 2}, {"c", 3, 3}, {"d", 7, 7}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after the migration (-want +got):\n%s", diff)
	}
}

// TestEndsOfOldNotices opens a file from before expiries were told: what had expired has ended without a word, what was
// retracted stays so, what expires beyond RFC 3339 does so as late as it can tell, and who was seen before keeps all that
// is unread.
func TestEndsOfOldNotices(t *testing.T) {
	notice := func(id string, expiresAt, retracted string) string {
		return `INSERT INTO notices (notice_id, title, body, severity, audience, created_at, expires_at, require_ack, from_user_id, from_username, retracted_at, retracted_seq)
			VALUES ('` + id + `', 't', '', 'info', '{}', 1, ` + expiresAt + `, 0, 'boss', 'Boss', ` + retracted + `, ` + retracted + `)`
	}
	db := openMigrated(t, 3,
		notice("lasting", "0", "NULL"), notice("over", "1000", "NULL"), notice("later", "4000000000000", "NULL"),
		notice("never", "8640000000000000", "NULL"), notice("gone", "0", "5"),
		`INSERT INTO users (user_id, username, folded_name, role, company_id, last_seen) VALUES ('amy', 'Amy', 'amy', 'vendor', '', 1), ('bob', 'Bob', 'bob', 'vendor', '', 1)`,
		`INSERT INTO notice_reads (user_id, up_to, ahead) VALUES ('bob', 3, '[]')`)
	type row struct {
		ID           string
		Expires, End int64
	}
	read := func(query string) []row {
		rows, err := db.readers.QueryContext(t.Context(), query)
		found, err := Collect(rows, err, func(s Scanner) (r row, err error) { return r, s.Scan(&r.ID, &r.Expires, &r.End) })
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	got := slices.Concat(
		read("SELECT notice_id, expires_at, coalesce(ended_seq, 0) FROM notices ORDER BY seq"),
		read("SELECT user_id, up_to, 0 FROM notice_reads ORDER BY user_id"))
	want := []row{
		{"lasting", 0, 0}, {"over", 1000, 2}, {"later", 4_000_000_000_000, 0}, {"never", 253_402_300_799_999, 0}, {"gone", 0, 5},
		{"amy", 0, 0}, {"bob", 3, 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after the migration (-want +got):\n%s", diff)
	}
}

// TestCountsOfOldMessages opens a file from before messages were counted by sender: what a clock that was put back has done
// to a room is mended, and of the messages that one sender gave the same id in several rooms the newest keeps it.
func TestCountsOfOldMessages(t *testing.T) {
	db := openMigrated(t, 4,
		`INSERT INTO rooms (number, room_id, kind, name, created_by, created_at, last_seq, revision)
			VALUES (1, 'lobby', 'open', '', 'u1', 1, 4, 4), (2, 'hall', 'open', '', 'u1', 1, 1, 1)`,
		`INSERT INTO messages (message_id, room, seq, revision, user_id, username, role, text, reply_to, timestamp, client_id)
			VALUES ('a', 1, 1, 1, 'u1', 'U', 'driver', 'x', '', 50, 'c'), ('b', 1, 2, 2, 'u2', 'U', 'driver', 'x', '', 40, 'c'),
				('c', 1, 3, 3, 'u1', 'U', 'driver', 'x', '', 60, NULL), ('d', 1, 4, 4, 'u1', 'U', 'driver', 'x', '', 10, NULL),
				('e', 2, 1, 1, 'u1', 'U', 'driver', 'x', '', 5, 'c')`)
	type row struct {
		ID             string
		Nth, Timestamp int64
		ClientID       string
	}
	rows, err := db.readers.QueryContext(t.Context(),
		"SELECT message_id, author_nth, timestamp, coalesce(client_id, '') FROM messages ORDER BY number")
	got, err := Collect(rows, err, func(s Scanner) (r row, err error) {
		return r, s.Scan(&r.ID, &r.Nth, &r.Timestamp, &r.ClientID)
	})
	want := []row{{"a", 1, 50, ""}, {"b", 1, 50, "c"}, {"c", 2, 60, ""}, {"d", 3, 60, ""}, {"e", 1, 5, "c"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, after the migration (-want +got):\n%s", err, diff)
	}
}

// TestConversationsOfOldRooms opens a file from before there were lists: rooms stand where they were last active, and who has
// written in an open room takes part in it since their first message that is kept.
func TestConversationsOfOldRooms(t *testing.T) {
	db := openMigrated(t, 16,
		`INSERT INTO rooms (number, room_id, kind, name, created_by, created_at, last_seq, revision)
			VALUES (1, 'lobby', 'open', '', 'u1', 1, 4, 4), (2, 'dm:u1:u2', 'direct', '', 'u1', 2, 1, 1), (3, 'group:g', 'group', 'g', 'u1', 3, 0, 1),
				(4, 'dm:u1:u3', 'direct', '', 'u1', 4, 0, 0), (5, 'dm:u2:u3', 'direct', '', 'u2', 5, 7, 7)`,
		`INSERT INTO room_members (room, user_id, kind) VALUES (2, 'u1', 'direct'), (2, 'u2', 'direct'), (3, 'u1', 'group'),
			(4, 'u1', 'direct'), (4, 'u3', 'direct'), (5, 'u2', 'direct'), (5, 'u3', 'direct')`,
		`INSERT INTO room_removals (room, revision, user_id, by_user_id, by_username, removed_at) VALUES (3, 1, 'u2', 'u1', 'U', 60)`,
		`INSERT INTO messages (message_id, room, seq, revision, user_id, username, role, text, reply_to, timestamp, author_nth)
			VALUES ('a', 1, 2, 2, 'u2', 'U', 'driver', 'x', '', 50, 1), ('b', 1, 3, 3, 'u1', 'U', 'driver', 'x', '', 51, 1),
				('c', 1, 4, 4, 'u2', 'U', 'driver', 'x', '', 52, 2), ('d', 2, 1, 1, 'u1', 'U', 'driver', 'x', '', 53, 1)`)
	type row struct {
		ID         string
		Active, At int64
	}
	read := func(query string) []row {
		rows, err := db.readers.QueryContext(t.Context(), query)
		found, err := Collect(rows, err, func(s Scanner) (r row, err error) { return r, s.Scan(&r.ID, &r.Active, &r.At) })
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	got := slices.Concat(
		read("SELECT room_id, active_at, 0 FROM rooms ORDER BY number"),
		read("SELECT room || user_id, active_at, counted_from FROM room_members ORDER BY room, user_id"))
	want := []row{
		{"lobby", 52, 0}, {"dm:u1:u2", 53, 0}, {"group:g", 60, 0}, {"dm:u1:u3", 4, 0}, {"dm:u2:u3", 5, 0},
		{"1u1", 0, 2}, {"1u2", 0, 1}, {"2u1", 53, 0}, {"2u2", 53, 0}, {"3u1", 0, 0}, {"4u1", 0, 0}, {"4u3", 0, 0}, {"5u2", 5, 0}, {"5u3", 5, 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after the migration (-want +got):\n%s", diff)
	}
}

// TestSupersededChangesOfOldMessages opens a file from before changes of messages were thinned out: what the same person has done
// again more than half an hour later is not kept.
func TestSupersededChangesOfOldMessages(t *testing.T) {
	db := openMigrated(t, 20,
		`INSERT INTO rooms (number, room_id, kind, name, created_by, created_at, last_seq, revision) VALUES (1, 'lobby', 'open', '', 'u1', 1, 1, 7)`,
		`INSERT INTO messages (message_id, room, seq, revision, user_id, username, role, text, reply_to, timestamp, author_nth)
			VALUES ('a', 1, 1, 1, 'u1', 'U', 'driver', 'x', '', 1, 1)`,
		`INSERT INTO message_changes (room, revision, seq, kind, user_id, username, changed_at, emoji)
			VALUES (1, 2, 1, 'reacted', 'u1', 'U', 10, 'e'), (1, 3, 1, 'reacted', 'u2', 'U', 10, 'e'), (1, 4, 1, 'reacted', 'u1', 'U', 10, 'f'),
				(1, 5, 1, 'edited', 'u1', 'U', 10, ''), (1, 6, 1, 'unreacted', 'u1', 'U', 11, 'e'), (1, 7, 1, 'reacted', 'u1', 'U', 1800011, 'e')`)
	rows, err := db.readers.QueryContext(t.Context(), "SELECT revision FROM message_changes ORDER BY revision")
	got, err := Collect(rows, err, ScanOne[int64])
	if err != nil {
		t.Fatal(err)
	}
	if want := []int64{3, 4, 5, 6, 7}; !slices.Equal(got, want) {
		t.Errorf("the changes %d are kept, want %d", got, want)
	}
}
