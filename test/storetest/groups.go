package storetest

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"rolecall/internal/audit"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/test/servicetest"
)

func groupPromises() []promise {
	return []promise{
		{"what becomes of a group is an entry of its log", entriesKept},
		{"entries are neither unread nor anybody's", entriesUncounted},
		{"who is put into a group sees what comes from then on", laterMembers},
		{"who is put into a group sees all of it where it says so", laterMembersSeeAll},
		{"who was taken out of a group, and how they had come", removalsKept},
		{"a group is made once under its maker's own id", groupsMadeOnce},
		{"mentions are kept, and counted until they are read", mentionsCounted},
		{"who is mentioned in an open room takes part in it", mentionedTakesPart},
		{"what is unread equals a recount from the log", countsModel},
		{"what is done in the group of others is written down with it", groupsAudited},
	}
}

func groupOf(t tester, store Store, roomID string) groups.Group {
	t.Helper()
	group, err := store.Groups.Group(t.Context(), servicetest.Room(roomID))
	check(t, "group", err)
	return group
}

// changeOf is a change of a group by a.
func changeOf(at int64, entry groups.Entry) groups.Change {
	entry.By = "a"
	return groups.Change{
		Entry: entry, ID: fmt.Sprintf("entry-%d-%s-%s", at, entry.Type, entry.Users), Username: "A\x00é", Role: roles.Vendor, At: instant.Stamp(at),
	}
}

func removalOf(at int64, members ...string) groups.Change {
	return changeOf(at, groups.Entry{Type: groups.EntryRemoved, Users: members})
}

// changeGroup changes a group as it is.
func changeGroup(t tester, store Store, roomID string, changes ...groups.Change) []groups.Made {
	t.Helper()
	made, err := store.Groups.ChangeGroup(t.Context(), servicetest.Room(roomID), groupOf(t, store, roomID).Since, changes)
	check(t, "change group", err)
	return made
}

func takeOut(t tester, store Store, roomID string, at int64, members ...string) groups.Made {
	t.Helper()
	return changeGroup(t, store, roomID, removalOf(at, members...))[0]
}

// messageOf is an entry as a message of its room.
func messageOf(room roles.ChatRoom, made *groups.Made) chat.Message {
	return chat.Message{
		ID: made.ID, Room: room, Seq: made.Seq, Revision: made.Revision, Kind: groups.KindSystem, UserID: made.By, Username: made.Username,
		Role: made.Role, Text: made.Text(made.Username), System: &made.Entry, Timestamp: made.At, ReadBy: []string{made.By},
	}
}

func entriesKept(t *testing.T, store Store) {
	founding := group("g", "a", "b", "c")
	first := changeOf(start, groups.Entry{Type: groups.EntryCreated, Users: founding.Members, Name: founding.Name})
	founding.Entry = &first
	check(t, "create group", store.Groups.CreateGroup(t.Context(), founding))
	appendDrafts(t, store, draft("group:g", "b", 50))
	made := changeGroup(t, store, "group:g",
		changeOf(start+9, groups.Entry{Type: groups.EntryRenamed, Name: "Day\x00shift"}), // by a clock that is behind
		changeOf(start+60, groups.Entry{Type: groups.EntryHistory, History: groups.FromStart}),
		changeOf(start+61, groups.Entry{Type: groups.EntryAdded, Users: []string{"d", "e"}}),
		changeOf(start+62, groups.Entry{Type: groups.EntryOwner, Owner: "d"}),
		changeOf(start+63, groups.Entry{Type: groups.EntryLeft, Users: []string{"a"}}))
	room := servicetest.Room("group:g")
	want := []chat.Message{messageOf(room, &groups.Made{Change: first, Seq: 1, Revision: 1})}
	for i := range made {
		same(t, "seq and revision", []int64{int64(i + 3), int64(i + 3)}, []int64{made[i].Seq, made[i].Revision})
		want = append(want, messageOf(room, &made[i]))
	}
	same(t, "the time of the first", at(50), made[0].At)
	got := history(t, store, "group:g", chat.Page{Limit: 100, MembersSince: 7})
	same(t, "the log", want, append(got[:1:1], got[2:]...))
	same(t, "the group", groups.Group{
		Room: room, Name: "Day\x00shift", Owner: "d", History: groups.FromStart, Members: []string{"b", "c", "d", "e"}, Since: 7,
		Later: map[string]groups.Joining{"d": {Revision: 5}, "e": {Revision: 5}},
	}, groupOf(t, store, "group:g"))
	same(t, "head", chat.Head{Revision: 7, Seq: 7, MembersSince: 7}, head(t, store, "group:g"))
	found, err := store.Groups.Entries(t.Context(), room, 3)
	check(t, "entries", err)
	same(t, "entries", made[1:], found)

	refused := apply(t, store, edit("group:g", made[0].ID, "a", "x", 70))
	if !refused[0].Outdated {
		t.Fatalf("an edit among former members: %+v", refused)
	}
	for _, change := range []chat.MessageChange{
		chat.Edit{Deed: chat.Deed{Room: room, MessageID: made[0].ID, By: audit.Actor{UserID: "a"}, MembersSince: 7}, Text: "x"},
		chat.Deletion{Deed: chat.Deed{Room: room, MessageID: made[0].ID, By: audit.Actor{UserID: "a"}, MembersSince: 7}, OfAny: true},
		chat.React{Deed: chat.Deed{Room: room, MessageID: made[0].ID, By: audit.Actor{UserID: "b"}, MembersSince: 7}, With: "👍"},
	} {
		if applied := apply(t, store, change)[0]; applied.Refused == nil {
			t.Fatalf("an entry was changed: %+v", applied)
		}
	}
	quotes, err := store.Chat.Quotes(t.Context(), room, []string{made[0].ID})
	check(t, "quotes", err)
	same(t, "an entry is not quoted", 0, len(quotes))
}

