package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/services/chat"
	"rolecall/test/servicetest"
)

func syncPromises() []promise {
	return []promise{
		{"changed messages come by their newest revision", changedMessages},
		{"the rooms of a person, and how far they have come", standings},
		{"messages are found to be quoted, in their own room", quotesFound},
		{"the first message that is kept, and what is unread", firstSaidAndUnread},
	}
}

func changed(t tester, store Store, roomID string, page chat.ChangedPage) []chat.Message {
	t.Helper()
	messages, err := store.Chat.ChangedMessages(t.Context(), servicetest.Room(roomID), page)
	check(t, "changed messages", err)
	if messages == nil {
		t.Fatal("changed messages are nil, want an empty slice")
	}
	return messages
}

func countChanged(t tester, store Store, roomID string, after int64, most int) int {
	t.Helper()
	n, err := store.Chat.CountChanged(t.Context(), servicetest.Room(roomID), after, most)
	check(t, "count changed messages", err)
	return n
}

// changedSince is what ChangedMessages must return of a room that is all there.
func changedSince(whole []chat.Message, page chat.ChangedPage) []chat.Message {
	want := slices.DeleteFunc(slices.Clone(whole), func(m chat.Message) bool { return m.Revision <= page.After || m.Revision > page.UpTo })
	slices.SortFunc(want, func(a, b chat.Message) int { return cmp.Compare(a.Revision, b.Revision) })
	return want[:min(len(want), page.Limit)]
}

func changedMessages(t *testing.T, store Store) {
	var n int
	rapid.Check(t, func(rt *rapid.T) {
		n++
		roomID := fmt.Sprintf("room-%d", n)
		said := rapid.IntRange(1, 12).Draw(rt, "said")
		for i := range said {
			appendDrafts(rt, store, draft(roomID, "u1", i))
			if rapid.Bool().Draw(rt, "changes") {
				of := draft(roomID, "", rapid.IntRange(0, i).Draw(rt, "which")).ID
				switch rapid.IntRange(0, 3).Draw(rt, "how") {
				case 0:
					apply(rt, store, deletion(roomID, of, "u1", i))
				case 1:
					apply(rt, store, edit(roomID, of, "u1", fmt.Sprint("edit ", i), i))
				default:
					apply(rt, store, react(roomID, of, "u2", "👍", i))
				}
			}
		}
		_, err := store.Chat.MarkRead(rt.Context(), chat.ReadMark{Room: servicetest.Room(roomID), UserID: "u3", Seq: 3})
		check(rt, "mark read", err)
		whole := history(rt, store, roomID, chat.Page{Limit: 1000, Asker: "u2"})
		page := chat.ChangedPage{
			After: rapid.Int64Range(0, 26).Draw(rt, "after"), UpTo: rapid.Int64Range(0, 26).Draw(rt, "up to"),
			Limit: rapid.IntRange(1, 10).Draw(rt, "limit"), Asker: "u2",
		}
		same(rt, "how many", min(len(changedSince(whole, chat.ChangedPage{After: page.After, UpTo: math.MaxInt64, Limit: 1000})), page.Limit),
			countChanged(rt, store, roomID, page.After, page.Limit))
		want := changedSince(whole, page)
		if want == nil {
			want = []chat.Message{}
		}
		same(rt, "changed messages", want, changed(rt, store, roomID, page))
	})
	same(t, "changed messages of no room", 0, len(changed(t, store, "none", chat.ChangedPage{UpTo: math.MaxInt64, Limit: 10})))
	_, err := store.Chat.ChangedMessages(t.Context(), servicetest.Room("room-1"), chat.ChangedPage{UpTo: math.MaxInt64, Limit: 10, MembersSince: 7})
	if !errors.Is(err, chat.ErrOutdated) {
		t.Fatalf("among other members: %v", err)
	}
}

