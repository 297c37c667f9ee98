package storetest

import (
	"fmt"
	"slices"
	"testing"

	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/test/servicetest"
)

func messagePromises() []promise {
	return []promise{
		{"every field comes back", messagesComeBack},
		{"texts come back byte for byte", textsComeBack},
		{"seq and revision rise by one a room", seqRises},
		{"a batch with an unknown change leaves nothing", unknownChange},
		{"a draft sent again is not stored twice", replays},
		{"a draft sent twice in one batch is stored once", replayWithinBatch},
		{"a client id counts for one sender", clientIDScope},
		{"times never fall in a room", timesRise},
		{"history pages both ways", historyPages},
		{"a message is found in its own room alone", messageFound},
		{"deletion keeps the numbering", messagesDeleted},
		{"any sequence of calls agrees with a model", chatModel},
	}
}

// draft returns a draft with an id of its own; n must be unique within the store.
func draft(roomID, userID string, n int) chat.Append {
	return chat.Append{Message: chat.Message{
		ID: fmt.Sprintf("%s/%d", roomID, n), Room: servicetest.Room(roomID), UserID: userID, Username: "name of " + userID,
		Role: roles.Driver, Text: fmt.Sprintf("text %d", n), Timestamp: instant.Stamp(1_700_000_000_000 + n),
	}}
}

// changes are the drafts as a store takes them.
func changes(drafts []chat.Append) []chat.Change {
	all := make([]chat.Change, len(drafts))
	for i := range drafts {
		all[i] = drafts[i]
	}
	return all
}

func appendDrafts(t tester, store Store, drafts ...chat.Append) []chat.Applied {
	t.Helper()
	appended, err := store.Chat.Apply(t.Context(), changes(drafts))
	check(t, "append messages", err)
	if len(appended) != len(drafts) {
		t.Fatalf("%d results for %d drafts", len(appended), len(drafts))
	}
	return appended
}

func history(t tester, store Store, roomID string, page chat.Page) []chat.Message {
	t.Helper()
	messages, err := store.Chat.History(t.Context(), servicetest.Room(roomID), page)
	check(t, "history", err)
	if messages == nil {
		t.Fatal("history is nil, want an empty slice")
	}
	return messages
}

// wholeRoom returns all messages of a room.
func wholeRoom(t tester, store Store, roomID string) []chat.Message {
	t.Helper()
	return history(t, store, roomID, chat.Page{Limit: 1_000_000})
}

func head(t tester, store Store, roomID string) chat.Head {
	t.Helper()
	head, err := store.Chat.Head(t.Context(), servicetest.Room(roomID))
	check(t, "head", err)
	return head
}

func lastSeq(t tester, store Store, roomID string) int64 {
	t.Helper()
	return head(t, store, roomID).Seq
}

func messagesComeBack(t *testing.T, store Store) {
	first, second := draft("lobby", "u1", 1), draft("lobby", "u2", 2)
	first.Role, first.ClientID = roles.Admin, "c-1"
	second.ReplyTo = first.ID
	appended := appendDrafts(t, store, first, second)
	want := []chat.Message{first.Message, second.Message}
	for i := range want {
		want[i].Seq, want[i].Revision, want[i].ReadBy = int64(i+1), int64(i+1), []string{want[i].UserID}
		same(t, "appended", chat.Applied{Message: want[i]}, appended[i])
	}
	same(t, "history", want, wholeRoom(t, store, "lobby"))
	seq, found, err := store.Chat.SeqOf(t.Context(), servicetest.Room("lobby"), second.ID)
	check(t, "seq of a message", err)
	if !found || seq != 2 {
		t.Fatalf("the second message has the seq %d, found %t", seq, found)
	}
	if none := appendDrafts(t, store); len(none) != 0 {
		t.Fatalf("appending nothing: %v", none)
	}
}

func textsComeBack(t *testing.T, store Store) {
	n := 0
	for name, text := range hostileTexts() {
		n++
		d := draft("room", "u1", n)
		d.Text, d.Username = text, text
		d.ClientID = text
		want := d.Message
		want.ReadBy, want.Seq, want.Revision = []string{"u1"}, int64(n), int64(n)
		appended := appendDrafts(t, store, d)
		same(t, name, want, appended[0].Message)
		same(t, name, []chat.Message{want}, history(t, store, "room", chat.Page{Limit: 1}))
		if again := appendDrafts(t, store, d); !again[0].Replayed {
			t.Fatalf("%s: as a client id it is not recognised", name)
		}
	}
}

