package storetest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/test/servicetest"
)

func amendmentPromises() []promise {
	return []promise{
		{"an edited message says something else, and takes a revision", messageEdited},
		{"of a deleted message its place is left", messageDeleted},
		{"what must not be changed is not, and the rest of the batch is", amendmentsRefused},
		{"a change is for the members it was asked among", amendmentOutdated},
		{"changes are read back in order, with the message as it has become", changesKept},
		{"changes go with their message", changesGo},
		{"changes that are superseded are kept for a while", supersededGo},
		{"reactions are counted, and name the first who reacted", reactionsCounted},
		{"reactions are bounded", reactionsBounded},
		{"edited texts come back byte for byte", editedTextsComeBack},
	}
}

// at is some milliseconds after the start of the time in which drafts are sent.
func at(n int) instant.Stamp { return instant.Stamp(1_700_000_000_000 + n) }

func amendment(roomID, messageID, userID string, n int) chat.Deed {
	return chat.Deed{
		Room: servicetest.Room(roomID), MessageID: messageID, By: audit.Actor{UserID: userID, Username: "name of " + userID}, At: at(n),
	}
}

func edit(roomID, messageID, userID, text string, n int) chat.Edit {
	return chat.Edit{Deed: amendment(roomID, messageID, userID, n), Text: text}
}

func deletion(roomID, messageID, userID string, n int) chat.Deletion {
	return chat.Deletion{Deed: amendment(roomID, messageID, userID, n)}
}

func apply(t tester, store Store, changes ...chat.Change) []chat.Applied {
	t.Helper()
	applied, err := store.Chat.Apply(t.Context(), changes)
	check(t, "apply changes", err)
	if len(applied) != len(changes) {
		t.Fatalf("%d results for %d changes", len(applied), len(changes))
	}
	return applied
}

func messageEdited(t *testing.T, store Store) {
	first, second := draft("room", "u1", 1), draft("room", "u2", 2)
	first.ClientID, second.ReplyTo = "c", first.ID
	placed := appendDrafts(t, store, first, second)
	made := apply(t, store, edit("room", first.ID, "u1", "better", 7))[0]
	want := placed[0].Message
	want.Text, want.EditedAt, want.Revision = "better", at(7), 3
	same(t, "edited", chat.Applied{Message: want}, made)
	same(t, "history", []chat.Message{want, placed[1].Message}, wholeRoom(t, store, "room"))
	same(t, "head", chat.Head{Revision: 3, Seq: 2}, head(t, store, "room"))

	again := apply(t, store, edit("room", first.ID, "u1", "better", 9))[0]
	same(t, "edited again", chat.Applied{Message: want, Replayed: true}, again)
	same(t, "head after nothing has changed", chat.Head{Revision: 3, Seq: 2}, head(t, store, "room"))

	// Several changes in one batch, of the same message among them, and a message between.
	batch := apply(t, store, edit("room", first.ID, "u1", "best", 10), draft("room", "u2", 11), edit("room", first.ID, "u1", "final", 12))
	same(t, "revisions", []int64{4, 5, 6}, []int64{batch[0].Revision, batch[1].Revision, batch[2].Revision})
	want.Text, want.EditedAt, want.Revision = "final", at(12), 6
	same(t, "history after a batch", want, wholeRoom(t, store, "room")[0])

	// A message that is sent again is the first one, whatever it has become, and it is known by what it said at first.
	resent := first
	resent.ID = "another"
	replayed := appendDrafts(t, store, resent)[0]
	same(t, "sent again", chat.Applied{Message: want, Replayed: true, Said: chat.Said(&placed[0].Message, &want)}, replayed)
	if replayed.Said == 0 {
		t.Error("of what the message said at first no digest is kept")
	}

	// Times of changes do not lie before the room's newest message.
	early := apply(t, store, edit("room", first.ID, "u1", "early", -100))[0]
	same(t, "the time of a change by a clock that was put back", at(11), early.EditedAt)
}

