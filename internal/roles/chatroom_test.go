package roles_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/roles"
)

const userIDs = `[A-Za-z0-9._@+~=|-]{1,128}`

func TestValidUserID(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "driver-17": true, "_": true, "-": true, "A_b-C": true, "auth0|5f7c8ec7c33c6c004bbafe82": true,
		"ada+work@example.org": true, "~a=b~": true, "0197a3c0-5d1e-7c3a-9f10-3f6b1c2d4e5f": true,
		strings.Repeat("a", 128): true,
		"":                       false, strings.Repeat("a", 129): false, "a b": false, "a:b": false, "a/b": false, ":": false, "*": false,
		"a\n": false, "a\x00": false, "ada,bob": false, "ünal": false, "a%3Ab": false, "a\\b": false, "a'b": false, `a"b`: false,
		"<a>": false, "{a}": false, "a&b": false, "a;b": false, "a#b": false, "a?b": false, "$a": false, "(a)": false, "a!": false,
	} {
		if got := roles.ValidUserID(id); got != want {
			t.Errorf("ValidUserID(%q) = %t", id, got)
		}
	}
}

func TestParseChatRoom(t *testing.T) {
	long := strings.Repeat("a", roles.MaxUserID)
	for id, want := range map[string]struct {
		known  string // the id under which it is known
		kind   roles.ChatRoomKind
		people []string
	}{
		"orders":                  {"orders", roles.OpenKind, nil},
		"Orders.2026:north-1_b":   {"Orders.2026:north-1_b", roles.OpenKind, nil},
		"7":                       {"7", roles.OpenKind, nil},
		"users:7":                 {"users:7", roles.OpenKind, nil},
		"dmitri":                  {"dmitri", roles.OpenKind, nil},
		"DM:a:b":                  {"DM:a:b", roles.OpenKind, nil},
		"chat:orders":             {"chat:orders", roles.OpenKind, nil},
		"group":                   {"group", roles.OpenKind, nil},
		strings.Repeat("r", 128):  {strings.Repeat("r", 128), roles.OpenKind, nil},
		"group:0193":              {"group:0193", roles.GroupKind, nil},
		"group:a:b":               {"group:a:b", roles.GroupKind, nil},
		"dm:a:b":                  {"dm:a:b", roles.DirectKind, []string{"a", "b"}},
		"dm:b:a":                  {"dm:a:b", roles.DirectKind, []string{"a", "b"}},
		"dm:a:B":                  {"dm:B:a", roles.DirectKind, []string{"B", "a"}}, // the order of bytes
		"dm:ab:a":                 {"dm:a:ab", roles.DirectKind, []string{"a", "ab"}},
		"dm:a:a":                  {"dm:a:a", roles.DirectKind, []string{"a"}},
		"dm:user.1@x.org:auth0|5": {"dm:auth0|5:user.1@x.org", roles.DirectKind, []string{"auth0|5", "user.1@x.org"}},
		"dm:-:_":                  {"dm:-:_", roles.DirectKind, []string{"-", "_"}},
		"dm:b:" + long:            {"dm:" + long + ":b", roles.DirectKind, []string{long, "b"}},
		"dm:" + long + ":" + long: {"dm:" + long + ":" + long, roles.DirectKind, []string{long}},
	} {
		got, err := roles.ParseChatRoom(id)
		if err != nil || got.String() != want.known || got.Kind() != want.kind || !slices.Equal(got.People(), want.people) {
			t.Errorf("ParseChatRoom(%q) = %s, %s, %v (%v), want %v", id, got, got.Kind(), got.People(), err, want)
		}
		if again, ok := roles.ChatRoomOf(got.Room()); !ok || again != got {
			t.Errorf("ChatRoomOf(%q) = %v, %t", got.Room(), again, ok)
		}
	}
}