func seqRises(t *testing.T, store Store) {
	if got := head(t, store, "a"); got != (chat.Head{}) {
		t.Fatalf("the head of an unknown room is %+v", got)
	}
	next := map[string]int64{}
	n := 0
	for _, batch := range []string{"a", "ab", "aab", "bbbb", "caba"} {
		var drafts []chat.Append
		for _, room := range batch {
			n++
			drafts = append(drafts, draft(string(room), "u1", n))
		}
		for _, placed := range appendDrafts(t, store, drafts...) {
			next[placed.Room.String()]++
			if want := next[placed.Room.String()]; placed.Seq != want || placed.Revision != want {
				t.Fatalf("batch %s: seq %d, revision %d in room %s, want %d", batch, placed.Seq, placed.Revision, placed.Room, want)
			}
		}
	}
	for room, want := range next {
		if got := head(t, store, room); got != (chat.Head{Revision: want, Seq: want}) {
			t.Fatalf("the head of %s is %+v, want %d", room, got, want)
		}
	}
}

func unknownChange(t *testing.T, store Store) {
	if applied, err := store.Chat.Apply(t.Context(), []chat.Change{draft("room", "u1", 1), nil}); err == nil {
		t.Fatalf("no change was taken for one: %+v", applied)
	}
	if got := head(t, store, "room"); got != (chat.Head{}) {
		t.Fatalf("the head after a batch that failed is %+v", got)
	}
}

func replays(t *testing.T, store Store) {
	first := draft("room", "u1", 1)
	first.ClientID = "c"
	placed := appendDrafts(t, store, first)[0]
	if placed.Replayed {
		t.Fatal("the first draft is called a replay")
	}
	_, err := store.Chat.MarkRead(t.Context(), chat.ReadMark{Room: servicetest.Room("room"), UserID: "u2", Seq: 1})
	check(t, "mark read", err)

	again := draft("room", "u1", 2)
	again.ClientID, again.Text, again.Timestamp = "c", "changed", 5
	next := draft("room", "u1", 3)
	batch := appendDrafts(t, store, again, next)
	want := placed
	want.Replayed = true // who has read it is left out
	same(t, "replay", want, batch[0])
	if batch[1].Seq != 2 || batch[1].Replayed {
		t.Fatalf("the draft after a replay has seq %d, replayed %t; want 2, false", batch[1].Seq, batch[1].Replayed)
	}
	if _, found, _ := store.Chat.SeqOf(t.Context(), servicetest.Room("room"), again.ID); found {
		t.Fatal("a replayed draft was stored")
	}
	only := appendDrafts(t, store, again)
	same(t, "a batch of a replay alone", want, only[0])
	if got := head(t, store, "room"); got != (chat.Head{Revision: 2, Seq: 2}) {
		t.Fatalf("the head after replays is %+v, want 2", got)
	}
}

func replayWithinBatch(t *testing.T, store Store) {
	a, b, c := draft("room", "u1", 1), draft("room", "u1", 2), draft("room", "u1", 3)
	a.ClientID, b.ClientID = "same", "same"
	appended := appendDrafts(t, store, a, b, c)
	got := []string{appended[0].ID, appended[1].ID, appended[2].ID}
	same(t, "ids", []string{a.ID, a.ID, c.ID}, got)
	if appended[0].Replayed || !appended[1].Replayed || appended[2].Replayed {
		t.Fatal("only the second draft is a replay")
	}
	if appended[1].Seq != 1 || appended[2].Seq != 2 {
		t.Fatalf("seqs %d and %d, want 1 and 2", appended[1].Seq, appended[2].Seq)
	}
}

// clientIDScope: another sender's id is another, one's own is the same in every room.
func clientIDScope(t *testing.T, store Store) {
	var drafts []chat.Append
	for i, scope := range []struct{ room, user, clientID string }{
		{"a", "u1", "c"}, {"a", "u2", "c"}, {"a", "u1", "C"}, {"a", "u1", "c "}, {"a", "u1", ""}, {"a", "u1", ""},
	} {
		d := draft(scope.room, scope.user, i)
		d.ClientID = scope.clientID
		drafts = append(drafts, d)
	}
	placed := appendDrafts(t, store, drafts...)
	for i := range placed {
		if placed[i].Replayed || placed[i].ID != drafts[i].ID {
			t.Fatalf("draft %d was taken for %s", i, placed[i].ID)
		}
	}
	elsewhere := draft("b", "u1", 100)
	elsewhere.ClientID = "c"
	want := placed[0]
	want.Replayed = true
	same(t, "sent again to another room", want, appendDrafts(t, store, elsewhere)[0])
	if got := head(t, store, "b"); got != (chat.Head{}) {
		t.Fatalf("the other room has come to %+v", got)
	}
}