func standings(t *testing.T, store Store) {
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g", "u1", "u2")))
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("h", "u1", "u3")))
	appendDrafts(t, store, draft("dm:u1:u2", "u1", 1), draft("dm:u2:u3", "u2", 2), draft("open", "u1", 3), draft("group:g", "u1", 4), draft("group:g", "u1", 5))
	takeOut(t, store, "group:g", 7, "u2")
	for userID, want := range map[string]string{
		"u1": "dm:u1:u2 1, group:g 3, group:h 0, open 1, ", "u2": "dm:u1:u2 1, dm:u2:u3 1, ", "nobody": "",
	} {
		all, err := store.Chat.Standings(t.Context(), userID)
		check(t, "standings", err)
		slices.SortFunc(all, func(a, b chat.Standing) int { return cmp.Compare(a.Room.String(), b.Room.String()) })
		got := ""
		for _, one := range all {
			got += fmt.Sprintf("%s %d, ", one.Room, one.Revision)
		}
		same(t, "the rooms of "+userID, want, got)
	}
}

func firstSaidAndUnread(t *testing.T, store Store) {
	room := servicetest.Room("dm:u1:u2")
	first := func() int64 {
		t.Helper()
		revision, err := store.Chat.FirstSaid(t.Context(), room, 0)
		check(t, "first message", err)
		return revision
	}
	unread := func(userID string) int {
		t.Helper()
		count, err := store.Chat.Unread(t.Context(), room, userID, 0)
		check(t, "unread", err)
		return count.Unread
	}
	same(t, "the first of no room", int64(0), first())
	same(t, "unread in no room", 0, unread("u2"))
	one := draft("dm:u1:u2", "u1", 1)
	appendDrafts(t, store, one)
	apply(t, store, edit("dm:u1:u2", one.ID, "u1", "edited", 2))
	appendDrafts(t, store, draft("dm:u1:u2", "u1", 10), draft("dm:u1:u2", "u2", 11))
	same(t, "the first, though it was edited", int64(1), first())
	same(t, "unread by who has said none", 3, unread("u3"))
	same(t, "unread by who has said one", 2, unread("u2"))
	_, err := store.Chat.MarkRead(t.Context(), chat.ReadMark{Room: room, UserID: "u3", Seq: 2})
	check(t, "mark read", err)
	same(t, "unread beyond a mark", 1, unread("u3"))
	_, err = store.Chat.DeleteMessagesBefore(t.Context(), int64(at(5)))
	check(t, "delete", err)
	same(t, "the first that is left", int64(3), first())
	same(t, "unread of what is left", 1, unread("u2"))
	_, err = store.Chat.DeleteMessagesBefore(t.Context(), int64(at(50)))
	check(t, "delete", err)
	same(t, "the first of none", int64(0), first())
	if _, err := store.Chat.Unread(t.Context(), room, "u2", 7); !errors.Is(err, chat.ErrOutdated) {
		t.Fatalf("among other members: %v", err)
	}
}

func quotesFound(t *testing.T, store Store) {
	one, two, elsewhere := draft("room", "u1", 1), draft("room", "u2", 2), draft("other", "u1", 3)
	one.Text, one.Username = "a\x00b", "n\x00"
	appendDrafts(t, store, one, two, elsewhere)
	apply(t, store, deletion("room", two.ID, "u2", 4))
	quotes, err := store.Chat.Quotes(t.Context(), servicetest.Room("room"), []string{one.ID, two.ID, elsewhere.ID, "none", one.ID})
	check(t, "quotes", err)
	same(t, "quotes", map[string]chat.Quote{
		one.ID: {Seq: 1, MessageID: one.ID, UserID: "u1", Username: "n\x00", Text: "a\x00b"},
		two.ID: {Seq: 2, MessageID: two.ID, UserID: "u2", Username: "name of u2", Deleted: true},
	}, quotes)
	none, err := store.Chat.Quotes(t.Context(), servicetest.Room("none"), []string{one.ID})
	check(t, "quotes of no room", err)
	same(t, "quotes of no room", 0, len(none))
}
