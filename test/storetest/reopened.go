package storetest

import (
	"encoding/json"
	"math"
	"testing"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
)

// RunReopened checks that a store closed and opened again still holds everything. Open returns a new and empty store,
// and a function that closes it and opens the same data again; both are closed at the end of t.
func RunReopened(t *testing.T, open func(t *testing.T) (store Store, reopen func() Store)) {
	t.Helper()
	store, reopen := open(t)
	fix, person := fixAt("d1", 5), people.User{UserID: "u1", Username: "Ann", Role: roles.Admin, LastSeen: 3}
	appendPositions(t, store, fix)
	saveUser(t, store, person)
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g", "u1", "u2")))
	sent := draft("group:g", "u1", 1)
	sent.ClientID = "c"
	placed := appendDrafts(t, store, sent, draft("group:g", "u1", 2), draft("group:g", "u1", 3))[0]
	markRead(t, store, "group:g", "u2", 1)
	told := addressed("n1", "user:u1")
	told.Data = json.RawMessage(`{"a": 1}`)
	once := notices.Idempotency{UserID: "boss", Key: "k", Digest: "d"}
	first, _, err := createOnce(t.Context(), store, told, once)
	check(t, "create notice", err)
	create(t, store, addressed("n2", "user:u1"))
	markNotices(t, store, standing("u1"), 0, "n2")
	if _, err := store.Chat.DeleteMessagesBefore(t.Context(), int64(sent.Timestamp)+2); err != nil {
		t.Fatalf("delete messages: %v", err)
	}
	last, err := store.Notices.LastChange(t.Context())
	check(t, "last change", err)
	newest, err := store.Notices.Notices(t.Context(), math.MaxInt64, 1)
	check(t, "notices", err)

	store = reopen()
	drivers, err := store.Tracking.Drivers(t.Context())
	check(t, "drivers", err)
	d1 := driver("d1")
	d1.Newest = &fix
	same(t, "drivers", []tracking.Driver{d1}, drivers)
	appendPositions(t, store, fix)
	same(t, "track, the duplicate known", []tracking.Position{fix}, track(t, store, "d1"))
	same(t, "users", []people.User{person}, users(t, store, people.UserQuery{}, 10))
	same(t, "members", []string{"u1", "u2"}, members(t, store, "group:g"))
	same(t, "last seq", int64(3), lastSeq(t, store, "group:g"))
	left := wholeRoom(t, store, "group:g")
	if len(left) != 1 || left[0].Seq != 3 {
		t.Fatalf("history after a deletion: %+v", left)
	}
	same(t, "unread", 1, markRead(t, store, "group:g", "u2", 0))
	again := appendDrafts(t, store, chat.Append{Message: placed.Message})[0]
	if again.Replayed || again.Seq != 4 {
		t.Fatalf("a draft whose first message is deleted: replayed %t, seq %d; want false, 4", again.Replayed, again.Seq)
	}
	replay, replayed, err := createOnce(t.Context(), store, addressed("n3", "user:u1"), once)
	check(t, "create notice again", err)
	same(t, "replayed", true, replayed)
	same(t, "the first notice", first, replay)
	found, unread := inbox(t, store, standing("u1"), 0, "", 10)
	same(t, "inbox", []notices.Notice{first}, found)
	same(t, "unread notices", 1, unread)
	lastAgain, err := store.Notices.LastChange(t.Context())
	check(t, "last change again", err)
	same(t, "last change", last, lastAgain)
	rest, err := store.Notices.Notices(t.Context(), newest[0].Seq, 1)
	check(t, "a place from before", err)
	same(t, "its page", []notices.Notice{first}, plain(rest))
}
