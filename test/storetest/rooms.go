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
		{"peers have both written in a direct room or a group", peers},
		{"the first message of a sender is one where there are members", firsts},
		{"nothing is done for former members", formerMembers},
		{"what has become of rooms is told again", pastKept},
		{"groups are counted, of their makers and of their members", groupsCounted},
	}
}

func members(t tester, store Store, roomID string) []string {
	t.Helper()
	return groupOf(t, store, roomID).Members
}

func markRead(t tester, store Store, roomID, userID string, seq int64) int {
	t.Helper()
	unread, err := store.Chat.MarkRead(t.Context(), chat.ReadMark{Room: servicetest.Room(roomID), UserID: userID, Seq: seq})
	check(t, "mark read", err)
	return unread.Unread
}

func group(id string, members ...string) groups.Founding {
	return groups.Founding{
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
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g1", "a", "c", "d", "b")))
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g2", "c", "e")))
	expectPeers(t, store, "before a word", nil)
	appendDrafts(t, store, draft("dm:a:b", "a", 1), draft("open", "a", 2), draft("open", "stranger", 3), draft("dm:a:a", "a", 4),
		draft("dm:a:x", "x", 5), draft("group:g1", "a", 6), draft("group:g2", "e", 7))
	expectPeers(t, store, "before an answer", nil)
	appendDrafts(t, store, draft("dm:a:b", "b", 8), draft("group:g1", "c", 9), draft("group:g1", "c", 10), draft("dm:a:c", "c", 11))
	expectPeers(t, store, "with answers", map[string][]string{"a": {"b", "c"}, "b": {"a"}, "c": {"a"}})
	appendDrafts(t, store, draft("dm:a:c", "a", 12), draft("group:g2", "c", 13))
	expectPeers(t, store, "in several rooms", map[string][]string{"a": {"b", "c"}, "b": {"a"}, "c": {"a", "e"}, "e": {"c"}})
	got, err := store.Conversations.Peers(t.Context(), []string{"a"}, 1)
	check(t, "peers", err)
	same(t, "the first peer", map[string][]string{"a": {"b"}}, got)
	takeOut(t, store, "group:g2", 7, "e")
	expectPeers(t, store, "once one has left", map[string][]string{"a": {"b", "c"}, "b": {"a"}, "c": {"a"}})
	changeGroup(t, store, "group:g2", changeOf(8, groups.Entry{Type: groups.EntryAdded, Users: []string{"e", "f"}}))
	expectPeers(t, store, "once one is back", map[string][]string{"a": {"b", "c"}, "b": {"a"}, "c": {"a", "e"}, "e": {"c"}})
}

// firsts: the first message of each sender is one in rooms with members.
func firsts(t *testing.T, store Store) {
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g", "a", "b")))
	for i, said := range []struct {
		room, sender string
		isFirst      bool
	}{
		{"dm:a:b", "a", true}, {"dm:a:b", "a", false}, {"dm:a:b", "b", true}, {"dm:a:b", "b", false},
		{"group:g", "a", true}, {"group:g", "b", true}, {"group:g", "a", false}, {"open", "a", false}, {"open", "b", false},
	} {
		applied, err := store.Chat.Apply(t.Context(), []chat.Change{draft(said.room, said.sender, i+1)})
		check(t, "apply", err)
		same(t, fmt.Sprintf("message %d is its sender's first", i), said.isFirst, applied[0].IsFirst)
	}
}

// expectPeers holds Peers, and Among, of everybody against those who share a conversation.
func expectPeers(t *testing.T, store Store, when string, want map[string][]string) {
	t.Helper()
	everybody := []string{"a", "b", "c", "d", "e", "stranger", "x", "nobody"}
	got, err := store.Conversations.Peers(t.Context(), everybody, 100)
	check(t, "peers", err)
	if len(want)+len(got) > 0 {
		same(t, "peers "+when, want, got)
	}
	for _, userID := range everybody {
		among, err := store.Conversations.Among(t.Context(), userID, everybody)
		check(t, "among", err)
		for _, other := range everybody {
			if shares := slices.Contains(want[userID], other); among[other] != shares {
				t.Fatalf("%s: %s shares a conversation with %s: %v, want %v", when, userID, other, among[other], shares)
			}
		}
	}
}

// formerMembers: who goes by members that are no longer those of the group changes and learns nothing, wherever it was
// changed, and changes of other rooms are made all the same.
func formerMembers(t *testing.T, store Store) {
	room := servicetest.Room("group:g")
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g", "a", "b", "c")))
	appendDrafts(t, store, draft("group:g", "a", 1), draft("group:g", "b", 2))
	same(t, "members since", int64(0), groupOf(t, store, "group:g").Since)
	revision := takeOut(t, store, "group:g", 7, "b").Revision
	left := groupOf(t, store, "group:g")
	same(t, "members who are left", []string{"a", "c"}, left.Members)
	same(t, "since", revision, left.Since)
	since := left.Since
	same(t, "head", chat.Head{Revision: 3, Seq: 3, MembersSince: since}, head(t, store, "group:g"))

	late, current, behind, elsewhere := draft("group:g", "b", 3), draft("group:g", "a", 4), draft("group:g", "c", 5), draft("open", "b", 6)
	current.MembersSince, behind.MembersSince = since, since
	late.ClientID = "late"
	outdated := chat.Applied{Outdated: true}
	applied := appendDrafts(t, store, current, late, elsewhere, behind)
	same(t, "among former members", []chat.Applied{outdated, outdated}, []chat.Applied{applied[1], applied[3]})
	if applied[0].Seq != 4 || applied[0].Revision != 4 || applied[2].Seq != 1 || applied[0].Outdated || applied[2].Outdated {
		t.Fatalf("the others have come to %+v", applied)
	}
	same(t, "a batch that changes nothing", []chat.Applied{outdated}, appendDrafts(t, store, late))
	same(t, "head", chat.Head{Revision: 4, Seq: 4, MembersSince: since}, head(t, store, "group:g"))
	for _, page := range []chat.Page{{Limit: 10}, {After: 1, Limit: 10}, {After: 9, Limit: 10}} {
		if messages, err := store.Chat.History(t.Context(), room, page); !errors.Is(err, chat.ErrOutdated) {
			t.Fatalf("history %+v for former members: %v, %v", page, messages, err)
		}
	}
	same(t, "history", 4, len(history(t, store, "group:g", chat.Page{Limit: 10, MembersSince: since})))
	same(t, "no history", 0, len(history(t, store, "group:g", chat.Page{Limit: 10, After: 9, MembersSince: since})))
	if unread, err := store.Chat.MarkRead(t.Context(), chat.ReadMark{Room: room, UserID: "b", Seq: 1}); !errors.Is(err, chat.ErrOutdated) {
		t.Fatalf("a mark of a former member: %d, %v", unread, err)
	}
	unread, err := store.Chat.MarkRead(t.Context(), chat.ReadMark{Room: room, UserID: "c", Seq: 1, MembersSince: since})
	check(t, "mark read", err)
	same(t, "unread", chat.Counts{Unread: 2}, unread)
	same(t, "readers", []string{"a", "c"}, history(t, store, "group:g", chat.Page{Limit: 10, MembersSince: since})[0].ReadBy)
	made, err := store.Groups.ChangeGroup(t.Context(), room, 0, []groups.Change{removalOf(7, "c")})
	if !errors.Is(err, groups.ErrOutdated) {
		t.Fatalf("%+v among former members: %v", made, err)
	}
	same(t, "members", []string{"a", "c"}, members(t, store, "group:g"))
}

func groupsCounted(t *testing.T, store Store) {
	for i, made := range []string{"g1", "g2", "g3"} {
		g := group(made, "a", "b")
		g.CreatedAt = int64(10 * i)
		check(t, "create group", store.Groups.CreateGroup(t.Context(), g))
	}
	appendDrafts(t, store, draft("dm:b:c", "b", 1), draft("open", "a", 2))
	for since, want := range map[int64]int{-1: 3, 0: 2, 10: 1, 20: 0} {
		got, err := store.Groups.MadeSince(t.Context(), "a", since)
		check(t, "made", err)
		same(t, "made", want, got)
	}
	takeOut(t, store, "group:g2", 7, "a")
	for most, want := range map[int][]string{1: {"a", "b"}, 2: {"a", "b"}, 3: {"b"}, 4: {}} {
		full, err := store.Groups.Full(t.Context(), []string{"a", "b", "c"}, most)
		check(t, "full", err)
		slices.Sort(full)
		same(t, "full", want, full)
	}
}
