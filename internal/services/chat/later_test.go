package chat_test

import (
	"slices"
	"strings"
	"testing"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
)

// crew is a group of amy and bob with something said, into which dan was put later.
type crew struct {
	*service
	hub           *hub
	amy, bob, dan auth.Identity
	id            string
	before, reply chat.Receipt
}

func newCrew(t *testing.T, history groups.History) *crew {
	t.Helper()
	h := &hub{}
	c := &crew{
		service: newService(t, openStore(t), h, nil, nil), hub: h,
		amy: person("amy", roles.Vendor), bob: person("bob", roles.Vendor), dan: person("dan", roles.Vendor),
	}
	made, err := c.groups.Create(t.Context(), c.amy, groups.NewGroup{Name: "crew", Members: []string{"bob"}, History: history})
	if err != nil {
		t.Fatal(err)
	}
	c.id = made.Room.String()
	c.before = send(t, c.service, c.amy, chat.Outgoing{RoomID: c.id, Text: "before"})
	if _, err := c.groups.Add(t.Context(), c.amy, groups.Addition{RoomID: c.id, Members: []string{"dan"}}); err != nil {
		t.Fatal(err)
	}
	return c
}

func said(messages []chat.Message) (all []string) {
	for i := range messages {
		if messages[i].System != nil {
			all = append(all, string(messages[i].System.Type))
		} else {
			all = append(all, messages[i].Text)
		}
	}
	return all
}

// TestLaterMemberSeesFromJoining: whatever dan asks, and is told, is of what came once dan was in the group.
func TestLaterMemberSeesFromJoining(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "")
	dans, bobs := c.hub.connect(c.dan), c.hub.connect(c.bob)
	c.reply = send(t, c.service, c.bob, chat.Outgoing{RoomID: c.id, Text: "reply", ReplyTo: c.before.MessageID})
	if heard := dans.take(); len(heard) != 1 || strings.Contains(heard[0].Payload, `"quoted"`) {
		t.Errorf("dan was told %v", heard)
	}
	if heard := bobs.take(); len(heard) != 1 || !strings.Contains(heard[0].Payload, `"quoted"`) {
		t.Errorf("bob was told %v", heard)
	}
	if _, err := edit(t, c.service, c.amy, c.id, c.before.MessageID, "edited"); err != nil {
		t.Fatal(err)
	}
	if heard := dans.take(); len(heard) != 0 {
		t.Errorf("of what was said before dan was told %v", heard)
	}
	if heard := bobs.take(); len(heard) != 1 {
		t.Errorf("bob was told %v", heard)
	}
	want := []string{"added", "reply"}
	for name, query := range map[string]chat.HistoryQuery{"the newest": {}, "from the start": {After: chat.At(0)}} {
		query.RoomID = c.id
		history, err := c.History(t.Context(), c.dan, query)
		if err != nil || history.HasMore || !slices.Equal(said(history.Messages), want) {
			t.Errorf("%s: %v, more: %t, %v", name, said(history.Messages), history.HasMore, err)
		}
		if history.Messages[1].Quoted != nil {
			t.Errorf("%s: quoted is %+v", name, history.Messages[1].Quoted)
		}
	}
	for revision, isReset := range map[int64]bool{0: true, 1: true, 2: false, 3: false} {
		synced, err := c.Sync(t.Context(), c.dan, chat.SyncQuery{Rooms: map[string]int64{c.id: revision}})
		room := synced.Rooms[c.id]
		if err != nil || room.Reset != isReset || synced.Unread[c.id] != 1 {
			t.Errorf("from %d on: %+v, %v", revision, synced, err)
		}
		for _, change := range room.Changes {
			if change.Message.Seq <= c.before.Seq || change.Message.Quoted != nil {
				t.Errorf("from %d on: told of %+v", revision, change.Message)
			}
		}
	}
	c.seesNothingOf(t, c.before.MessageID)
}

// seesNothingOf asks for a message as dan, in every way that takes its id.
func (c *crew) seesNothingOf(t *testing.T, messageID string) {
	t.Helper()
	_, history := c.History(t.Context(), c.dan, chat.HistoryQuery{RoomID: c.id, Before: &chat.Place{MessageID: messageID}})
	_, reacted := react(t, c.service, c.dan, c.id, messageID, "👍", true)
	_, removed := remove(t, c.service, c.dan, c.id, messageID)
	_, replied := c.Submit(t.Context(), c.dan, chat.Outgoing{RoomID: c.id, Text: "x", ReplyTo: messageID})
	_, read := c.MarkRead(t.Context(), c.dan, chat.ReadUpTo{RoomID: c.id, MessageID: messageID}, c.hub.connect(c.dan))
	for name, err := range map[string]error{"history": history, "reaction": reacted, "deletion": removed, "reply": replied, "mark": read} {
		if code(err) != fault.NotFound {
			t.Errorf("%s of what dan does not see: %v", name, err)
		}
	}
}

// TestLaterMemberSeesAll where the group says so.
func TestLaterMemberSeesAll(t *testing.T) {
	t.Parallel()
	c := newCrew(t, groups.FromStart)
	dans := c.hub.connect(c.dan)
	c.reply = send(t, c.service, c.bob, chat.Outgoing{RoomID: c.id, Text: "reply", ReplyTo: c.before.MessageID})
	if heard := dans.take(); len(heard) != 1 || !strings.Contains(heard[0].Payload, `"quoted"`) {
		t.Errorf("dan was told %v", heard)
	}
	history, err := c.History(t.Context(), c.dan, chat.HistoryQuery{RoomID: c.id})
	if want := []string{"created", "before", "added", "reply"}; err != nil || !slices.Equal(said(history.Messages), want) {
		t.Errorf("the history has %v, %v", said(history.Messages), err)
	}
	synced, err := c.Sync(t.Context(), c.dan, chat.SyncQuery{Rooms: map[string]int64{c.id: 0}})
	if room := synced.Rooms[c.id]; err != nil || room.Reset || len(room.Changes) != 4 || synced.Unread[c.id] != 1 {
		t.Errorf("from the start: %+v, %v", synced, err)
	}
}

// TestWhoIsBackSeesFromThen: what was said while somebody was out of the group stays unseen.
func TestWhoIsBackSeesFromThen(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "")
	known := send(t, c.service, c.dan, chat.Outgoing{RoomID: c.id, Text: "mine"})
	if _, err := c.groups.Remove(t.Context(), c.dan, groups.Removal{RoomID: c.id, Members: []string{"dan"}}); err != nil {
		t.Fatal(err)
	}
	secret := send(t, c.service, c.bob, chat.Outgoing{RoomID: c.id, Text: "without dan"})
	if _, err := c.groups.Add(t.Context(), c.amy, groups.Addition{RoomID: c.id, Members: []string{"dan", "bob"}}); err != nil {
		t.Fatal(err)
	}
	c.seesNothingOf(t, secret.MessageID)
	c.seesNothingOf(t, known.MessageID)
	synced, err := c.Sync(t.Context(), c.dan, chat.SyncQuery{Rooms: map[string]int64{c.id: known.Seq}})
	if room := synced.Rooms[c.id]; err != nil || !room.Reset || len(room.Changes) != 1 || room.Changes[0].Message.System.Users[0] != "dan" {
		t.Errorf("dan, who is back, is told %+v, %v", synced, err)
	}
}
