package chat_test

import (
	"slices"
	"sync"
	"testing"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
)

func TestComingAndGoingIsToldOncePerUser(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	bob, amy := person("bob", roles.Vendor), person("amy", roles.Driver)
	watcher := h.connect(bob)
	enter(t, service, bob, "lobby", watcher)
	watcher.take()
	tab, phone, elsewhere := h.connect(amy), h.connect(amy), h.connect(amy)

	enter(t, service, amy, "lobby", tab)
	heard := watcher.take()
	if len(heard) != 1 || heard[0] != (event{chat.EventUserJoined, `{"roomId":"lobby","userId":"amy","username":"name of amy"}`}) {
		t.Fatalf("on the first join others heard %v", heard)
	}
	enter(t, service, amy, "lobby", phone)
	enter(t, service, amy, "lobby", tab)
	leave := func(s *socket) {
		t.Helper()
		if err := service.Leave(t.Context(), amy, "lobby", s); err != nil {
			t.Fatal(err)
		}
	}
	leave(tab)
	leave(tab)
	leave(elsewhere) // was never in it
	if heard := watcher.take(); len(heard) > 0 {
		t.Fatalf("while one of the user's sockets stays others heard %v", heard)
	}
	mustLeave(t, service, amy, h.disconnect(phone))
	heard = watcher.take()
	if len(heard) != 1 || heard[0] != (event{chat.EventUserLeft, `{"roomId":"lobby","userId":"amy","username":"name of amy"}`}) {
		t.Fatalf("on the last leave others heard %v", heard)
	}
	for _, s := range []*socket{tab, elsewhere} {
		for _, name := range s.heardNames() {
			if name == chat.EventUserJoined || name == chat.EventUserLeft {
				t.Errorf("the user was told of itself: %s", name)
			}
		}
	}
	for bad, want := range map[string]fault.Code{
		"": fault.RoomInvalid, "user:amy": fault.RoomForbidden, "no good": fault.RoomInvalid, "dm:x": fault.RoomInvalid,
	} {
		if err := service.Leave(t.Context(), amy, bad, tab); !fault.Is(err, want) || fault.From(err).Field != "roomId" {
			t.Errorf("leaving %q: %v, want %s", bad, err, want)
		}
	}
}

// TestDirectAndGroupRoomsTellNothing: their members are known, whoever has them open.
func TestDirectAndGroupRoomsTellNothing(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy, bob := person("amy", roles.Driver), person("bob", roles.Vendor)
	roomID := group(t, service, amy, "bob")
	watcher, s := h.connect(bob), h.connect(amy)
	for _, room := range []string{roomID, "dm:amy:bob"} {
		enter(t, service, bob, room, watcher)
		enter(t, service, amy, room, s)
		if err := service.Leave(t.Context(), amy, room, s); err != nil {
			t.Fatal(err)
		}
		enter(t, service, amy, room, s)
	}
	mustLeave(t, service, amy, h.disconnect(s))
	if names := h.names(); !slices.Equal(names, []string{"room:added", "chat:message"}) { // as the group was made
		t.Errorf("told: %v", names)
	}
}

// TestJoiningTogether lets all of a user's sockets join at once, and then all go at once: others hear of one coming, and
// in the end of the user as it is.
func TestJoiningTogether(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	bob, amy := person("bob", roles.Vendor), person("amy", roles.Driver)
	watcher := h.connect(bob)
	enter(t, service, bob, "lobby", watcher)
	for round := range 50 {
		watcher.take()
		sockets := []*socket{h.connect(amy), h.connect(amy), h.connect(amy), h.connect(amy)}
		var together sync.WaitGroup
		for _, s := range sockets {
			together.Go(func() { enter(t, service, amy, "lobby", s) })
		}
		together.Wait()
		if names := watcher.heardNames(); !slices.Equal(names, []string{chat.EventUserJoined}) {
			t.Fatalf("round %d: on joining together others heard %v", round, names)
		}
		late := h.connect(amy)
		for _, s := range sockets {
			together.Go(func() { mustLeave(t, service, amy, h.disconnect(s)) })
		}
		together.Go(func() { enter(t, service, amy, "lobby", late) })
		together.Wait()
		if names := watcher.heardNames(); len(names) > 0 && names[len(names)-1] != chat.EventUserJoined {
			t.Fatalf("round %d: others last heard %v of a user who is there", round, names)
		}
		mustLeave(t, service, amy, h.disconnect(late))
		if names := watcher.heardNames(); !slices.Equal(names, []string{chat.EventUserLeft}) {
			t.Fatalf("round %d: on the last leave others heard %v", round, names)
		}
	}
}

// mustLeave tells that a socket has gone which was in these chat rooms.
func mustLeave(t *testing.T, service *service, who auth.Identity, rooms []roles.ChatRoom) {
	t.Helper()
	if err := service.Left(t.Context(), who, rooms); err != nil {
		t.Errorf("left %v: %v", rooms, err)
	}
}
