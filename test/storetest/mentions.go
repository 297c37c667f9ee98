package storetest

import (
	"math"
	"testing"

	"rolecall/internal/services/chat"
	"rolecall/test/servicetest"
)

func mentioning(roomID, author string, n int, userIDs ...string) chat.Append {
	d := draft(roomID, author, n)
	d.Mentions = userIDs
	return d
}

// mentionsOf holds how many mentions somebody has not read in a room, as a mark, the list and what is unread tell it.
func mentionsOf(t tester, store Store, roomID, userID string, want int) {
	t.Helper()
	counts, err := store.Chat.Unread(t.Context(), servicetest.Room(roomID), userID, groupOf(t, store, roomID).Since)
	check(t, "unread", err)
	same(t, "mentions of "+userID, want, counts.Mentions)
	for _, row := range listOf(t, store, userID) {
		if row.Room.String() == roomID {
			same(t, "mentions in the list of "+userID, want, row.Mentions)
		}
	}
}

func mentionsCounted(t *testing.T, store Store) {
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g", "a", "b", "c")))
	first := mentioning("group:g", "a", 1, "b", "a", "c")
	placed := appendDrafts(t, store, first, mentioning("group:g", "b", 2), mentioning("group:g", "a", 3, "b"))
	same(t, "as it was said", []string{"b", "a", "c"}, placed[0].Mentions)
	same(t, "as it is read", []string{"b", "a", "c"}, history(t, store, "group:g", chat.Page{Limit: 10})[0].Mentions)
	for userID, want := range map[string]int{"a": 0, "b": 2, "c": 1} {
		mentionsOf(t, store, "group:g", userID, want)
	}
	left, err := store.Chat.MarkRead(t.Context(), chat.ReadMark{Room: servicetest.Room("group:g"), UserID: "b", Seq: 1})
	check(t, "mark read", err)
	same(t, "beyond the mark of b", chat.Counts{Unread: 1, Mentions: 1}, left)

	change := edit("group:g", placed[2].ID, "a", "for c", 4)
	apply(t, store, change) // keeps them
	mentionsOf(t, store, "group:g", "b", 1)
	change.Text, change.Mentions, change.Mentioning = "for c alone", []string{"c", "a"}, true
	edited := apply(t, store, change)[0]
	same(t, "once it was edited", []string{"c", "a"}, edited.Mentions)
	mentionsOf(t, store, "group:g", "b", 0)
	mentionsOf(t, store, "group:g", "c", 2)
	change.Mentions = []string{"c", "b"}
	again := change
	again.Mentions = nil
	applied := apply(t, store, change, again, change) // one after the other in a batch
	same(t, "revisions", []int64{6, 7, 8}, []int64{applied[0].Revision, applied[1].Revision, applied[2].Revision})
	mentionsOf(t, store, "group:g", "b", 1)
	changes, err := store.Chat.ChangesSince(t.Context(), servicetest.Room("group:g"), 0, math.MaxInt64, 10)
	check(t, "changes", err)
	same(t, "what is told again", []string{"c", "b"}, changes[len(changes)-1].Message.Mentions)

	gone := apply(t, store, deletion("group:g", placed[2].ID, "a", 9))[0]
	same(t, "of a deleted message", 0, len(gone.Mentions))
	mentionsOf(t, store, "group:g", "b", 0)
	mentionsOf(t, store, "group:g", "c", 1)
	_, err = store.Chat.DeleteMessagesBefore(t.Context(), int64(at(2)))
	check(t, "delete", err)
	mentionsOf(t, store, "group:g", "c", 0)
}

func mentionedTakesPart(t *testing.T, store Store) {
	appendDrafts(t, store, draft("lobby", "a", 1), mentioning("lobby", "a", 2, "b", "c"), draft("lobby", "c", 3), mentioning("lobby", "a", 4, "b"))
	row := listOf(t, store, "b")[0]
	same(t, "what b has not read", []int64{1, 3, 2}, []int64{row.ReadSeq, int64(row.Unread), int64(row.Mentions)})
	appendDrafts(t, store, draft("lobby", "b", 5))
	mentionsOf(t, store, "lobby", "b", 2)
	mentionsOf(t, store, "lobby", "c", 1)
	if peers, err := store.Conversations.Peers(t.Context(), []string{"b"}, 10); err != nil || len(peers) > 0 {
		t.Fatalf("b shares a conversation with %v, %v", peers, err)
	}
	same(t, "marked", 0, markRead(t, store, "lobby", "b", 5))
	mentionsOf(t, store, "lobby", "b", 0)
}
