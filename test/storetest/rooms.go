package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/test/servicetest"
)

func roomPromises() []promise {
	return []promise{
		{"a group and its members are kept", groupsKept},
		{"a first message makes its room", firstMessageMakesRoom},
		{"a mark moves forward only", marksForward},
		{"a mark counts the messages of others", unreadCounted},
		{"readers are listed", readersListed},
		{"readers are bounded", readersBounded},
		{"peers share a direct room or a group", peers},
	}
}

func members(t tester, store Store, roomID string) []string {
	t.Helper()
	members, err := store.Groups.Members(t.Context(), servicetest.Room(roomID))
	check(t, "members", err)
	return members
}

func markRead(t tester, store Store, roomID, userID string, seq int64) int {
	t.Helper()
	unread, err := store.Chat.MarkRead(t.Context(), chat.ReadMark{Room: servicetest.Room(roomID), UserID: userID, Seq: seq})
	check(t, "mark read", err)
	return unread
}

func group(id string, members ...string) groups.Group {
	return groups.Group{
		Room: roles.GroupRoom(id), Name: "Night\x00shift 🌙", CreatedBy: members[0], CreatedAt: 1, Members: members,
	}
}

func groupsKept(t *testing.T, store Store) {
	if found := members(t, store, "group:none"); len(found) != 0 {
		t.Fatalf("an unknown group has members: %v", found)
	}
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g", "u2", "U1", "u10", "u1", "u2")))
	want := []string{"U1", "u1", "u10", "u2"} // the order of bytes
	same(t, "members", want, members(t, store, "group:g"))

	err := store.Groups.CreateGroup(t.Context(), group("g", "intruder"))
	if !errors.Is(err, groups.ErrExists) {
		t.Fatalf("a second group of the same id: error %v, want ErrRoomExists", err)
	}
	d := draft("group:g", "u1", 1)
	appendDrafts(t, store, d)
	same(t, "members after another group and a message", want, members(t, store, "group:g"))
}

func firstMessageMakesRoom(t *testing.T, store Store) {
	direct := draft("dm:a:b", "b", 1)
	alone := draft("dm:c:c", "c", 2)
	appendDrafts(t, store, direct, alone, draft("open", "a", 3))
	same(t, "direct", []string{"a", "b"}, members(t, store, "dm:a:b"))
	same(t, "with oneself", []string{"c"}, members(t, store, "dm:c:c"))
	if found := members(t, store, "open"); len(found) != 0 {
		t.Fatalf("an open room has members: %v", found)
	}
}

func marksForward(t *testing.T, store Store) {
	for n := 1; n <= 5; n++ {
		appendDrafts(t, store, draft("room", "author", n))
	}
	for _, step := range []struct {
		seq    int64
		unread int
	}{{2, 3}, {1, 3}, {0, 3}, {-7, 3}, {2, 3}, {4, 1}, {3, 1}, {5, 0}, {1, 0}} {
		if got := markRead(t, store, "room", "u1", step.seq); got != step.unread {
			t.Fatalf("mark at %d: %d unread, want %d", step.seq, got, step.unread)
		}
	}
	// A mark beyond the end must not make messages read that have not been written.
	markRead(t, store, "room", "u1", 1000)
	placed := appendDrafts(t, store, draft("room", "author", 6))[0]
	same(t, "readers of a message when it is written", []string{"author"}, placed.ReadBy)
	same(t, "readers of it afterwards", []string{"author"}, wholeRoom(t, store, "room")[5].ReadBy)
	if got := markRead(t, store, "room", "u1", 1); got != 1 {
		t.Fatalf("%d unread, want 1", got)
	}
	if got := markRead(t, store, "unknown", "u1", 3); got != 0 {
		t.Fatalf("%d unread in an unknown room", got)
	}
	appendDrafts(t, store, draft("unknown", "author", 1))
	if got := markRead(t, store, "unknown", "u1", 0); got != 1 {
		t.Fatalf("%d unread in a room marked before its first message, want 1", got)
	}
}

