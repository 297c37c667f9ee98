package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/services/attachments"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/conversations"
	"rolecall/test/servicetest"
)

func attachmentPromises() []promise {
	return []promise{
		{"an attachment is told of with its message, wherever that is read", attachmentTold},
		{"an attachment goes into one message, of whoever has uploaded it", attachmentOnce},
		{"a message that is sent again with its attachments is the first one", attachmentResent},
		{"what is uploaded again under its client id is the first one", uploadResent},
		{"where an attachment is, and when somebody was last taken out of the room", attachmentPlace},
		{"attachments without a message are abandoned and forgotten, and no others", attachmentsAbandoned},
		{"all servers have a key in common", serverKey},
	}
}

// uploadAt is one of u's that was uploaded some milliseconds after the start of the time in which drafts are sent.
func uploadAt(id, userID string, n int) attachments.Record {
	return attachments.Record{
		Attachment: chat.Attachment{
			ID: id, FileName: "slip “" + id + "”.png", MimeType: "image/png", Size: 70_000 + int64(n), SHA256: strings.Repeat("0a", 32), Width: 640, Height: 480,
			Thumbnail: &chat.Thumbnail{MimeType: "image/jpeg", Width: 480, Height: 360, Size: 9000},
		},
		UserID: userID, Received: strings.Repeat("0b", 32), CreatedAt: int64(at(n)),
	}
}

// uploaded adds records, and returns what is told of them.
func uploaded(t tester, store Store, records ...attachments.Record) (all chat.Attachments) {
	t.Helper()
	for _, record := range records {
		before, err := store.Attachments.AddAttachment(t.Context(), record)
		check(t, "add attachment", err)
		if before != nil {
			t.Fatalf("%s was there before: %+v", record.ID, before)
		}
		all = append(all, record.Attachment)
	}
	return all
}

func place(t tester, store Store, id string) (attachments.Placed, bool) {
	t.Helper()
	placed, found, err := store.Attachments.PlaceOf(t.Context(), id)
	check(t, "place of attachment", err)
	return placed, found
}

func attachmentTold(t *testing.T, store Store) {
	attached := uploaded(t, store, uploadAt("a1", "u1", 1), uploadAt("a2", "u1", 1))
	with, without := draft("dm:u1:u2", "u1", 2), draft("dm:u1:u2", "u1", 3)
	with.Attachments, with.Text, with.ClientID = chat.Attachments{attached[1], attached[0]}, "", "c"
	made := appendDrafts(t, store, with, without)
	want := made[0].Message
	same(t, "attachments of what was applied", with.Attachments, want.Attachments)
	same(t, "history", []chat.Message{want, made[1].Message}, wholeRoom(t, store, "dm:u1:u2"))
	room := servicetest.Room("dm:u1:u2")
	since, err := store.Chat.MessagesSince(t.Context(), room, 0, 9, 9)
	check(t, "messages since", err)
	same(t, "messages since", with.Attachments, since[0].Attachments)
	changed, err := store.Chat.ChangedMessages(t.Context(), room, chat.ChangedPage{UpTo: 9, Limit: 9})
	check(t, "changed messages", err)
	same(t, "changed messages", with.Attachments, changed[0].Attachments)

	edited := apply(t, store, edit("dm:u1:u2", with.ID, "u1", "a text", 4))[0]
	same(t, "attachments of an edited message", with.Attachments, edited.Attachments)
	deleted := apply(t, store, deletion("dm:u1:u2", with.ID, "u1", 5))[0]
	if len(deleted.Attachments) > 0 || len(wholeRoom(t, store, "dm:u1:u2")[0].Attachments) > 0 {
		t.Error("a deleted message has attachments")
	}
	changes, err := store.Chat.ChangesSince(t.Context(), room, 0, 9, 9)
	check(t, "changes since", err)
	if len(changes) != 2 || len(changes[0].Message.Attachments) > 0 {
		t.Errorf("changes since: %+v", changes)
	}

	last := draft("dm:u1:u2", "u2", 6)
	last.Attachments = uploaded(t, store, uploadAt("a3", "u2", 6))
	appendDrafts(t, store, last)
	rows, err := store.Lists.Conversations(t.Context(), "u1", conversations.Top(), 9, true)
	check(t, "conversations", err)
	same(t, "last message of a conversation", last.Attachments, rows[0].LastMessage.Attachments)
}