func messageDeleted(t *testing.T, store Store) {
	mine, another := draft("room", "u1", 1), draft("room", "u2", 2)
	mine.ClientID = "c"
	placed := appendDrafts(t, store, mine, another)
	apply(t, store, edit("room", mine.ID, "u1", "edited", 3))
	made := apply(t, store, deletion("room", mine.ID, "u1", 4))[0]
	want := placed[0].Message
	want.Text, want.Revision = "", 4
	want.Deleted, want.DeletedAt, want.DeletedBy = true, at(4), "u1"
	same(t, "deleted", chat.Applied{Message: want}, made)
	same(t, "history", []chat.Message{want, placed[1].Message}, wholeRoom(t, store, "room"))

	again := apply(t, store, deletion("room", mine.ID, "u1", 5))[0]
	same(t, "deleted again", chat.Applied{Message: want, Replayed: true}, again)
	resent := mine
	resent.ID = "another"
	same(t, "sent again", chat.Applied{Message: want, Replayed: true, Said: chat.Said(&placed[0].Message, &want)}, appendDrafts(t, store, resent)[0])

	moderated := deletion("room", another.ID, "root", 6)
	moderated.OfAny = true
	byRoot := apply(t, store, moderated)[0]
	if byRoot.Revision != 5 || byRoot.DeletedBy != "root" || byRoot.Text != "" {
		t.Fatalf("deleted by who may delete any: %+v", byRoot)
	}
	if store.Administration == nil {
		return
	}
	lines, err := store.Administration.Lines(t.Context(), audit.Query{To: math.MaxInt64, Before: audit.Place{At: math.MaxInt64, Number: math.MaxInt64}, Limit: 10})
	check(t, "audit", err)
	if len(lines) != 1 {
		t.Fatalf("%d lines in the audit, want that of somebody else's message: %+v", len(lines), lines)
	}
	lines[0].Number = 0
	same(t, "audit", audit.Line{
		At: at(6), Actor: moderated.By, Action: audit.DeleteMessage, Target: another.ID, Detail: "of u2 in room",
	}, lines[0])
}

func amendmentsRefused(t *testing.T, store Store) {
	mine, gone := draft("room", "u1", 1), draft("room", "u1", 2)
	appendDrafts(t, store, mine, gone, draft("other", "u1", 3))
	apply(t, store, deletion("room", gone.ID, "u1", 4))
	before := wholeRoom(t, store, "room")
	for name, refused := range map[string]struct {
		change chat.Change
		code   fault.Code
	}{
		"edit of another's":        {edit("room", mine.ID, "u2", "x", 5), fault.Forbidden},
		"deletion of another's":    {deletion("room", mine.ID, "u2", 5), fault.Forbidden},
		"edit of a deleted one":    {edit("room", gone.ID, "u1", "x", 5), fault.Conflict},
		"deleting another's again": {deletion("room", gone.ID, "u2", 5), fault.Forbidden},
		"edit in another room":     {edit("other", mine.ID, "u1", "x", 5), fault.NotFound},
		"edit of none":             {edit("room", "none", "u1", "x", 5), fault.NotFound},
		"deletion of none":         {deletion("room", "", "u1", 5), fault.NotFound},
		"edit in no room":          {edit("none", mine.ID, "u1", "x", 5), fault.NotFound},
	} {
		batch := apply(t, store, refused.change)
		if got := servicetest.Code(batch[0].Refused); got != refused.code {
			t.Errorf("%s: refused with %q, want %q", name, got, refused.code)
		}
		same(t, name, before, wholeRoom(t, store, "room"))
		same(t, name, chat.Head{}, head(t, store, "none"))
	}
	mixed := apply(t, store, edit("room", "none", "u1", "x", 6), draft("room", "u2", 7), edit("room", mine.ID, "u1", "y", 8))
	if mixed[0].Refused == nil || mixed[1].Revision != 4 || mixed[2].Revision != 5 {
		t.Fatalf("a refusal among others: %+v", mixed)
	}
}

