package administration_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/administration"
	"rolecall/test/servicetest"
)

// moved is a socket that notes what is done to it.
type moved struct {
	deeds  []string
	refuse error
}

func (m *moved) Disconnect(closeConnection bool) {
	m.deeds = append(m.deeds, map[bool]string{false: "out", true: "closed"}[closeConnection])
}

func (m *moved) Join(context.Context) error {
	if m.refuse == nil {
		m.deeds = append(m.deeds, "in")
	}
	return m.refuse
}

func (m *moved) Leave(context.Context) error {
	m.deeds = append(m.deeds, "left")
	return nil
}

type clients struct{ rooms []roles.Room }

func (c *clients) Disconnect(_ context.Context, room roles.Room) error {
	c.rooms = append(c.rooms, room)
	return nil
}

// TestMoves: what is done to a socket is done and written down, or neither; and by admins alone.
func TestMoves(t *testing.T) {
	t.Parallel()
	store, reached := &shared{revocations: map[string]int64{}}, &clients{}
	service, err := administration.New(t.Context(), administration.Parts{
		Store: store, Clients: reached, Revocations: auth.NewRevocations(),
	}, administration.Options{Now: func() time.Time { return time.UnixMilli(7) }})
	if err != nil {
		t.Fatal(err)
	}
	root, eve := servicetest.Person("root", roles.Admin), servicetest.Person("eve", roles.Driver)
	of := administration.Subject{UserID: "ada", Namespace: "/chat", Session: "abcdefgh"}
	room, err := roles.ParseChatRoom("lobby")
	if err != nil {
		t.Fatal(err)
	}
	socket := &moved{}
	all := func(who auth.Identity) []error {
		return []error{
			service.DisconnectSocket(t.Context(), who, of, socket, false),
			service.DisconnectSocket(t.Context(), who, of, socket, true),
			service.JoinSocket(t.Context(), who, of, room, socket),
			service.LeaveSocket(t.Context(), who, of, room, socket),
			service.DisconnectRoom(t.Context(), who, roles.UserRoom("ada")),
		}
	}
	for i, err := range all(eve) {
		if servicetest.Code(err) != fault.Forbidden {
			t.Errorf("deed %d by a driver: %v", i, err)
		}
	}
	if len(socket.deeds)+len(store.lines)+len(reached.rooms) > 0 {
		t.Fatalf("done: %v, written: %v, %v", socket.deeds, store.lines, reached.rooms)
	}
	if err := errors.Join(all(root)...); err != nil {
		t.Fatal(err)
	}
	var written []string
	for _, line := range store.lines {
		written = append(written, string(line.Action)+" "+line.Target+": "+line.Detail)
		if line.Actor.UserID != "root" || line.At != 7 || line.Key != "" {
			t.Errorf("written: %+v", line)
		}
	}
	if diff := cmp.Diff([]string{
		"socket.disconnect ada: the socket of session abcdefgh in /chat",
		"socket.disconnect ada: the connection of session abcdefgh in /chat",
		"socket.join ada: room lobby, session abcdefgh in /chat",
		"socket.leave ada: room lobby, session abcdefgh in /chat",
		"room.disconnect user:ada: ",
	}, written); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"out", "closed", "in", "left"}, socket.deeds); diff != "" || len(reached.rooms) != 1 {
		t.Errorf("done (-want +got): %s, rooms %v", diff, reached.rooms)
	}

	// What may not be is not written down, and what cannot be written down is not.
	socket.deeds, socket.refuse, store.lines = nil, fault.New(fault.RoomForbidden, "no"), nil
	if err := service.JoinSocket(t.Context(), root, of, room, socket); servicetest.Code(err) != fault.RoomForbidden || len(store.lines) > 0 {
		t.Errorf("a room that is closed to ada: %v, %v", err, store.lines)
	}
	socket.refuse, store.broken = nil, true
	for i, err := range all(root) {
		if !errors.Is(err, errBroken) {
			t.Errorf("deed %d: %v", i, err)
		}
	}
	if diff := cmp.Diff([]string{"in", "left"}, socket.deeds); diff != "" || len(reached.rooms) != 1 {
		t.Errorf("done without a line (-want +got): %s, rooms %v", diff, reached.rooms)
	}
}