func attachmentOnce(t *testing.T, store Store) {
	one := uploaded(t, store, uploadAt("a1", "u1", 1))
	two := uploaded(t, store, uploadAt("a2", "u1", 1))
	of := func(userID string, n int, attached ...chat.Attachment) chat.Append {
		d := draft("room", userID, n)
		d.Attachments = attached
		return d
	}
	none := chat.Attachment{ID: "none"}
	made := appendDrafts(t, store,
		of("u2", 1, one[0]), of("u1", 2, one[0], none), of("u1", 3, two[0]), of("u1", 4, two[0]), of("u1", 5, one[0], two[0]), of("u1", 6, one[0]))
	for i, isMade := range []bool{false, false, true, false, false, true} {
		if made[i].IsMade() != isMade {
			t.Errorf("draft %d: made is %t, %v", i+1, made[i].IsMade(), made[i].Refused)
		}
	}
	later := appendDrafts(t, store, of("u1", 7, one[0]))[0]
	if later.IsMade() {
		t.Error("an attachment went into a second message")
	}
	apply(t, store, deletion("room", "room/6", "u1", 8))
	if appendDrafts(t, store, of("u1", 9, one[0]))[0].IsMade() {
		t.Error("an attachment of a deleted message went into another")
	}
	same(t, "seqs without a gap", chat.Head{Revision: 3, Seq: 2}, head(t, store, "room"))
}

func attachmentResent(t *testing.T, store Store) {
	attached := uploaded(t, store, uploadAt("a1", "u1", 1))
	first := draft("room", "u1", 1)
	first.ClientID, first.Attachments = "c", attached
	made := appendDrafts(t, store, first)[0]
	again := first
	again.ID = "another"
	replayed := appendDrafts(t, store, again)[0]
	same(t, "sent again", chat.Applied{Message: made.Message, Replayed: true}, replayed)
	both := appendDrafts(t, store, again, again)
	if !both[0].Replayed || !both[1].Replayed {
		t.Errorf("sent again twice: %+v", both)
	}

	before := made.Message
	deleted := apply(t, store, deletion("room", first.ID, "u1", 2))[0].Message
	again.Attachments = chat.Attachments{{ID: "a1"}} // all that is known of it by then
	replayed = appendDrafts(t, store, again)[0]
	if want := chat.Said(&before, &deleted); !replayed.Replayed || replayed.Said != want || want == 0 {
		t.Errorf("sent again after it was deleted: %+v", replayed)
	}
}

func uploadResent(t *testing.T, store Store) {
	first := uploadAt("a1", "u1", 1)
	first.ClientID = "c\x00 1"
	uploaded(t, store, first)
	again := uploadAt("a2", "u1", 2)
	again.ClientID = first.ClientID
	before, err := store.Attachments.AddAttachment(t.Context(), again)
	check(t, "add again", err)
	if before == nil {
		t.Fatal("added a second one under the same client id")
	}
	same(t, "uploaded before", first, *before)
	other := uploadAt("a3", "u2", 3)
	other.ClientID = first.ClientID
	uploaded(t, store, other, uploadAt("a4", "u1", 4), uploadAt("a5", "u1", 5))
	found, err := store.Attachments.Attachments(t.Context(), []string{"a1", "a2", "a3", "none", "a\x00"})
	check(t, "attachments", err)
	slices.SortFunc(found, func(a, b attachments.Record) int { return strings.Compare(a.ID, b.ID) })
	same(t, "attachments by their ids", []attachments.Record{first, other}, found)
}

