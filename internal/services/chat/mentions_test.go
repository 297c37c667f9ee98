package chat_test

import (
	"strings"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
)

// TestMentions: people are mentioned who see the message, each once, and nobody else.
func TestMentions(t *testing.T) {
	t.Parallel()
	h := &hub{}
	known := directory{"bob": roles.Vendor, "dan": roles.Driver, "amy": roles.Vendor, "cem": roles.Driver, "boss": roles.Admin}
	service := newService(t, openStore(t), h, known, func(o *settings) {
		o.OpenRooms = roles.EveryOpenRoom()
		var err error
		if o.messaging, err = roles.ParseMessaging("vendor=vendor+driver"); err != nil {
			t.Fatal(err)
		}
	})
	amy := person("amy", roles.Vendor)
	groupID := group(t, service, amy, "bob", "cem")
	bobs := h.connect(person("bob", roles.Vendor))
	for name, test := range map[string]struct {
		room     string
		mentions []string
		code     fault.Code
	}{
		"members":                {groupID, []string{"bob", "amy", "bob"}, ""},
		"who is no member":       {groupID, []string{"bob", "dan"}, fault.NotFound},
		"the two of a room":      {"dm:amy:bob", []string{"bob", "amy"}, ""},
		"a third":                {"dm:amy:bob", []string{"dan"}, fault.NotFound},
		"in an open room":        {"lobby", []string{"dan", "bob", "amy"}, ""},
		"who is nobody":          {"lobby", []string{"nobody"}, fault.NotFound},
		"whom amy may not reach": {"lobby", []string{"boss"}, fault.NotFound},
		"nobody":                 {"lobby", []string{}, ""},
	} {
		bobs.take()
		_, err := service.Send(t.Context(), amy, chat.Outgoing{RoomID: test.room, Text: "x", Mentions: test.mentions})
		if code(err) != test.code || err != nil && fault.From(err).Field != "mentions" {
			t.Errorf("%s: %v, want %q", name, err, test.code)
		}
		if name == "members" {
			if heard := bobs.take(); !strings.Contains(heard[len(heard)-1].Payload, `"mentions":["bob","amy"]`) {
				t.Errorf("bob heard %v", heard)
			}
		}
	}
}

// TestMentionsEdited: an edit leaves mentions as they are, or says them anew; they are of who sees the message.
func TestMentionsEdited(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "")
	sent := send(t, c.service, c.amy, chat.Outgoing{RoomID: c.id, Text: "x", Mentions: []string{"bob"}, ClientID: "k"})
	bobs := c.hub.connect(c.bob)
	change := func(messageID, text string, mentions []string) error {
		t.Helper()
		pending, err := c.Edit(t.Context(), c.amy, chat.EditedMessage{
			MessageRef: chat.MessageRef{RoomID: c.id, MessageID: messageID}, Text: text, Mentions: mentions,
		})
		_, err = settled(t, pending, err)
		return err
	}
	for _, step := range []struct {
		text     string
		mentions []string
		told     string
	}{
		{"y", nil, `"mentions":["bob"]`}, {"y", []string{"dan", "bob"}, `"mentions":["dan","bob"]`}, {"z", []string{}, ""},
	} {
		if err := change(sent.MessageID, step.text, step.mentions); err != nil {
			t.Fatal(err)
		}
		heard := bobs.take()
		if len(heard) != 1 || strings.Contains(heard[0].Payload, `"mentions"`) != (step.told != "") || !strings.Contains(heard[0].Payload, step.told) {
			t.Errorf("%+v: bob heard %v", step, heard)
		}
	}
	if err := change(c.before.MessageID, "x", []string{"dan"}); code(err) != fault.NotFound {
		t.Errorf("who does not see the message is mentioned: %v", err)
	}
	if err := change("no-such-message", "x", []string{"bob"}); code(err) != fault.NotFound {
		t.Errorf("in no message: %v", err)
	}
	if _, err := c.Send(t.Context(), c.amy, chat.Outgoing{RoomID: c.id, Text: "x", ClientID: "k"}); err != nil {
		t.Errorf("sent again once it was edited: %v", err)
	}
	history, err := c.History(t.Context(), c.dan, chat.HistoryQuery{RoomID: c.id})
	if last := history.Messages[len(history.Messages)-1]; err != nil || len(last.Mentions) > 0 || last.Text != "z" {
		t.Errorf("read back: %+v, %v", last, err)
	}
}

// TestMentionsCount apart from what is unread, reach zero, and are told with it.
func TestMentionsCount(t *testing.T) {
	t.Parallel()
	c := newCrew(t, groups.FromStart)
	mine := send(t, c.service, c.amy, chat.Outgoing{RoomID: c.id, Text: "x", Mentions: []string{"dan"}, ClientID: "k"})
	send(t, c.service, c.amy, chat.Outgoing{RoomID: c.id, Text: "y"})
	synced, err := c.Sync(t.Context(), c.dan, chat.SyncQuery{})
	if err != nil || synced.Unread[c.id] != 2 || synced.Mentions[c.id] != 1 {
		t.Errorf("dan has not read %+v, %v", synced, err)
	}
	left, err := c.MarkRead(t.Context(), c.dan, chat.ReadUpTo{RoomID: c.id, MessageID: mine.MessageID}, c.hub.connect(c.dan))
	if err != nil || left != (chat.Counts{Unread: 1}) {
		t.Errorf("once it is read: %+v, %v", left, err)
	}
	_, err = c.Send(t.Context(), c.amy, chat.Outgoing{RoomID: c.id, Text: "x", Mentions: []string{"bob"}, ClientID: "k"})
	if code(err) != fault.Conflict {
		t.Errorf("another message under the same client id: %v", err)
	}
}
