package chat_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
)

// settled waits for the outcome of a change of a message.
func settled(t testing.TB, pending *chat.PendingChange, err error) (chat.Amended, error) {
	t.Helper()
	if err != nil {
		return chat.Amended{}, err
	}
	type outcome struct {
		made chat.Amended
		err  error
	}
	done := make(chan outcome, 1)
	pending.Then(func(made chat.Amended, err error) { done <- outcome{made, err} })
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	select {
	case o := <-done:
		return o.made, o.err
	case <-ctx.Done():
		t.Fatal("a change of a message has no outcome")
		return chat.Amended{}, nil
	}
}

func edit(t testing.TB, s *service, who auth.Identity, roomID, messageID, text string) (chat.Amended, error) {
	t.Helper()
	pending, err := s.Edit(t.Context(), who, chat.EditedMessage{MessageRef: chat.MessageRef{RoomID: roomID, MessageID: messageID}, Text: text})
	return settled(t, pending, err)
}

func remove(t testing.TB, s *service, who auth.Identity, roomID, messageID string) (chat.Amended, error) {
	t.Helper()
	pending, err := s.Delete(t.Context(), who, chat.MessageRef{RoomID: roomID, MessageID: messageID})
	return settled(t, pending, err)
}

// TestEditAndDelete: every member hears of it in the order of the room, and finds it in the history.
func TestEditAndDelete(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy := person("amy", roles.Driver)
	amys, bobs, cems := h.connect(amy), h.connect(person("bob", roles.Vendor)), h.connect(person("cem", roles.Vendor))
	sent := send(t, service, amy, chat.Outgoing{To: "bob", Text: "helo", ClientID: "c"})
	roomID := sent.Room.String()
	made, err := edit(t, service, amy, roomID, sent.MessageID, "  hello\n")
	if err != nil || made.Revision != 2 || made.Seq != 1 || made.EditedAt != instant.Stamp(noon) {
		t.Fatalf("edited: %+v, %v", made, err)
	}
	if again, err := edit(t, service, amy, roomID, sent.MessageID, "hello"); err != nil || again != made {
		t.Errorf("edited again: %+v, %v; want %+v", again, err, made)
	}
	gone, err := remove(t, service, amy, roomID, sent.MessageID)
	if err != nil || gone.Revision != 3 || gone.DeletedAt != instant.Stamp(noon) || gone.EditedAt != 0 {
		t.Fatalf("deleted: %+v, %v", gone, err)
	}
	if again, err := remove(t, service, amy, roomID, sent.MessageID); err != nil || again != gone {
		t.Errorf("deleted again: %+v, %v; want %+v", again, err, gone)
	}
	send(t, service, amy, chat.Outgoing{To: "bob", Text: "next"})
	for who, s := range map[string]*socket{"amy": amys, "bob": bobs} {
		heard := s.take()
		var names []string
		for _, e := range heard {
			names = append(names, e.Name)
		}
		if got, want := strings.Join(names, " "), "chat:message chat:edited chat:deleted chat:message"; got != want {
			t.Fatalf("%s heard %s, want %s", who, got, want)
		}
		const by = `"roomId":"dm:amy:bob","messageId":"ID","seq":1,"revision":N,"userId":"amy","username":"name of amy"`
		for i, want := range []string{
			1: "{" + strings.Replace(by, "N", "2", 1) + `,"text":"hello","editedAt":"` + made.EditedAt.String() + `"}`,
			2: "{" + strings.Replace(by, "N", "3", 1) + `,"deletedAt":"` + gone.DeletedAt.String() + `"}`,
		} {
			if want != "" && strings.Replace(heard[i].Payload, sent.MessageID, "ID", 1) != want {
				t.Errorf("%s was told %s, want %s", who, heard[i].Payload, want)
			}
		}
	}
	if heard := cems.take(); len(heard) > 0 {
		t.Errorf("a stranger heard %v", heard)
	}
	history, err := service.History(t.Context(), person("bob", roles.Vendor), chat.HistoryQuery{RoomID: roomID})
	if err != nil || len(history.Messages) != 2 {
		t.Fatalf("history: %+v, %v", history, err)
	}
	if m := history.Messages[0]; !m.Deleted || m.Text != "" || m.DeletedBy != "amy" || m.DeletedAt != instant.Stamp(noon) || m.Revision != 3 || m.EditedAt != 0 {
		t.Errorf("the deleted message is shown as %+v", m)
	}
	// What was said under a client id before it was changed is not known any more: it is taken for the same.
	again := send(t, service, amy, chat.Outgoing{To: "bob", Text: "helo", ClientID: "c"})
	if !again.Replayed || again.MessageID != sent.MessageID || len(bobs.take()) > 0 {
		t.Errorf("sent again after it was deleted: %+v", again)
	}
}