func amendmentOutdated(t *testing.T, store Store) {
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g", "a", "b", "c")))
	placed := appendDrafts(t, store, draft("group:g", "a", 1))
	takeOut(t, store, "group:g", 7, "c")
	late := edit("group:g", placed[0].ID, "a", "late", 5)
	current := late
	current.MembersSince = 2
	batch := apply(t, store, late, current)
	if !batch[0].Outdated || !batch[1].Outdated {
		t.Fatalf("a change among other members, and what comes behind it: %+v", batch)
	}
	if made := apply(t, store, current)[0]; made.Outdated || made.Revision != 3 {
		t.Fatalf("a change among the members: %+v", made)
	}
}

func changesKept(t *testing.T, store Store) {
	room := servicetest.Room("dm:u1:u2")
	first, second := draft("dm:u1:u2", "u1", 1), draft("dm:u1:u2", "u2", 2)
	appendDrafts(t, store, first, second)
	apply(t, store, edit("dm:u1:u2", first.ID, "u1", "b", 10), edit("dm:u1:u2", second.ID, "u2", "c", 20))
	third := appendDrafts(t, store, draft("dm:u1:u2", "u2", 30))[0]
	apply(t, store, deletion("dm:u1:u2", first.ID, "u1", 40))
	now := wholeRoom(t, store, "dm:u1:u2")
	all := []chat.Changed{
		{Revision: 3, Kind: chat.Edited, By: amendment("dm:u1:u2", "", "u1", 0).By, At: at(10), Message: now[0]},
		{Revision: 4, Kind: chat.Edited, By: amendment("dm:u1:u2", "", "u2", 0).By, At: at(20), Message: now[1]},
		{Revision: 6, Kind: chat.Deleted, By: amendment("dm:u1:u2", "", "u1", 0).By, At: at(40), Message: now[0]},
	}
	for _, asked := range []struct {
		after, upTo int64
		limit       int
		want        []chat.Changed
	}{
		{0, math.MaxInt64, 10, all}, {3, math.MaxInt64, 10, all[1:]}, {0, 4, 10, all[:2]}, {0, math.MaxInt64, 2, all[:2]},
		{5, 5, 10, nil}, {6, math.MaxInt64, 10, nil},
	} {
		changes, err := store.Chat.ChangesSince(t.Context(), room, asked.after, asked.upTo, asked.limit)
		check(t, "changes since", err)
		if len(changes)+len(asked.want) > 0 {
			same(t, "changes since", asked.want, changes)
		}
	}
	none, err := store.Chat.ChangesSince(t.Context(), servicetest.Room("none"), 0, math.MaxInt64, 10)
	check(t, "changes of no room", err)
	same(t, "changes of no room", 0, len(none))

	// Messages are told with the revision by which they were said.
	messages, err := store.Chat.MessagesSince(t.Context(), room, 0, math.MaxInt64, 10)
	check(t, "messages since", err)
	said := slices.Clone(now)
	for i, revision := range []int64{1, 2, 5} {
		said[i].Revision = revision
	}
	same(t, "messages since", said, messages)
	messages, err = store.Chat.MessagesSince(t.Context(), room, 4, math.MaxInt64, 10)
	check(t, "messages since", err)
	same(t, "messages since a change", []chat.Message{third.Message}, messages)

	for n, want := range map[int]int64{1: 0, 2: 1, 10: 2, 11: 3, 21: 4, 31: 5, 40: 5, 41: 6} {
		revision, err := store.Chat.RevisionBefore(t.Context(), room, int64(at(n)))
		check(t, "revision before", err)
		same(t, "revision before", want, revision)
	}
	for n, want := range map[int]string{0: "dm:u1:u2", 40: "dm:u1:u2", 41: ""} {
		rooms, err := store.Chat.ChangedRooms(t.Context(), []string{"u1"}, int64(at(n)))
		check(t, "changed rooms", err)
		var ids []string
		for _, changed := range rooms {
			ids = append(ids, changed.String())
		}
		same(t, "changed rooms", want, strings.Join(ids, " "))
	}
}

