package chat_test

import (
	"errors"
	"strings"
	"testing"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
)

// direct is the id of a direct room.
func direct(a, b string) string { return "dm:" + min(a, b) + ":" + max(a, b) }

// everyDoor tries every operation on a room and returns what each answered.
func everyDoor(t *testing.T, service *service, h *hub, who auth.Identity, roomID string) map[string]error {
	t.Helper()
	_, join := service.Join(t.Context(), who, chat.Entry{RoomID: roomID}, h.connect(who))
	_, history := service.History(t.Context(), who, chat.HistoryQuery{RoomID: roomID})
	_, sending := service.Send(t.Context(), who, chat.Outgoing{RoomID: roomID, Text: "hello"})
	_, read := service.MarkRead(t.Context(), who, chat.ReadUpTo{RoomID: roomID, MessageID: "no such message"}, h.connect(who))
	if code(read) == fault.NotFound {
		read = nil // let in, and looked for the message
	}
	return map[string]error{
		"join": join, "history": history, "send": sending, "read": read,
		"typing": service.Typing(t.Context(), who, typing(roomID, true), h.connect(who)),
	}
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	h := &hub{}
	store := openStore(t)
	service := newService(t, store, h, nil, nil)
	closed := newService(t, store, h, nil, func(o *settings) { o.OpenRooms = roles.OpenRooms{} })
	everyID := []string{"u-admin", "u-driver", "u-company", "u-provider", "u-vendor"}
	theirs := group(t, service, person("maker", roles.Admin), everyID...)
	notTheirs := group(t, service, person("maker", roles.Admin), "somebody")
	long := strings.Repeat("x", roles.MaxUserID)
	for _, role := range roles.All() {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			me := person("u-"+string(role), role)
			for _, test := range []struct {
				name, roomID string
				want, closed fault.Code // with open rooms on, and off
			}{
				{"own direct room", direct(me.UserID, "friend"), "", ""},
				{"direct room with oneself", direct(me.UserID, me.UserID), "", ""},
				{"longest direct room", direct(me.UserID, long), "", ""},
				{"others' direct room", direct("friend", "stranger"), fault.RoomForbidden, fault.RoomForbidden},
				{"direct room, in the other order", "dm:zoe:" + me.UserID, "", ""},
				{"direct room with an id of an identity provider", "dm:" + me.UserID + ":auth0|5f@x.org", "", ""},
				{"others' direct room, in the other order", "dm:stranger:friend", fault.RoomForbidden, fault.RoomForbidden},
				{"direct room of three", "dm:a:b:" + me.UserID, fault.RoomInvalid, fault.RoomInvalid},
				{"direct room of one", "dm:" + me.UserID, fault.RoomInvalid, fault.RoomInvalid},
				{"own group", theirs, "", ""},
				{"another group", notTheirs, fault.RoomForbidden, fault.RoomForbidden},
				{"unknown group", "group:none", fault.RoomForbidden, fault.RoomForbidden},
				{"group without an id", "group:", fault.RoomInvalid, fault.RoomInvalid},
				{"open room", "lobby", "", fault.RoomForbidden},
				{"longest open room", strings.Repeat("r", roles.MaxRoomID), "", fault.RoomForbidden},
				{"too long", strings.Repeat("r", roles.MaxRoomID+1), fault.RoomInvalid, fault.RoomInvalid},
				{"empty", "", fault.RoomInvalid, fault.RoomInvalid},
				{"bad first character", ":lobby", fault.RoomInvalid, fault.RoomInvalid},
				{"a space", "the lobby", fault.RoomInvalid, fault.RoomInvalid},
				{"not ASCII", "löbby", fault.RoomInvalid, fault.RoomInvalid},
				{"a star", "fleet:*", fault.RoomInvalid, fault.RoomInvalid},
				{"own user room", "user:" + me.UserID, fault.RoomForbidden, fault.RoomForbidden},
				{"role room", "role:admin", fault.RoomForbidden, fault.RoomForbidden},
				{"company room", "company:acme", fault.RoomForbidden, fault.RoomForbidden},
				{"fleet room", "fleet:acme", fault.RoomForbidden, fault.RoomForbidden},
				{"driver room", "driver:d1", fault.RoomForbidden, fault.RoomForbidden},
				{"cell room", "cell:9q8y", fault.RoomForbidden, fault.RoomForbidden},
			} {
				for door, err := range everyDoor(t, service, h, me, test.roomID) {
					if code(err) != test.want {
						t.Errorf("%s, %s: %v, want %q", test.name, door, err, test.want)
					}
					if test.want != "" && fault.From(err).Field != "roomId" {
						t.Errorf("%s, %s: the fault names field %q", test.name, door, fault.From(err).Field)
					}
				}
				for door, err := range everyDoor(t, closed, h, me, test.roomID) {
					if code(err) != test.closed {
						t.Errorf("open rooms off, %s, %s: %v, want %q", test.name, door, err, test.closed)
					}
				}
			}
		})
	}
	t.Run("no role", func(t *testing.T) {
		t.Parallel()
		for door, err := range everyDoor(t, service, h, auth.Identity{UserID: "u", Role: "visitor"}, "lobby") {
			if code(err) != fault.Forbidden {
				t.Errorf("%s: %v, want forbidden", door, err)
			}
		}
		_, err := service.groups.Create(t.Context(), auth.Identity{UserID: "u", Role: "visitor"}, groups.NewGroup{Name: "g", Members: []string{"a"}})
		if code(err) != fault.Forbidden {
			t.Errorf("create: %v, want forbidden", err)
		}
	})
}