// TestWhoMayEditAndDelete is the table of who may: the sender, and an admin deletes, who need not be in the room.
func TestWhoMayEditAndDelete(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy, bob, cem := person("amy", roles.Driver), person("bob", roles.Vendor), person("cem", roles.Vendor)
	root, past := person("root", roles.Admin), person("past", roles.Vendor)
	groupID := group(t, service, amy, "bob", "past")
	for roomID, inside := range map[string]bool{"dm:amy:bob": false, groupID: false, "lobby": true} {
		say := func() string {
			return send(t, service, amy, chat.Outgoing{RoomID: roomID, Text: "x"}).MessageID
		}
		if roomID == groupID {
			if _, err := service.groups.Remove(t.Context(), past, groups.Removal{RoomID: roomID, Members: []string{"past"}}); err != nil {
				t.Fatal(err)
			}
		}
		stranger := fault.RoomForbidden
		if inside {
			stranger = fault.Forbidden
		}
		for _, test := range []struct {
			who            auth.Identity
			edits, deletes fault.Code
		}{
			{amy, "", ""}, {bob, fault.Forbidden, fault.Forbidden}, {cem, stranger, stranger}, {past, stranger, stranger}, {root, stranger, ""},
		} {
			id := say()
			if _, err := edit(t, service, test.who, roomID, id, "y"); code(err) != test.edits {
				t.Errorf("%s edits in %s: %v, want %q", test.who.UserID, roomID, err, test.edits)
			}
			if _, err := remove(t, service, test.who, roomID, id); code(err) != test.deletes {
				t.Errorf("%s deletes in %s: %v, want %q", test.who.UserID, roomID, err, test.deletes)
			}
		}
	}
	// What an admin deletes is told to the members, who have it in their histories.
	bobs, roots := h.connect(bob), h.connect(root)
	id := send(t, service, amy, chat.Outgoing{RoomID: groupID, Text: "x"}).MessageID
	if _, err := remove(t, service, root, groupID, id); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(bobs.heardNames(), " "); got != "chat:message chat:deleted" {
		t.Errorf("bob heard %s", got)
	}
	if got := roots.take(); len(got) > 0 {
		t.Errorf("who is not in the group heard %v", got)
	}
}

func TestRefusedAmendments(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, directory{"bob": roles.Vendor}, func(o *settings) {
		o.messaging = roles.Messaging{Denied: map[[2]roles.Role]bool{{roles.Driver, roles.Company}: true}}
	})
	amy := person("amy", roles.Driver)
	sent := send(t, service, amy, chat.Outgoing{To: "bob", Text: "x"})
	roomID := sent.Room.String()
	bobs := h.connect(person("bob", roles.Vendor))
	for name, test := range map[string]struct {
		roomID, messageID, text string
		code                    fault.Code
		field                   string
	}{
		"nothing to be seen": {roomID, sent.MessageID, " \u200b\n", fault.InvalidPayload, "text"},
		"too long":           {roomID, sent.MessageID, strings.Repeat("x", chat.MaxText+1), fault.TooLarge, "text"},
		"no room":            {"dm:amy", sent.MessageID, "y", fault.RoomInvalid, "roomId"},
		"the server's room":  {"user:amy", sent.MessageID, "y", fault.RoomForbidden, "roomId"},
		"no such message":    {roomID, "none", "y", fault.NotFound, "messageId"},
		"another room":       {"lobby", sent.MessageID, "y", fault.NotFound, "messageId"},
	} {
		_, err := edit(t, service, amy, test.roomID, test.messageID, test.text)
		if known := fault.From(err); err == nil || known.Code != test.code || known.Field != test.field {
			t.Errorf("edit, %s: %v, want %s at %s", name, err, test.code, test.field)
		}
		if test.field == "text" {
			continue
		}
		_, err = remove(t, service, amy, test.roomID, test.messageID)
		if known := fault.From(err); err == nil || known.Code != test.code || known.Field != test.field {
			t.Errorf("delete, %s: %v, want %s at %s", name, err, test.code, test.field)
		}
	}
	if _, err := remove(t, service, amy, roomID, sent.MessageID); err != nil {
		t.Fatal(err)
	}
	if _, err := edit(t, service, amy, roomID, sent.MessageID, "y"); code(err) != fault.Conflict || fault.From(err).Field != "messageId" {
		t.Errorf("a deleted message was edited: %v", err)
	}
	if got := strings.Join(bobs.heardNames(), " "); got != "chat:deleted" {
		t.Errorf("bob heard %s", got)
	}
	// Whom the policy keeps apart by now do not write to each other by edits; what was said is taken back all the same.
	kept := send(t, service, amy, chat.Outgoing{To: "bob", Text: "x"})
	apart := newService(t, openStore(t), h, directory{"bob": roles.Company}, func(o *settings) {
		o.messaging = roles.Messaging{Denied: map[[2]roles.Role]bool{{roles.Driver, roles.Company}: true}}
	})
	if _, err := edit(t, apart, amy, roomID, kept.MessageID, "y"); code(err) != fault.NotFound {
		t.Errorf("an edit of who may not write: %v", err)
	}
}