func changesGo(t *testing.T, store Store) {
	old, young := draft("room", "u1", 1), draft("room", "u1", 100)
	appendDrafts(t, store, old, young)
	apply(t, store, edit("room", old.ID, "u1", "a", 101), edit("room", young.ID, "u1", "b", 102), edit("room", old.ID, "u1", "c", 103))
	gone, err := store.Chat.DeleteMessagesBefore(t.Context(), int64(at(50)))
	check(t, "delete", err)
	same(t, "deleted", 1, gone)
	changes, err := store.Chat.ChangesSince(t.Context(), servicetest.Room("room"), 0, math.MaxInt64, 10)
	check(t, "changes since", err)
	if len(changes) != 1 || changes[0].Revision != 4 {
		t.Fatalf("changes that are left: %+v", changes)
	}
	if made := apply(t, store, edit("room", old.ID, "u1", "d", 104))[0]; servicetest.Code(made.Refused) != fault.NotFound {
		t.Fatalf("a message that is kept no longer was edited: %+v", made)
	}
	if next := apply(t, store, edit("room", young.ID, "u1", "e", 105))[0]; next.Revision != 6 {
		t.Fatalf("the next change has the revision %d, want 6", next.Revision)
	}
}

func editedTextsComeBack(t *testing.T, store Store) {
	d := draft("room", "u1", 1)
	d.Role = roles.Admin
	appendDrafts(t, store, d)
	n := 1
	for name, text := range hostileTexts() {
		n++
		change := edit("room", d.ID, "u1", text, n)
		change.By.Username = text
		made := apply(t, store, change)[0]
		same(t, name, text, made.Text)
		same(t, name, text, wholeRoom(t, store, "room")[0].Text)
		changes, err := store.Chat.ChangesSince(t.Context(), servicetest.Room("room"), made.Revision-1, made.Revision, 1)
		check(t, name, err)
		if len(changes) != 1 || changes[0].By.Username != text || changes[0].Message.Text != text {
			t.Fatalf("%s: the change is kept as %+v", name, changes)
		}
	}
}

func react(roomID, messageID, userID, emoji string, n int) chat.React {
	return chat.React{Deed: amendment(roomID, messageID, userID, n), With: emoji}
}

func unreact(roomID, messageID, userID, emoji string, n int) chat.React {
	change := react(roomID, messageID, userID, emoji, n)
	change.Off = true
	return change
}

