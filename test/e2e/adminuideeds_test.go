package e2e

import (
	"slices"
	"strings"
	"testing"

	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// An admin sends sockets away and moves them, no further than the users themselves may go; each deed has its line.
func TestAdminUIDeeds(t *testing.T) {
	harness.NeedsOneNode(t, "which sockets the Admin UI shows")
	server := harness.Start(t, nil)
	ada := server.Dial(harness.Person("ada", roles.Company, "acme"), "/")
	bob := server.Dial(harness.Person("bob", roles.Vendor, ""), "/chat")
	eve := server.Dial(harness.Person("eve", roles.Vendor, ""), "/tracking")
	o := mustLookOn(t, server.URL, byToken(t, "root", roles.Admin))
	adas, bobs, eves := o.knows("ada"), o.knows("bob"), o.knows("eve")

	for _, refused := range []struct {
		what, event string
		arguments   []any
		code        string
	}{
		{"a whole namespace", "_disconnect", []any{"/", false}, "forbidden"},
		{"a whole namespace, by null", "_disconnect", []any{"/", true, nil}, "forbidden"},
		{"nobody", "_disconnect", []any{"/", false, "nobody"}, "not_found"},
		{"a socket of another namespace", "_disconnect", []any{"/chat", false, adas.ID}, "not_found"},
		{"no namespace", "_disconnect", []any{7}, "invalid_payload"},
		{"too much", "_disconnect", []any{"/", false, adas.ID, 1}, "invalid_payload"},
		{"the room of another company", "join", []any{"/", "company:other", adas.ID}, "room_forbidden"},
		{"all fleets", "join", []any{"/", "fleet:*", adas.ID}, "room_forbidden"},
		{"a conversation of others", "join", []any{"/", "chat:dm:bob:eve", adas.ID}, "room_forbidden"},
		{"a group", "join", []any{"/", "group:none", adas.ID}, "room_forbidden"},
		{"where there is no chat", "join", []any{"/tracking", "lobby", eves.ID}, "room_forbidden"},
		{"one's own room", "leave", []any{"/", "user:ada", adas.ID}, "room_forbidden"},
		{"all of a room", "join", []any{"/", "lobby", "user:ada"}, "not_found"},
		{"what clients are told", "emit", []any{"/", adas.ID, "chat:message", 1}, "not_found"},
	} {
		if ack := o.do(refused.event, refused.arguments...); ack.Code != refused.code {
			t.Errorf("%s of %s: %s, want %s", refused.event, refused.what, ack.Raw, refused.code)
		}
	}
	if lines := audited(t, server); len(lines) > 0 {
		t.Errorf("what was refused is written down: %+v", lines)
	}

	if ack := o.do("join", "/chat", "chat:lobby", bobs.ID); ack.Status != "ok" {
		t.Fatalf("join: %s", ack.Raw)
	}
	harness.Heard[any](bob, "room:history")
	o.until("bob is in the lobby", func() bool { return slices.Contains(bobs.Rooms, "chat:lobby") })
	if ack := o.do("leave", "/chat", "lobby", bobs.ID); ack.Status != "ok" {
		t.Fatalf("leave: %s", ack.Raw)
	}
	o.until("bob has left", func() bool { return !slices.Contains(bobs.Rooms, "chat:lobby") })
	if err := o.Emit(t.Context(), "_disconnect", "/chat", false, bobs.ID); err != nil { // as the page does, without an ack
		t.Fatal(err)
	}
	endsWithin(t, harness.Deadline, bob)
	o.until("bob has gone", func() bool { return len(o.of("bob")) == 0 })
	if ack := o.do("_disconnect", "/", true, adas.ID); ack.Status != "ok" {
		t.Fatalf("disconnect: %s", ack.Raw)
	}
	endsWithin(t, harness.Deadline, ada)
	if ack := o.do("_disconnect", "/tracking", false, "role:vendor"); ack.Status != "ok" {
		t.Fatalf("disconnect of a room: %s", ack.Raw)
	}
	endsWithin(t, harness.Deadline, eve)

	var got []string
	for _, line := range audited(t, server) {
		got = append(got, line.Actor.UserID+" "+line.Action+" "+line.Target+": "+line.Detail)
	}
	slices.Reverse(got)
	want := []string{
		"root socket.join bob: room lobby, session " + bobs.ClientID + " in /chat",
		"root socket.leave bob: room lobby, session " + bobs.ClientID + " in /chat",
		"root socket.disconnect bob: the socket of session " + bobs.ClientID + " in /chat",
		"root socket.disconnect ada: the connection of session " + adas.ClientID + " in /",
		"root room.disconnect role:vendor: ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("written down:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// audited are the lines of the audit, newest first.
func audited(t *testing.T, server *harness.Server) []auditLine {
	t.Helper()
	answer := server.REST("GET", "/api/v1/audit", harness.Person("root", roles.Admin, ""), nil)
	return harness.Decode[struct{ Items []auditLine }](t, answer.Body).Items
}