func attachmentPlace(t *testing.T, store Store) {
	record := uploadAt("a1", "u1", 1)
	uploaded(t, store, record)
	placed, found := place(t, store, "a1")
	same(t, "in no message", attachments.Placed{Record: record}, placed)
	if _, known := place(t, store, "none"); known || !found {
		t.Error("the wrong ones are found")
	}
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g", "u1", "u2", "u3")))
	with := draft("group:g", "u1", 2)
	with.Attachments = chat.Attachments{record.Attachment}
	seq := appendDrafts(t, store, draft("group:g", "u1", 1), with)[1].Seq
	placed, _ = place(t, store, "a1")
	want := attachments.Placed{Record: record, Spent: true, Room: with.Room, Seq: seq}
	same(t, "in a message", want, placed)
	made := takeOut(t, store, "group:g", int64(at(5)), "u3")
	placed, _ = place(t, store, "a1")
	want.RemovedAt = int64(at(5))
	same(t, "after somebody was taken out", want, placed)
	last := deletion("group:g", with.ID, "u1", 6)
	last.MembersSince = made.Revision
	apply(t, store, last)
	placed, _ = place(t, store, "a1")
	same(t, "after the message was deleted", attachments.Placed{Record: record, Spent: true}, placed)
}

func attachmentsAbandoned(t *testing.T, store Store) {
	var records []attachments.Record
	for n := range 6 {
		records = append(records, uploadAt(fmt.Sprintf("a%d", n), "u1", n*10))
	}
	uploaded(t, store, records...)
	var drafts []chat.Append
	for n := range 3 { // of which one stays, one is deleted, and one is kept no longer
		d := draft("room", "u1", n)
		d.Attachments = chat.Attachments{records[n].Attachment}
		drafts = append(drafts, d)
	}
	old := draft("another", "u1", -1000)
	old.Attachments = drafts[2].Attachments
	appendDrafts(t, store, drafts[0], drafts[1], old)
	apply(t, store, deletion("room", drafts[1].ID, "u1", 3))
	if gone, err := store.Chat.DeleteMessagesBefore(t.Context(), int64(at(-500))); err != nil || gone != 1 {
		t.Fatalf("%d messages deleted: %v", gone, err)
	}
	abandoned := func(before, limit int) []string {
		t.Helper()
		ids, err := store.Attachments.AbandonAttachments(t.Context(), int64(at(before)), limit)
		check(t, "abandon", err)
		slices.Sort(ids)
		return ids
	}
	same(t, "of messages that are gone", []string{"a1", "a2"}, abandoned(25, 9))
	same(t, "and those that nobody has sent", []string{"a1", "a2", "a3", "a4"}, abandoned(45, 9))
	late := draft("room", "u1", 9)
	late.Attachments = chat.Attachments{records[3].Attachment}
	if appendDrafts(t, store, late)[0].IsMade() {
		t.Error("an abandoned attachment went into a message")
	}
	if some := abandoned(45, 2); len(some) != 2 {
		t.Errorf("two were asked for: %v", some)
	}
	check(t, "forget", store.Attachments.ForgetAttachments(t.Context(), []string{"a0", "a1", "a2", "a3"}))
	check(t, "forget none", store.Attachments.ForgetAttachments(t.Context(), nil))
	same(t, "what is left of them", []string{"a4"}, abandoned(0, 9))
	for id, want := range map[string]bool{"a0": true, "a1": false, "a2": false, "a3": false, "a4": true, "a5": true} {
		if _, found := place(t, store, id); found != want {
			t.Errorf("%s is there: %t", id, found)
		}
	}
}

func serverKey(t *testing.T, store Store) {
	for _, of := range []struct{ name, fresh, want string }{
		{"one", "first", "first"}, {"one", "second", "first"}, {"other", "third", "third"},
	} {
		key, err := store.Attachments.ServerKey(t.Context(), of.name, of.fresh)
		check(t, "server key", err)
		same(t, "key "+of.name, of.want, key)
	}
}