func reactionsCounted(t *testing.T, store Store) {
	first, second := draft("room", "u1", 1), draft("room", "u2", 2)
	appendDrafts(t, store, first, second)
	// In one batch, by several, of one message and another.
	made := apply(t, store, react("room", first.ID, "u2", "👍", 3), react("room", first.ID, "u3", "❤️", 3), react("room", first.ID, "u3", "👍", 3),
		react("room", first.ID, "u2", "👍", 4), react("room", second.ID, "u2", "👍", 4), unreact("room", second.ID, "u1", "👍", 4))
	var revisions []int64
	for _, one := range made {
		if one.Refused != nil {
			t.Fatal(one.Refused)
		}
		revisions = append(revisions, one.Revision)
	}
	same(t, "revisions", []int64{3, 4, 5, 5, 6, 6}, revisions)
	if !made[3].Replayed || !made[5].Replayed {
		t.Fatalf("what is so already: %+v", made)
	}
	same(t, "as the change leaves them", []chat.Reaction{{Emoji: "👍", Count: 2, Mine: true}, {Emoji: "❤️", Count: 1, Mine: true}}, made[2].Reactions)
	shown := history(t, store, "room", chat.Page{Limit: 10, Asker: "u2"})
	same(t, "reactions to the first", []chat.Reaction{
		{Emoji: "👍", Count: 2, UserIDs: []string{"u2", "u3"}, Mine: true}, {Emoji: "❤️", Count: 1, UserIDs: []string{"u3"}},
	}, shown[0].Reactions)
	same(t, "reactions to the second", []chat.Reaction{{Emoji: "👍", Count: 1, UserIDs: []string{"u2"}, Mine: true}}, shown[1].Reactions)
	same(t, "its revision", []int64{5, 6}, []int64{shown[0].Revision, shown[1].Revision})
	same(t, "head", chat.Head{Revision: 6, Seq: 2}, head(t, store, "room"))

	apply(t, store, unreact("room", first.ID, "u2", "👍", 5), react("room", first.ID, "u2", "👍", 6))
	same(t, "who reacts again is the last", []string{"u3", "u2"}, wholeRoom(t, store, "room")[0].Reactions[1].UserIDs)
	changes, err := store.Chat.ChangesSince(t.Context(), servicetest.Room("room"), 6, math.MaxInt64, 10)
	check(t, "changes since", err)
	same(t, "changes", []string{"unreacted 👍 u2", "reacted 👍 u2"}, []string{
		string(changes[0].Kind) + " " + changes[0].Emoji + " " + changes[0].By.UserID,
		string(changes[1].Kind) + " " + changes[1].Emoji + " " + changes[1].By.UserID,
	})
	same(t, "the message of a change", 2, changes[0].Message.Reactions[1].Count)

	apply(t, store, deletion("room", first.ID, "u1", 7))
	same(t, "reactions to what was deleted", 0, len(wholeRoom(t, store, "room")[0].Reactions))
	late := apply(t, store, react("room", first.ID, "u2", "👍", 8))[0]
	same(t, "a reaction to what was deleted", fault.Conflict, servicetest.Code(late.Refused))
	gone, err := store.Chat.DeleteMessagesBefore(t.Context(), int64(at(100)))
	check(t, "delete", err)
	same(t, "messages that go with their reactions", 2, gone)
}

func reactionsBounded(t *testing.T, store Store) {
	message := draft("room", "u0", 1)
	appendDrafts(t, store, message)
	emoji := func(n int) string { return string(rune('a' + n)) }
	for n := range chat.MaxEmoji {
		made := apply(t, store, react("room", message.ID, fmt.Sprintf("u%d", n/chat.MaxOwnEmoji), emoji(n), 2))[0]
		check(t, "react", made.Refused)
	}
	for what, change := range map[string]chat.Change{
		"a sixth of one's own": react("room", message.ID, "u0", emoji(10), 3),
		"one more of all":      react("room", message.ID, "u9", "z", 3),
	} {
		if made := apply(t, store, change)[0]; servicetest.Code(made.Refused) != fault.TooLarge {
			t.Errorf("%s: %+v, want too_large", what, made)
		}
	}
	var crowd []chat.Change
	for n := range chat.MaxReactors + 10 {
		crowd = append(crowd, react("room", message.ID, fmt.Sprintf("v%02d", n), emoji(0), 4))
	}
	made := apply(t, store, crowd...)
	same(t, "a crowd, as the last leaves it", chat.MaxReactors+11, made[len(made)-1].Reactions[0].Count)
	shown := history(t, store, "room", chat.Page{Limit: 1, Asker: "v29"})[0].Reactions
	if first := shown[0]; first.Count != chat.MaxReactors+11 || len(first.UserIDs) != chat.MaxReactors || first.UserIDs[0] != "u0" ||
		first.UserIDs[19] != "v18" || !first.Mine {
		t.Fatalf("a crowd is shown as %+v", first)
	}
	same(t, "emoji", chat.MaxEmoji, len(shown))
}
