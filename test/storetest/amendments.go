package storetest

import (
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

	// A message that is sent again is the first one, whatever it has become.
	resent := first
	resent.ID = "another"
	replayed := appendDrafts(t, store, resent)[0]
	same(t, "sent again", chat.Applied{Message: want, Replayed: true}, replayed)

	// Times of changes do not lie before the room's newest message.
	early := apply(t, store, edit("room", first.ID, "u1", "early", -100))[0]
	same(t, "the time of a change by a clock that was put back", at(11), early.EditedAt)
}

func messageDeleted(t *testing.T, store Store) {
	mine, another := draft("room", "u1", 1), draft("room", "u2", 2)
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
	_, _, err := store.Groups.RemoveMembers(t.Context(), servicetest.Room("group:g"), 0, []string{"c"}, remover)
	check(t, "remove", err)
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
