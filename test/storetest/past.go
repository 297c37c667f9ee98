package storetest

import (
	"math"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/test/servicetest"
)

// pastKept: of a room can be read how far it has come, how far it had come at a time, and the changes since; and of people
// which of their rooms have changed.
func pastKept(t *testing.T, store Store) {
	room := servicetest.Room("group:g")
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g", "a", "b", "c", "d")))
	placed := appendDrafts(t, store, draft("group:g", "a", 1), draft("group:g", "b", 2), draft("dm:a:b", "a", 3), draft("open", "a", 4))
	first := takeOut(t, store, "group:g", start+10, "c", "d")
	next := draft("group:g", "a", 20)
	next.MembersSince, next.ClientID = 3, "own\x00"
	placed = append(placed, appendDrafts(t, store, next)...)
	second := takeOut(t, store, "group:g", start+30, "b")
	_, err := store.Chat.MarkRead(t.Context(), chat.ReadMark{Room: room, UserID: "a", Seq: 3, MembersSince: 5})
	check(t, "mark read", err)

	heads, err := store.Chat.Heads(t.Context(), []roles.ChatRoom{room, servicetest.Room("none"), servicetest.Room("open")})
	check(t, "heads", err)
	same(t, "heads", map[roles.ChatRoom]int64{room: 5, servicetest.Room("open"): 1}, heads)
	for at, want := range map[int64]int64{1: 0, 2: 1, 3: 2, 11: 3, 20: 3, 21: 4, 31: 5} {
		revision, err := store.Chat.RevisionBefore(t.Context(), room, start+at)
		check(t, "revision before", err)
		same(t, "revision before", want, revision)
	}
	revision, err := store.Chat.RevisionBefore(t.Context(), servicetest.Room("none"), start)
	check(t, "revision of no room", err)
	same(t, "revision of no room", int64(0), revision)

	all := []chat.Message{placed[0].Message, placed[1].Message, messageOf(room, &first), placed[4].Message, messageOf(room, &second)}
	for _, asked := range []struct {
		after, upTo int64
		limit       int
		want        []chat.Message
	}{
		{0, math.MaxInt64, 10, all}, {0, 3, 10, all[:3]}, {1, math.MaxInt64, 10, all[1:]}, {2, 4, 10, all[2:4]},
		{3, math.MaxInt64, 10, all[3:]}, {5, math.MaxInt64, 10, nil}, {0, math.MaxInt64, 2, all[:2]},
	} {
		messages, err := store.Chat.MessagesSince(t.Context(), room, asked.after, asked.upTo, asked.limit)
		check(t, "messages since", err)
		if len(messages)+len(asked.want) > 0 {
			same(t, "messages since", asked.want, messages)
		}
	}
	for after, want := range map[int64][]int64{0: {3, 5}, 3: {5}, 5: nil} {
		removals, err := store.Groups.Removals(t.Context(), room, after)
		check(t, "removals", err)
		var revisions []int64
		for _, removed := range removals {
			revisions = append(revisions, removed.Revision)
		}
		same(t, "removals", want, revisions)
		if after == 0 {
			same(t, "who was taken out", groups.Removed{
				Revision: 3, By: groups.Remover{UserID: "a", Username: "A\x00é", At: start + 10}, Members: []string{"c", "d"},
			}, removals[0])
		}
	}
	for _, asked := range []struct {
		userID string
		since  int64
		want   string
	}{
		{"a", 0, "dm:a:b group:g"}, {"a", 30, "group:g"}, {"a", 31, ""}, {"b", 3, "dm:a:b group:g"}, {"c", 10, "group:g"},
		{"c", 11, ""}, {"x", 0, ""},
	} {
		rooms, err := store.Chat.ChangedRooms(t.Context(), []string{asked.userID, "nobody"}, start+asked.since)
		check(t, "changed rooms", err)
		var ids []string
		for _, changed := range rooms {
			ids = append(ids, changed.String())
		}
		slices.Sort(ids)
		same(t, "changed rooms of "+asked.userID, asked.want, strings.Join(ids, " "))
	}
}
