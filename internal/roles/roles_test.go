package roles_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rolecall/internal/roles"
)

// The whole permission table, written out a second time by hand: a change to one without the other is a mistake.
func TestPermissionTable(t *testing.T) {
	want := map[roles.Permission]string{
		roles.PublishPosition: "driver",
		roles.WatchAllFleets:  "admin",
		roles.WatchOwnFleet:   "company",
		roles.ReadOwnTrack:    "driver",
		roles.Broadcast:       "admin",
		roles.ReadInbox:       "admin driver company provider vendor",
		roles.Chat:            "admin driver company provider vendor",
		roles.CreateGroup:     "admin driver company provider vendor",
		roles.ReadDirectory:   "admin driver company provider vendor",
	}
	if len(want) != len(roles.Permissions()) {
		t.Fatalf("the table has %d permissions, the test %d", len(roles.Permissions()), len(want))
	}
	for _, permission := range roles.Permissions() {
		var holders []string
		for _, role := range roles.All() {
			if role.Can(permission) {
				holders = append(holders, string(role))
			}
		}
		if got := strings.Join(holders, " "); got != want[permission] {
			t.Errorf("%s is held by %q, want %q", permission, got, want[permission])
		}
	}
	if roles.Admin.Can("no:such") || roles.Role("root").Can(roles.Chat) {
		t.Error("what is not in the table is granted")
	}
}

func TestParse(t *testing.T) {
	for _, role := range roles.All() {
		if got, err := roles.Parse(string(role)); err != nil || got != role {
			t.Errorf("Parse(%q) = %q, %v", role, got, err)
		}
	}
	for _, name := range []string{"", "Admin", "admin ", "root", "role:admin"} {
		if _, err := roles.Parse(name); err == nil {
			t.Errorf("Parse(%q) succeeded", name)
		}
	}
}

func TestMessagingPolicy(t *testing.T) {
	open := roles.Messaging{}
	closed := roles.Messaging{Denied: map[[2]roles.Role]bool{{roles.Vendor, roles.Driver}: true}}
	for _, from := range roles.All() {
		if !open.AllowsAny(from) {
			t.Errorf("the default policy keeps %s from someone", from)
		}
		for _, to := range roles.All() {
			if want := from != roles.Vendor || to != roles.Driver; closed.Allows(from, to) != want {
				t.Errorf("Allows(%s, %s) = %t", from, to, !want)
			}
		}
	}
	if closed.AllowsAny(roles.Vendor) || !closed.AllowsAny(roles.Driver) {
		t.Error("AllowsAny does not follow the denied pairs")
	}
}

func TestStanding(t *testing.T) {
	for _, tc := range []struct {
		role    roles.Role
		company string
		want    []roles.Room
	}{
		{roles.Admin, "", []roles.Room{"user:u1", "role:admin", "fleet:*"}},
		{roles.Company, "acme", []roles.Room{"user:u1", "role:company", "company:acme", "company:acme:company", "fleet:acme"}},
		{roles.Driver, "acme", []roles.Room{"user:u1", "role:driver", "company:acme", "company:acme:driver"}},
		{roles.Provider, "", []roles.Room{"user:u1", "role:provider"}},
		{roles.Vendor, "", []roles.Room{"user:u1", "role:vendor"}},
	} {
		if diff := cmp.Diff(tc.want, roles.Standing("u1", tc.role, tc.company)); diff != "" {
			t.Errorf("%s: %s", tc.role, diff)
		}
	}
}

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

func TestCheckChatRoom(t *testing.T) {
	longID := strings.Repeat("a", roles.MaxUserID)
	for id, want := range map[string]error{
		"orders":                      nil,
		"Orders.2026:north-1_b":       nil,
		"7":                           nil,
		strings.Repeat("r", 128):      nil,
		"group:0193":                  nil,
		"dm:a:b":                      nil,
		"dm:a:a":                      nil,
		"dm:" + longID + ":" + longID: nil,
		"users:7":                     nil,
		"dmitri":                      nil,
		"dm:b:a":                      roles.ErrRoomInvalid,
		"group:":                      roles.ErrRoomInvalid,
		"dm:a":                        roles.ErrRoomInvalid,
		"dm::a":                       roles.ErrRoomInvalid,
		"dm:a:b:c":                    roles.ErrRoomInvalid,
		"dm:a:" + longID + "x":        roles.ErrRoomInvalid,
		"":                            roles.ErrRoomInvalid,
		strings.Repeat("r", 129):      roles.ErrRoomInvalid,
		"-a":                          roles.ErrRoomInvalid,
		"a b":                         roles.ErrRoomInvalid,
		"a\x00":                       roles.ErrRoomInvalid,
		"ünder":                       roles.ErrRoomInvalid,
		"a/../b":                      roles.ErrRoomInvalid,
		"user:u1":                     roles.ErrRoomReserved,
		"role:admin":                  roles.ErrRoomReserved,
		"company:acme":                roles.ErrRoomReserved,
		"company:acme:driver":         roles.ErrRoomReserved,
		"fleet:acme":                  roles.ErrRoomReserved,
		"driver:d1":                   roles.ErrRoomReserved,
		"cell:89c25":                  roles.ErrRoomReserved,
	} {
		if err := roles.CheckChatRoom(id); !errors.Is(err, want) {
			t.Errorf("CheckChatRoom(%q) = %v, want %v", id, err, want)
		}
	}
}

// No chat room, whatever its id, has the name of a room that identity alone opens.
func TestChatRoomsAreApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		user := rapid.StringMatching(`[A-Za-z0-9._@+~=|-]{1,128}`).Draw(t, "user")
		company := rapid.StringMatching(`[A-Za-z0-9._@+~=|-]{1,128}`).Draw(t, "company")
		role := rapid.SampledFrom(roles.All()).Draw(t, "role")
		room := roles.ChatRoom(rapid.String().Draw(t, "room"))
		for _, standing := range roles.Standing(user, role, company) {
			if room == standing {
				t.Fatalf("chat room %q is also a standing room", room)
			}
		}
	})
}

func TestDirectRoomIsSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[A-Za-z0-9._@+~=|-]{1,128}`)
		a, b := id.Draw(t, "a"), id.Draw(t, "b")
		room := roles.DirectRoom(a, b)
		if room != roles.DirectRoom(b, a) {
			t.Fatal("the order of the people matters")
		}
		first, second, ok := roles.DirectPeers(room)
		if !ok || first != min(a, b) || second != max(a, b) {
			t.Fatalf("DirectPeers(%q) = %q, %q, %t", room, first, second, ok)
		}
		if err := roles.CheckChatRoom(room); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzCheckChatRoom(f *testing.F) {
	f.Add("dm:a:b")
	f.Add("group:x")
	f.Add("user:x")
	f.Fuzz(func(t *testing.T, id string) {
		if roles.CheckChatRoom(id) == nil && (id == "" || len(id) > 3+128+1+128) {
			t.Errorf("%q was let through", id)
		}
	})
}