// timesRise: a clock that was put back does not show in a room, where what is old is deleted from the beginning.
func timesRise(t *testing.T, store Store) {
	var drafts []chat.Append
	for n, at := range []instant.Stamp{50, 40, 60, 60, 10} {
		d := draft("room", "u1", n)
		d.Timestamp = at
		drafts = append(drafts, d)
	}
	appendDrafts(t, store, drafts[:3]...)
	appendDrafts(t, store, drafts[3:]...)
	var got []instant.Stamp
	for _, m := range wholeRoom(t, store, "room") {
		got = append(got, m.Timestamp)
	}
	same(t, "times", []instant.Stamp{50, 50, 60, 60, 60}, got)
	same(t, "the time in another room", instant.Stamp(7), func() instant.Stamp {
		d := draft("elsewhere", "u1", 100)
		d.Timestamp = 7
		return appendDrafts(t, store, d)[0].Timestamp
	}())
}

func historyPages(t *testing.T, store Store) {
	const last = 10
	for n := 1; n <= last; n++ {
		appendDrafts(t, store, draft("room", "u1", n))
	}
	appendDrafts(t, store, draft("elsewhere", "u1", 0))
	for _, test := range []struct {
		page     chat.Page
		from, to int64 // inclusive; from > to for none
	}{
		{chat.Page{Limit: 3}, 8, 10},
		{chat.Page{Limit: 9}, 2, 10},
		{chat.Page{Limit: 10}, 1, 10},
		{chat.Page{Limit: 11}, 1, 10},
		{chat.Page{Before: 8, Limit: 3}, 5, 7},
		{chat.Page{Before: 4, Limit: 3}, 1, 3},
		{chat.Page{Before: 1, Limit: 3}, 1, 0},
		{chat.Page{Before: 100, Limit: 2}, 9, 10},
		{chat.Page{After: chat.FromStart, Limit: 3}, 1, 3},
		{chat.Page{After: chat.FromStart, Limit: 10}, 1, 10},
		{chat.Page{After: 1, Limit: 3}, 2, 4},
		{chat.Page{After: 7, Limit: 3}, 8, 10},
		{chat.Page{After: 8, Limit: 3}, 9, 10},
		{chat.Page{After: 10, Limit: 3}, 1, 0},
		{chat.Page{After: 100, Limit: 3}, 1, 0},
		{chat.Page{After: 2, Before: 5, Limit: 3}, 3, 4},
		{chat.Page{After: 2, Before: 9, Limit: 3}, 3, 5},
		{chat.Page{Limit: 0}, 1, 0},
		{chat.Page{Limit: -1}, 1, 0},
	} {
		messages := history(t, store, "room", test.page)
		var got, want []int64
		for _, m := range messages {
			got = append(got, m.Seq)
		}
		for seq := test.from; seq <= test.to; seq++ {
			want = append(want, seq)
		}
		same(t, fmt.Sprintf("%+v", test.page), want, got)
	}
	if messages := history(t, store, "unknown", chat.Page{Limit: 3}); len(messages) != 0 {
		t.Fatal("an unknown room has messages")
	}
}

func messageFound(t *testing.T, store Store) {
	d := draft("room", "u1", 1)
	appendDrafts(t, store, d, draft("other", "u1", 2))
	for _, test := range []struct {
		room, id string
		found    bool
	}{
		{"room", d.ID, true}, {"other", d.ID, false}, {"unknown", d.ID, false}, {"room", "nope", false}, {"room", "", false},
	} {
		_, found, err := store.Chat.SeqOf(t.Context(), servicetest.Room(test.room), test.id)
		check(t, "seq of a message", err)
		if found != test.found {
			t.Fatalf("message %q of room %q: found %t, want %t", test.id, test.room, found, test.found)
		}
	}
}

func messagesDeleted(t *testing.T, store Store) {
	const count = 7000
	for chunk := range slices.Chunk(make([]struct{}, count), 1000) {
		base := int(lastSeq(t, store, "room"))
		var drafts []chat.Append
		for i := range chunk {
			drafts = append(drafts, draft("room", "u1", base+i))
		}
		appendDrafts(t, store, drafts...)
	}
	bound := int64(draft("room", "u1", count-1).Timestamp)
	total, calls := 0, 0
	for {
		gone, err := store.Chat.DeleteMessagesBefore(t.Context(), bound)
		check(t, "delete", err)
		if gone == 0 {
			break
		}
		total, calls = total+gone, calls+1
	}
	if total != count-1 || calls < 2 {
		t.Fatalf("%d messages deleted in %d calls, want %d in several", total, calls, count-1)
	}
	left := wholeRoom(t, store, "room")
	if len(left) != 1 || left[0].Seq != count {
		t.Fatalf("%d messages are left, want the one with seq %d", len(left), count)
	}
	_, err := store.Chat.DeleteMessagesBefore(t.Context(), bound+1)
	check(t, "delete the last", err)
	if got := lastSeq(t, store, "room"); got != count {
		t.Fatalf("last seq of an emptied room is %d, want %d", got, count)
	}
	if placed := appendDrafts(t, store, draft("room", "u1", count))[0]; placed.Seq != count+1 {
		t.Fatalf("seq %d after a deletion, want %d", placed.Seq, count+1)
	}
}
