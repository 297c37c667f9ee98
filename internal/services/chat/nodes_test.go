package chat_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/test/servicetest"
)

// TestMembersChangedElsewhere: one server knows a group's members when another takes one of them out, and hears nothing of
// it. Who was taken out neither writes nor reads there any more, and is told nothing; the others notice nothing.
func TestMembersChangedElsewhere(t *testing.T) {
	t.Parallel()
	h, store := &hub{}, openStore(t)
	here, elsewhere := newService(t, store, h, nil, nil), newService(t, store, h, nil, nil)
	amy, bob, cem := person("amy", roles.Vendor), person("bob", roles.Vendor), person("cem", roles.Vendor)
	roomID := group(t, here, amy, "bob", "cem")
	first := send(t, here, amy, chat.Outgoing{RoomID: roomID, Text: "all three"}) // here knows the members now
	remove := func(gone auth.Identity) {
		t.Helper()
		if _, err := elsewhere.groups.Remove(t.Context(), amy, groups.Removal{RoomID: roomID, Members: []string{gone.UserID}}); err != nil {
			t.Fatal(err)
		}
	}
	for name, does := range map[string]func(who auth.Identity) error{
		"write": func(who auth.Identity) error {
			_, err := here.Send(t.Context(), who, chat.Outgoing{RoomID: roomID, Text: "let me in"})
			return err
		},
		"read": func(who auth.Identity) error {
			_, err := here.History(t.Context(), who, chat.HistoryQuery{RoomID: roomID})
			return err
		},
		"join": func(who auth.Identity) error {
			s := h.connect(who)
			_, err := here.Join(t.Context(), who, chat.Entry{RoomID: roomID}, s)
			if heard := s.heardNames(); err != nil && len(heard) > 0 {
				t.Errorf("who is refused has heard %v", heard)
			}
			return err
		},
		"mark": func(who auth.Identity) error {
			_, err := here.MarkRead(t.Context(), who, chat.ReadUpTo{RoomID: roomID, MessageID: first.MessageID}, h.connect(who))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			roomID = group(t, here, amy, "bob", "cem")
			first = send(t, here, amy, chat.Outgoing{RoomID: roomID, Text: "all three"})
			remove(bob)
			if err := does(bob); code(err) != fault.RoomForbidden {
				t.Errorf("who was taken out: %v", err)
			}
			remove(cem)
			if err := does(amy); err != nil {
				t.Errorf("who is left: %v", err)
			}
		})
	}
}

// TestAudienceChangedElsewhere: a message is told to those who are members when it takes its place.
func TestAudienceChangedElsewhere(t *testing.T) {
	t.Parallel()
	h, store := &hub{}, openStore(t)
	here, elsewhere := newService(t, store, h, nil, nil), newService(t, store, h, nil, nil)
	amy := person("amy", roles.Vendor)
	roomID := group(t, here, amy, "bob", "cem")
	bobs, cems := h.connect(person("bob", roles.Vendor)), h.connect(person("cem", roles.Vendor))
	send(t, here, amy, chat.Outgoing{RoomID: roomID, Text: "all three"})
	if _, err := elsewhere.groups.Remove(t.Context(), amy, groups.Removal{RoomID: roomID, Members: []string{"bob"}}); err != nil {
		t.Fatal(err)
	}
	sent := send(t, here, amy, chat.Outgoing{RoomID: roomID, Text: "we two"})
	if sent.Seq != 4 { // behind the entries of the group and of bob
		t.Errorf("the second message has seq %d", sent.Seq)
	}
	for name, test := range map[string]struct {
		s    *socket
		want []string
	}{
		"bob": {bobs, []string{chat.EventMessage, groups.EventRemoved}},
		"cem": {cems, []string{chat.EventMessage, groups.EventUpdated, chat.EventMessage, chat.EventMessage}},
	} {
		if heard := test.s.heardNames(); !slices.Equal(heard, test.want) {
			t.Errorf("%s heard %v, want %v", name, heard, test.want)
		}
	}
}

// fickle is a group that has other members whenever it is asked for.
type fickle struct{ roomStore }

func (fickle) Apply(_ context.Context, changes []chat.Change) ([]chat.Applied, error) {
	outdated := make([]chat.Applied, len(changes))
	for i := range outdated {
		outdated[i].Outdated = true
	}
	return outdated, nil
}

func (fickle) History(context.Context, roles.ChatRoom, chat.Page) ([]chat.Message, error) {
	return nil, chat.ErrOutdated
}

// TestMembersWhoNeverStayTheSame: it is not tried for ever.
func TestMembersWhoNeverStayTheSame(t *testing.T) {
	t.Parallel()
	service := newService(t, fickle{openStore(t)}, &hub{}, nil, nil)
	amy := person("amy", roles.Vendor)
	roomID := group(t, service, amy, "bob")
	if _, err := service.Send(t.Context(), amy, chat.Outgoing{RoomID: roomID, Text: "x"}); code(err) != fault.Unavailable {
		t.Errorf("a message: %v", err)
	}
	if _, err := service.History(t.Context(), amy, chat.HistoryQuery{RoomID: roomID}); code(err) != fault.Unavailable {
		t.Errorf("the history: %v", err)
	}
}

// overtaken is a store in which another server says something as soon as it has been read how far a room has come.
type overtaken struct {
	roomStore
	once sync.Once
	say  func()
}

func (o *overtaken) Head(ctx context.Context, room roles.ChatRoom) (chat.Head, error) {
	head, err := o.roomStore.Head(ctx, room)
	o.once.Do(o.say)
	return head, err
}

// TestHistoryEndsWhereLiveBegins: who enters a room is sent no more of it than it had come to: what is said meanwhile, on
// another server, is told live.
func TestHistoryEndsWhereLiveBegins(t *testing.T) {
	t.Parallel()
	h, store := &hub{}, openStore(t)
	elsewhere := newService(t, store, h, nil, nil)
	amy, bob := person("amy", roles.Vendor), person("bob", roles.Vendor)
	says := func(text string) { send(t, elsewhere, bob, chat.Outgoing{RoomID: "lobby", Text: text}) }
	says("one")
	says("two")
	for name, after := range map[string]*chat.Place{"the newest": nil, "what was missed": chat.At(1)} {
		before, err := store.Head(t.Context(), servicetest.Room("lobby"))
		if err != nil {
			t.Fatal(err)
		}
		here := newService(t, &overtaken{roomStore: store, say: func() { says("meanwhile") }}, h, nil, nil)
		s := h.connect(amy)
		entered, err := here.Join(t.Context(), amy, chat.Entry{RoomID: "lobby", After: after}, s)
		if err != nil {
			t.Fatal(err)
		}
		told := decode[struct {
			Messages []struct {
				Seq int64 `json:"seq"`
			} `json:"messages"`
			HasMore bool `json:"hasMore"`
		}](t, s.take()[0].Payload)
		if last := told.Messages[len(told.Messages)-1].Seq; entered.LastSeq != before.Seq || last != before.Seq || told.HasMore {
			t.Errorf("%s: a history up to %d, more: %t, for who has entered at %d", name, last, told.HasMore, entered.LastSeq)
		}
	}
}