// TestAmendmentsAtTheCommit: who may is settled when the change is made, and a store that fails fails the change.
func TestAmendmentsAtTheCommit(t *testing.T) {
	t.Parallel()
	h := &hub{}
	store := openStore(t)
	before := newService(t, store, h, nil, nil)
	amy, bob := person("amy", roles.Vendor), person("bob", roles.Vendor)
	groupID := group(t, before, amy, "bob")
	sent := send(t, before, bob, chat.Outgoing{RoomID: groupID, Text: "x"})

	held := newGated(store)
	service := newService(t, held, h, nil, nil)
	bobs := h.connect(bob)
	pending, err := service.Edit(t.Context(), bob, chat.EditedMessage{
		MessageRef: chat.MessageRef{RoomID: groupID, MessageID: sent.MessageID}, Text: "y",
	})
	if err != nil {
		t.Fatal(err)
	}
	<-held.entered
	late, failed := service.Delete(t.Context(), bob, chat.MessageRef{RoomID: groupID, MessageID: sent.MessageID})
	if failed != nil {
		t.Fatal(failed)
	}
	if heard := bobs.take(); len(heard) > 0 {
		t.Errorf("told before it was on disk: %v", heard)
	}
	held.answers <- errDirectory
	if _, err := settled(t, pending, nil); code(err) != fault.Unavailable {
		t.Errorf("an edit that was not stored: %v", err)
	}
	<-held.entered
	held.answers <- nil
	if made, err := settled(t, late, nil); err != nil || made.Revision != 3 {
		t.Errorf("what came behind it: %+v, %v", made, err)
	}
	if got := strings.Join(bobs.heardNames(), " "); got != "chat:deleted" {
		t.Errorf("bob heard %s", got)
	}
}

// TestChangesOfAClosedService are refused.
func TestChangesOfAClosedService(t *testing.T) {
	t.Parallel()
	service := newService(t, openStore(t), &hub{}, nil, nil)
	amy := person("amy", roles.Vendor)
	sent := send(t, service, amy, chat.Outgoing{RoomID: "lobby", Text: "x"})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := service.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := edit(t, service, amy, "lobby", sent.MessageID, "y"); code(err) != fault.Unavailable {
		t.Errorf("an edit after the end: %v", err)
	}
}

func react(t testing.TB, s *service, who auth.Identity, roomID, messageID, emoji string, on bool) (chat.Amended, error) {
	t.Helper()
	pending, err := s.React(t.Context(), who, chat.MessageReaction{
		MessageRef: chat.MessageRef{RoomID: roomID, MessageID: messageID}, Emoji: emoji, On: &on,
	})
	return settled(t, pending, err)
}