func entriesUncounted(t *testing.T, store Store) {
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g", "a", "b")))
	rename := func(n int64) {
		changeGroup(t, store, "group:g", changeOf(start+n, groups.Entry{Type: groups.EntryRenamed, Name: fmt.Sprint(n)}))
	}
	unread := func(userID string, want int) {
		t.Helper()
		got, err := store.Chat.Unread(t.Context(), servicetest.Room("group:g"), userID, 0)
		check(t, "unread", err)
		same(t, "unread by "+userID, want, got.Unread)
		same(t, "unread in the list of "+userID, want, listOf(t, store, userID)[0].Unread)
	}
	rename(1)
	unread("b", 0)
	appendDrafts(t, store, draft("group:g", "a", 2))
	rename(3)
	appendDrafts(t, store, draft("group:g", "b", 4))
	rename(5)
	unread("a", 1)
	unread("b", 1)
	same(t, "marked on an entry", 1, markRead(t, store, "group:g", "b", 1))
	same(t, "marked on the message", 0, markRead(t, store, "group:g", "b", 2))
	same(t, "the last of the list", groups.EntryRenamed, listOf(t, store, "a")[0].LastMessage.System.Type)
	_, err := store.Chat.DeleteMessagesBefore(t.Context(), start+3)
	check(t, "delete", err)
	unread("a", 1)
	unread("b", 0)
	same(t, "marked on the last", 0, markRead(t, store, "group:g", "a", 5))
}

// addLater puts x into a group in which three things have been said.
func addLater(t *testing.T, store Store, history groups.History) groups.Made {
	founding := group("g", "a", "b")
	founding.History = history
	check(t, "create group", store.Groups.CreateGroup(t.Context(), founding))
	appendDrafts(t, store, draft("group:g", "a", 1), draft("group:g", "b", 2), draft("group:g", "a", 3))
	made := changeGroup(t, store, "group:g", changeOf(start+4, groups.Entry{Type: groups.EntryAdded, Users: []string{"x"}}))[0]
	later := draft("group:g", "b", 5)
	later.MembersSince = made.Revision
	appendDrafts(t, store, later)
	return made
}

func laterMembers(t *testing.T, store Store) {
	made := addLater(t, store, groups.FromJoining)
	group := groupOf(t, store, "group:g")
	same(t, "what x sees", groups.Sight{Seq: 3, Revision: 3}, group.SightOf("x"))
	same(t, "what a sees", groups.Sight{}, group.SightOf("a"))
	sight := group.SightOf("x")
	seen := history(t, store, "group:g", chat.Page{Limit: 10, MembersSince: made.Revision, From: sight.Seq})
	same(t, "the log of x", []int64{4, 5}, seqsOf(seen))
	same(t, "from the start", []int64{4, 5}, seqsOf(history(t, store, "group:g",
		chat.Page{After: chat.FromStart, Limit: 10, MembersSince: made.Revision, From: sight.Seq})))
	deed := chat.Deed{Room: servicetest.Room("group:g"), MessageID: draft("group:g", "a", 1).ID, MembersSince: made.Revision, By: audit.Actor{UserID: "a"}}
	apply(t, store, chat.Edit{Deed: deed, Text: "edited"})
	deed.Sight, deed.By.UserID = sight, "x"
	if applied := apply(t, store, chat.React{Deed: deed, With: "👍"})[0]; applied.Refused == nil {
		t.Fatalf("x has reacted to what x does not see: %+v", applied)
	}
	same(t, "what has changed for x", []int64{4, 5}, seqsOf(changed(t, store, "group:g",
		chat.ChangedPage{UpTo: math.MaxInt64, Limit: 10, MembersSince: made.Revision, From: sight.Seq})))
	first, err := store.Chat.FirstSaid(t.Context(), servicetest.Room("group:g"), sight.Seq)
	check(t, "first message", err)
	same(t, "the first for x", made.Revision, first)
	row := listOf(t, store, "x")[0]
	same(t, "read and unread by x", []int64{3, 1}, []int64{row.ReadSeq, int64(row.Unread)})
	same(t, "readers of what was said before", []string{"a"}, seenBy(t, store, made.Revision, 5, "x")[0])
	same(t, "readers of what was said since", []string{"b", "x"}, seenBy(t, store, made.Revision, 5, "x")[4])
}

