package sqlite_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/services/people"
	"rolecall/internal/store"
	"rolecall/internal/store/sqlite"
)

// TestPeopleOfOldFiles opens a file from before people were found by keys and shared only conversations in which both had
// written: people are found by their folded names, and those who have written share the conversation.
func TestPeopleOfOldFiles(t *testing.T) {
	path := sqlite.OpenOld(t, 3,
		`INSERT INTO users (user_id, username, folded_name, role, company_id, last_seen) VALUES
			('u1', 'Jose'||char(769)||' One', 'x', 'driver', 'acme', 5), ('u2', 'Bob', 'bob', 'vendor', '', 6)`,
		`WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 4001)
			INSERT INTO users SELECT 'crowd-'||id, 'Crowd', 'crowd', 'vendor', '', 0 FROM ids`,
		`INSERT INTO rooms (number, room_id, kind, name, created_by, created_at, last_seq)
			VALUES (1, 'dm:u1:u2', 'direct', '', 'u1', 1, 2), (2, 'dm:u1:u3', 'direct', '', 'u1', 1, 1), (3, 'group:g', 'group', 'g', 'u1', 1, 2)`,
		`INSERT INTO room_members (room, user_id) VALUES (1, 'u1'), (1, 'u2'), (2, 'u1'), (2, 'u3'), (3, 'u1'), (3, 'u3'), (3, 'u4')`,
		`INSERT INTO messages (message_id, room, seq, user_id, username, role, text, reply_to, timestamp) VALUES
			('a', 1, 1, 'u1', 'U', 'driver', 'x', '', 1), ('b', 1, 2, 'u2', 'U', 'driver', 'x', '', 2),
			('c', 2, 1, 'u1', 'U', 'driver', 'x', '', 3),
			('d', 3, 1, 'u1', 'U', 'driver', 'x', '', 4), ('e', 3, 2, 'u4', 'U', 'driver', 'x', '', 5)`)
	opened, err := store.OpenSQLite(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}()
	for text, want := range map[string]string{"jos\u00c9": "u1", "one": "u1", "bob": "u2", "4001": "crowd-4001"} {
		found, next, err := opened.People.Search(t.Context(), people.UserQuery{Text: text}, "", 10)
		if err != nil || len(found) != 1 || found[0].UserID != want || next != "" {
			t.Errorf("%q: %+v, %q, %v", text, found, next, err)
		}
	}
	peers, err := opened.Conversations.Peers(t.Context(), []string{"u1", "u2", "u3", "u4"}, 10)
	want := map[string][]string{"u1": {"u2", "u4"}, "u2": {"u1"}, "u4": {"u1"}}
	if diff := cmp.Diff(want, peers); diff != "" || err != nil {
		t.Errorf("peers: %v (-want +got):\n%s", err, diff)
	}
	if full, err := opened.Groups.Full(t.Context(), []string{"u1", "u2", "u3"}, 1); err != nil || len(full) != 2 {
		t.Errorf("in a group are %v, %v", full, err)
	}
}