// TestReactions: every member hears of them, with how many there are, and finds them in the history, the own marked.
func TestReactions(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy, bob, cem := person("amy", roles.Driver), person("bob", roles.Vendor), person("cem", roles.Vendor)
	sent := send(t, service, amy, chat.Outgoing{To: "bob", Text: "x"})
	roomID := sent.Room.String()
	amys, bobs, cems := h.connect(amy), h.connect(bob), h.connect(cem)
	for i, step := range []struct {
		who      auth.Identity
		emoji    string
		on       bool
		revision int64
		told     string
	}{
		{bob, "\u2764", true, 2, `"emoji":"❤️","on":true,"count":1`},
		{amy, "❤️", true, 3, `"emoji":"❤️","on":true,"count":2`},
		{amy, "\u2764", true, 3, ""},
		{amy, "👍", false, 3, ""},
		{bob, "❤️", false, 4, `"emoji":"❤️","on":false,"count":1`},
		{amy, "❤️", false, 5, `"emoji":"❤️","on":false,"count":0`},
		{bob, "👍🏽", true, 6, `"emoji":"👍🏽","on":true,"count":1`},
	} {
		made, err := react(t, service, step.who, roomID, sent.MessageID, step.emoji, step.on)
		if err != nil || made.Revision != step.revision || made.Seq != 1 {
			t.Fatalf("step %d: %+v, %v", i, made, err)
		}
		for who, s := range map[string]*socket{"amy": amys, "bob": bobs} {
			heard := s.take()
			if step.told == "" {
				if len(heard) > 0 {
					t.Errorf("step %d: %s heard %v, though nothing has changed", i, who, heard)
				}
				continue
			}
			if len(heard) != 1 || heard[0].Name != chat.EventReaction || !strings.Contains(heard[0].Payload, step.told) ||
				!strings.Contains(heard[0].Payload, `"userId":"`+step.who.UserID+`"`) {
				t.Errorf("step %d: %s heard %v, want %s", i, who, heard, step.told)
			}
		}
	}
	for _, who := range []auth.Identity{amy, bob} {
		history, err := service.History(t.Context(), who, chat.HistoryQuery{RoomID: roomID})
		want := []chat.Reaction{{Emoji: "👍🏽", Count: 1, UserIDs: []string{"bob"}, Mine: who.UserID == "bob"}}
		if diff := differs(want, history.Messages[0].Reactions); diff != "" || err != nil {
			t.Errorf("%s: %v, reactions (-want +got):\n%s", who.UserID, err, diff)
		}
	}
	for name, test := range map[string]struct {
		who              auth.Identity
		messageID, emoji string
		code             fault.Code
		field            string
	}{
		"a word":       {amy, sent.MessageID, "ok", fault.InvalidPayload, "emoji"},
		"two emoji":    {amy, sent.MessageID, "👍👍", fault.InvalidPayload, "emoji"},
		"a long chain": {amy, sent.MessageID, strings.Repeat("👍\u200D", 100) + "👍", fault.InvalidPayload, "emoji"},
		"a stranger":   {cem, sent.MessageID, "👍", fault.RoomForbidden, "roomId"},
		"no message":   {amy, "none", "👍", fault.NotFound, "messageId"},
	} {
		_, err := react(t, service, test.who, roomID, test.messageID, test.emoji, true)
		if known := fault.From(err); err == nil || known.Code != test.code || known.Field != test.field {
			t.Errorf("%s: %v, want %s at %s", name, err, test.code, test.field)
		}
	}
	for i, emoji := range []string{"1\u20E3", "2\u20E3", "3\u20E3", "4\u20E3", "5\u20E3", "6\u20E3"} {
		_, err := react(t, service, amy, roomID, sent.MessageID, emoji, true)
		if want := i == chat.MaxOwnEmoji; want != (code(err) == fault.TooLarge) || !want && err != nil {
			t.Errorf("reaction %d of one person: %v", i+1, err)
		}
	}
	if _, err := remove(t, service, amy, roomID, sent.MessageID); err != nil {
		t.Fatal(err)
	}
	if _, err := react(t, service, bob, roomID, sent.MessageID, "👍", true); code(err) != fault.Conflict {
		t.Errorf("a reaction to what was deleted: %v", err)
	}
	if heard := cems.take(); len(heard) > 0 {
		t.Errorf("a stranger heard %v", heard)
	}
}