func TestParseChatRoomRefuses(t *testing.T) {
	long := strings.Repeat("a", roles.MaxUserID)
	for id, want := range map[string]error{
		"group:":                 roles.ErrRoomInvalid,
		"group:a@b":              roles.ErrRoomInvalid,
		"dm:":                    roles.ErrRoomInvalid,
		"dm:a":                   roles.ErrRoomInvalid,
		"dm:a:":                  roles.ErrRoomInvalid,
		"dm::a":                  roles.ErrRoomInvalid,
		"dm:a:b:c":               roles.ErrRoomInvalid,
		"dm:a:b:":                roles.ErrRoomInvalid,
		"dm:a b:c":               roles.ErrRoomInvalid,
		"dm:a/b:c":               roles.ErrRoomInvalid,
		"dm:a:" + long + "x":     roles.ErrRoomInvalid,
		"":                       roles.ErrRoomInvalid,
		strings.Repeat("r", 129): roles.ErrRoomInvalid,
		"-a":                     roles.ErrRoomInvalid,
		"a b":                    roles.ErrRoomInvalid,
		"a\x00":                  roles.ErrRoomInvalid,
		"ünder":                  roles.ErrRoomInvalid,
		"a/../b":                 roles.ErrRoomInvalid,
		"ada@example.org":        roles.ErrRoomInvalid,
		"fleet:*":                roles.ErrRoomInvalid,
		"user:u1":                roles.ErrRoomReserved,
		"role:admin":             roles.ErrRoomReserved,
		"company:acme":           roles.ErrRoomReserved,
		"company:acme:driver":    roles.ErrRoomReserved,
		"fleet:acme":             roles.ErrRoomReserved,
		"driver:d1":              roles.ErrRoomReserved,
		"cell:89c25":             roles.ErrRoomReserved,
	} {
		if got, err := roles.ParseChatRoom(id); !errors.Is(err, want) || got != (roles.ChatRoom{}) {
			t.Errorf("ParseChatRoom(%q) = %v, %v, want %v", id, got, err, want)
		}
	}
}

// TestPeer: who stands in a direct room is who is named in it.
func TestPeer(t *testing.T) {
	for _, tc := range []struct {
		room, userID, peer string
		theirs             bool
	}{
		{"dm:amy:bob", "amy", "bob", true},
		{"dm:amy:bob", "bob", "amy", true},
		{"dm:bob:amy", "bob", "amy", true},
		{"dm:amy:amy", "amy", "amy", true},
		{"dm:amy:bob", "eve", "", false},
		{"dm:amy:bob", "am", "", false},
		{"dm:amy:bob", "", "", false},
		{"dm:amy:bob", "amy:bob", "", false},
		{"group:amy", "amy", "", false},
		{"amy", "amy", "", false},
	} {
		room, err := roles.ParseChatRoom(tc.room)
		if err != nil {
			t.Fatal(err)
		}
		if peer, theirs := room.Peer(tc.userID); peer != tc.peer || theirs != tc.theirs {
			t.Errorf("%s: the peer of %q is %q, %t", tc.room, tc.userID, peer, theirs)
		}
	}
}

// No chat room, whatever its id, has the name of a room that identity alone opens.
func TestChatRoomsAreApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		user := rapid.StringMatching(userIDs).Draw(t, "user")
		company := rapid.StringMatching(userIDs).Draw(t, "company")
		role := rapid.SampledFrom(roles.All()).Draw(t, "role")
		room, err := roles.ParseChatRoom(rapid.StringMatching(`(user:|role:|fleet:|dm:a:|chat:)?[A-Za-z0-9:]{0,10}`).Draw(t, "room"))
		if err != nil {
			t.Skip("no room")
		}
		for _, standing := range roles.Standing(user, role, company) {
			if room.Room() == standing || roles.IsChatRoom(standing) {
				t.Fatalf("chat room %q is also a standing room", room)
			}
			if _, ok := roles.ChatRoomOf(standing); ok {
				t.Fatalf("%q is taken for a chat room", standing)
			}
		}
	})
}

func TestDirectRoomIsSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.StringMatching(userIDs).Draw(t, "a"), rapid.StringMatching(userIDs).Draw(t, "b")
		room, err := roles.DirectRoom(a, b)
		if err != nil {
			t.Fatal(err)
		}
		turned, err := roles.DirectRoom(b, a)
		if err != nil || room != turned {
			t.Fatalf("the order of the people matters: %v, %v", turned, err)
		}
		for _, id := range []string{"dm:" + a + ":" + b, "dm:" + b + ":" + a} {
			if parsed, err := roles.ParseChatRoom(id); err != nil || parsed != room {
				t.Fatalf("ParseChatRoom(%q) = %v, %v", id, parsed, err)
			}
		}
		if peer, theirs := room.Peer(a); peer != b || !theirs {
			t.Fatalf("the peer of %q is %q, %t", a, peer, theirs)
		}
	})
	for _, id := range []string{"", "a:b", "a b"} {
		if _, err := roles.DirectRoom("a", id); !errors.Is(err, roles.ErrRoomInvalid) {
			t.Errorf("a room with %q: %v", id, err)
		}
		if _, err := roles.DirectRoom(id, "a"); !errors.Is(err, roles.ErrRoomInvalid) {
			t.Errorf("a room of %q: %v", id, err)
		}
	}
}

func TestChatRoomAsJSON(t *testing.T) {
	type payload struct {
		RoomID roles.ChatRoom `json:"roomId"`
	}
	var in payload
	if err := json.Unmarshal([]byte(`{"roomId":"dm:b:a"}`), &in); err != nil {
		t.Fatal(err)
	}
	if out, err := json.Marshal(in); err != nil || string(out) != `{"roomId":"dm:a:b"}` {
		t.Errorf("written as %s, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"roomId":"user:a"}`), &in); !errors.Is(err, roles.ErrRoomReserved) {
		t.Errorf("a reserved room is read: %v", err)
	}
}

// FuzzParseChatRoom: what is let through is known by one id, is nobody else's direct room and no room of the server's.
func FuzzParseChatRoom(f *testing.F) {
	for _, id := range []string{"dm:a:b", "dm:b:a", "dm:auth0|5:ada@x.org", "group:x", "user:x", "fleet:*", "lobby", "chat:dm:a:b", ""} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		room, err := roles.ParseChatRoom(id)
		if err != nil {
			if room != (roles.ChatRoom{}) {
				t.Errorf("%q is refused with a room", id)
			}
			return
		}
		if again, err := roles.ParseChatRoom(room.String()); err != nil || again != room {
			t.Errorf("%q is known as %q, which is read as %v (%v)", id, room, again, err)
		}
		if back, ok := roles.ChatRoomOf(room.Room()); !ok || back != room {
			t.Errorf("%q: the socket room %q is read as %v", id, room.Room(), back)
		}
		switch prefix, rest, _ := strings.Cut(id, ":"); prefix {
		case "user", "role", "company", "fleet", "driver", "cell":
			if strings.Contains(id, ":") {
				t.Errorf("%q is the server's", id)
			}
		case "dm":
			first, second, named := strings.Cut(rest, ":")
			if !named {
				break // the open room "dm"
			}
			people := room.People()
			if room.Kind() != roles.DirectKind || people[0] != min(first, second) || people[len(people)-1] != max(first, second) {
				t.Errorf("%q is a %s room of %v", id, room.Kind(), people)
			}
		default:
			if room.Kind() == roles.DirectKind || room.String() != id {
				t.Errorf("%q is known as %q, a %s room", id, room, room.Kind())
			}
		}
		if room.Kind() != roles.DirectKind && (room.People() != nil || len(id) > roles.MaxRoomID) {
			t.Errorf("%q has people %v", id, room.People())
		}
	})
}