func unreadCounted(t *testing.T, store Store) {
	for n, author := range []string{"u1", "u2", "u1", "u3", "u1"} {
		appendDrafts(t, store, draft("room", author, n), draft("elsewhere", author, n))
	}
	for _, test := range []struct {
		user   string
		seq    int64
		unread int
	}{{"u1", 1, 2}, {"u2", 1, 3}, {"u3", 4, 1}, {"u4", 0, 5}, {"u1", 4, 0}} {
		if got := markRead(t, store, "room", test.user, test.seq); got != test.unread {
			t.Fatalf("%s at %d: %d unread, want %d", test.user, test.seq, got, test.unread)
		}
	}
}

func readersListed(t *testing.T, store Store) {
	for n := range 4 {
		appendDrafts(t, store, draft("room", "author", n))
	}
	for user, seq := range map[string]int64{"zoe": 4, "ann": 2, "Bob": 3, "author": 1} {
		markRead(t, store, "room", user, seq)
	}
	markRead(t, store, "other", "eve", 4)
	want := [][]string{{"author", "Bob", "ann", "zoe"}, {"author", "Bob", "ann", "zoe"}, {"author", "Bob", "zoe"}, {"author", "zoe"}}
	for i, message := range wholeRoom(t, store, "room") {
		same(t, message.ID, want[i], message.ReadBy)
	}
	page := history(t, store, "room", chat.Page{After: 2, Limit: 1})
	same(t, "on a page", want[2], page[0].ReadBy)
}

// readersBounded: of a room that many have read a message names no more than it may, those who have read furthest.
func readersBounded(t *testing.T, store Store) {
	const others = chat.MaxReaders + 20
	appendDrafts(t, store, draft("room", "author", 1), draft("room", "u000", 2), draft("room", "author", 3))
	for n := range others {
		markRead(t, store, "room", fmt.Sprintf("u%03d", n), 1+int64(n%2))
	}
	want := map[int64][]string{1: {"author"}, 2: {"u000"}, 3: {"author"}}
	for n := range others {
		if n%2 == 1 {
			want[2] = append(want[2], fmt.Sprintf("u%03d", n))
		}
	}
	messages := wholeRoom(t, store, "room")
	for _, seq := range []int64{2, 3} {
		same(t, "readers of a message that fewer have read", want[seq], messages[seq-1].ReadBy)
	}
	first := messages[0].ReadBy
	if len(first) != 1+chat.MaxReaders || first[0] != "author" || !slices.IsSorted(first[1:]) {
		t.Fatalf("the first message names %d readers: %v", len(first), first)
	}
	for _, further := range want[2][1:] {
		if !slices.Contains(first, further) {
			t.Fatalf("%s has read further than others and is not named", further)
		}
	}
	markRead(t, store, "room", "author", 3) // and is one of those who have read furthest
	same(t, "readers, the sender among them", len(first), len(wholeRoom(t, store, "room")[0].ReadBy))
}

func peers(t *testing.T, store Store) {
	direct := draft("dm:a:b", "a", 1)
	appendDrafts(t, store, direct, draft("open", "a", 2), draft("open", "stranger", 3))
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g1", "a", "c", "d", "b")))
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g2", "c", "e")))
	for _, test := range []struct {
		user string
		want []string
	}{
		{"a", []string{"b", "c", "d"}}, {"b", []string{"a", "c", "d"}}, {"e", []string{"c"}}, {"stranger", nil}, {"nobody", nil},
	} {
		got, err := store.Conversations.Peers(t.Context(), test.user, 100)
		check(t, "peers", err)
		slices.Sort(got)
		same(t, "peers of "+test.user, append([]string{}, test.want...), append([]string{}, got...))
	}
	got, err := store.Conversations.Peers(t.Context(), "a", 2)
	check(t, "peers", err)
	if len(got) != 2 {
		t.Fatalf("%d peers, asked for 2", len(got))
	}
}