// seenBy marks a message of a group as read by somebody, and returns who has read each.
func seenBy(t *testing.T, store Store, since, seq int64, userID string) (readers [][]string) {
	t.Helper()
	_, err := store.Chat.MarkRead(t.Context(), chat.ReadMark{Room: servicetest.Room("group:g"), UserID: userID, Seq: seq, MembersSince: since})
	check(t, "mark read", err)
	for _, m := range history(t, store, "group:g", chat.Page{Limit: 10, MembersSince: since}) {
		readers = append(readers, m.ReadBy)
	}
	return readers
}

func laterMembersSeeAll(t *testing.T, store Store) {
	addLater(t, store, groups.FromStart)
	group := groupOf(t, store, "group:g")
	same(t, "what x sees", groups.Sight{}, group.SightOf("x"))
	row := listOf(t, store, "x")[0]
	same(t, "read and unread by x", []int64{3, 1}, []int64{row.ReadSeq, int64(row.Unread)})
}

func removalsKept(t *testing.T, store Store) {
	added := addLater(t, store, groups.FromJoining)
	out := takeOut(t, store, "group:g", start+9, "a", "x")
	back := changeGroup(t, store, "group:g", changeOf(start+10, groups.Entry{Type: groups.EntryAdded, Users: []string{"x"}}))[0]
	removals, err := store.Groups.Removals(t.Context(), servicetest.Room("group:g"), 0)
	check(t, "removals", err)
	same(t, "removals", []groups.Removed{{
		Revision: out.Revision, By: groups.Remover{UserID: "a", Username: "A\x00é", At: start + 9}, Members: []string{"a", "x"},
		Later: map[string]groups.Joining{"x": {Revision: added.Revision, SeesAfter: 3}},
	}}, removals)
	same(t, "x, who is back", map[string]groups.Joining{"x": {Revision: back.Revision, SeesAfter: back.Seq - 1}}, groupOf(t, store, "group:g").Later)
	closed := changeGroup(t, store, "group:g", changeOf(start+11, groups.Entry{Type: groups.EntryClosed, Users: []string{"b", "x"}}))[0]
	same(t, "nobody is left", 0, len(groupOf(t, store, "group:g").Members))
	same(t, "the end", closed.Revision, head(t, store, "group:g").Revision)
}

func groupsMadeOnce(t *testing.T, store Store) {
	first, again, others := group("g1", "a", "b"), group("g2", "a", "c"), group("g3", "b", "a")
	first.ClientID, first.Digest = "k\x00", 5
	again.ClientID, others.ClientID = "k\x00", "k\x00"
	check(t, "create group", store.Groups.CreateGroup(t.Context(), first))
	if err := store.Groups.CreateGroup(t.Context(), again); !errors.Is(err, groups.ErrExists) {
		t.Fatalf("a second group of the same client id: %v", err)
	}
	check(t, "create group of somebody else", store.Groups.CreateGroup(t.Context(), others))
	room, digest, found, err := store.Groups.MadeAs(t.Context(), "a", "k\x00")
	check(t, "made as", err)
	if !found || room != first.Room || digest != 5 {
		t.Fatalf("found %v: %s, %d", found, room, digest)
	}
	if _, _, found, err := store.Groups.MadeAs(t.Context(), "a", "other"); err != nil || found {
		t.Fatalf("found a group that nobody has made: %v", err)
	}
	same(t, "the second is not there", 0, len(groupOf(t, store, "group:g2").Members))
}

func groupsAudited(t *testing.T, store Store) {
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g", "a", "b")))
	change := removalOf(start, "b")
	change.Line = &audit.Line{At: start, Actor: audit.Actor{UserID: "boss"}, Action: audit.ChangeGroup, Target: "group:g", Detail: "removed: b"}
	changeGroup(t, store, "group:g", change)
	lines, err := store.Administration.Lines(t.Context(), audit.Query{Limit: 10, Action: audit.ChangeGroup, Before: audit.Place{At: math.MaxInt64, Number: math.MaxInt64}})
	check(t, "audit", err)
	if len(lines) != 1 || lines[0].Target != "group:g" || lines[0].Detail != "removed: b" {
		t.Fatalf("written down: %+v", lines)
	}
}

func seqsOf(messages []chat.Message) []int64 {
	seqs := []int64{}
	for i := range messages {
		seqs = append(seqs, messages[i].Seq)
	}
	return seqs
}