// TestUnknownGroupLooksLikeAnother: nobody can probe for groups by their answers.
func TestUnknownGroupLooksLikeAnother(t *testing.T) {
	t.Parallel()
	service := newService(t, openStore(t), &hub{}, nil, nil)
	other := group(t, service, person("maker", roles.Admin), "somebody")
	_, unknown := service.History(t.Context(), person("me", roles.Vendor), chat.HistoryQuery{RoomID: "group:none"})
	_, foreign := service.History(t.Context(), person("me", roles.Vendor), chat.HistoryQuery{RoomID: other})
	if unknown == nil || foreign == nil || unknown.Error() != foreign.Error() {
		t.Errorf("an unknown group answers %v, another's %v", unknown, foreign)
	}
}

// TestMessagingPolicy lets drivers write to nobody but company users.
func TestMessagingPolicy(t *testing.T) {
	t.Parallel()
	denied := map[[2]roles.Role]bool{}
	for _, to := range roles.All() {
		denied[[2]roles.Role{roles.Driver, to}] = to != roles.Company
	}
	h := &hub{}
	people := directory{"carl": roles.Company, "vic": roles.Vendor, "rot": "broken"}
	service := newService(t, openStore(t), h, people, func(o *settings) { o.messaging.Denied = denied })
	dora, admin := person("dora", roles.Driver), person("root", roles.Admin)
	vics := h.connect(person("vic", roles.Vendor))
	for _, test := range []struct {
		name  string
		who   auth.Identity
		to    string
		want  fault.Code
		group fault.Code // as a member of a group
	}{
		{"allowed", dora, "carl", "", ""},
		{"denied, as if there were no such person", dora, "vic", fault.NotFound, fault.NotFound},
		{"never seen", dora, "ghost", fault.NotFound, fault.NotFound},
		{"never seen, by who may write to all", admin, "ghost", fault.NotFound, ""},
		{"directory down", dora, "rot", fault.Unavailable, fault.Unavailable},
		{"directory down, for who may write to all", admin, "rot", fault.Unavailable, ""},
		{"to oneself, whom the directory need not know", admin, "root", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			room := direct(test.who.UserID, test.to)
			_, to := service.Send(t.Context(), test.who, chat.Outgoing{To: test.to, Text: "hello"})
			_, byRoom := service.Send(t.Context(), test.who, chat.Outgoing{RoomID: room, Text: "hello"})
			_, byGroup := service.groups.Create(t.Context(), test.who, groups.NewGroup{Name: "g", Members: []string{"carl", test.to}})
			typing := service.Typing(t.Context(), test.who, typing(room, true), h.connect(test.who))
			for door, err := range map[string]error{"to": to, "roomId": byRoom, "typing": typing} {
				if code(err) != test.want {
					t.Errorf("%s: %v, want %q", door, err, test.want)
				}
			}
			if code(byGroup) != test.group {
				t.Errorf("group: %v, want %q", byGroup, test.group)
			}
			if test.to == "rot" && test.want != "" && !errors.Is(to, errDirectory) {
				t.Errorf("the cause is lost: %v", to)
			}
		})
	}
	h.connect(person("ghost", roles.Vendor)) // is here, and not in the directory yet
	send(t, service, admin, chat.Outgoing{To: "ghost", Text: "hello"})
	if heard := vics.take(); len(heard) > 0 {
		t.Errorf("somebody who may not be written to heard %v", heard)
	}
	// The other direction is open, and so is the answer's history.
	send(t, service, person("vic", roles.Vendor), chat.Outgoing{To: "dora", Text: "hello"})
	if _, err := service.History(t.Context(), dora, chat.HistoryQuery{RoomID: direct("dora", "vic")}); err != nil {
		t.Errorf("reading what was received: %v", err)
	}
}
