package roles_test

import (
	"strings"
	"testing"

	"rolecall/internal/roles"
)

// matrix is who may write to whom, a line a sender: its recipients in the order of the roles, + for everybody of the role, o for
// those of the sender's company, x for those beyond it, - for nobody.
func matrix(m roles.Messaging) string {
	var lines []string
	for _, from := range roles.All() {
		line := ""
		for _, to := range roles.All() {
			switch within, beyond := m.Allows(from, to, true), m.Allows(from, to, false); {
			case within && beyond:
				line += "+"
			case within:
				line += "o"
			case beyond:
				line += "x"
			default:
				line += "-"
			}
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, " ")
}

// TestMessaging: admin, driver, company, provider, vendor, each to each.
func TestMessaging(t *testing.T) {
	for text, want := range map[string]string{
		"everyone":                                 "+++++ +++++ +++++ +++++ +++++",
		"driver=nobody":                            "+++++ ----- +++++ +++++ +++++",
		"driver=everyone":                          "+++++ +++++ +++++ +++++ +++++",
		"driver=own:company+admin":                 "+++++ +-o-- +++++ +++++ +++++",
		"driver=own:everyone":                      "+++++ ooooo +++++ +++++ +++++",
		"driver=own:driver+other:company":          "+++++ -ox-- +++++ +++++ +++++",
		"company=own:driver+other:driver":          "+++++ +++++ -+--- +++++ +++++",
		"vendor=provider + admin, provider=vendor": "+++++ +++++ +++++ ----+ +--+-",
		"admin=nobody":                             "----- +++++ +++++ +++++ +++++",
	} {
		m, err := roles.ParseMessaging(text)
		if got := matrix(m); err != nil || got != want {
			t.Errorf("%s: %s, want %s (%v)", text, got, want, err)
		}
		for i, from := range roles.All() {
			if free := strings.Fields(want)[i] == "+++++"; m.AllowsAny(from) != free {
				t.Errorf("%s: %s writes to everybody: %t", text, from, !free)
			}
		}
	}
	denied := roles.Messaging{Denied: map[[2]roles.Role]bool{{roles.Vendor, roles.Driver}: true}}
	if got := matrix(denied); got != "+++++ +++++ +++++ +++++ +-+++" {
		t.Errorf("a denied pair: %s", got)
	}
	if roles.AreColleagues("", "") || roles.AreColleagues("a", "b") || !roles.AreColleagues("a", "a") {
		t.Error("who is a colleague of whom is wrong")
	}
}

// TestOpenRooms: each role before each room.
func TestOpenRooms(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"*=everyone":                         {"lobby": "admin driver company provider vendor", "orders-1": "admin driver company provider vendor"},
		"*=nobody":                           {"lobby": ""},
		"orders-=vendor+provider":            {"lobby": "", "orders-": "provider vendor", "orders-1": "provider vendor", "Orders-1": ""},
		"*=admin,orders-=vendor":             {"lobby": "admin", "orders-1": "vendor"},
		"a=vendor, a.b=driver ,a.b.c=nobody": {"a": "vendor", "abc": "vendor", "a.b": "driver", "a.bc": "driver", "a.b.c": "", "a.b.cd": "", "b": ""},
	} {
		policy, err := roles.ParseOpenRooms(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		any := false
		for id, holders := range want {
			var got []string
			for _, role := range roles.All() {
				if policy.Allows(room(t, id), role) {
					got = append(got, string(role))
				}
			}
			if strings.Join(got, " ") != holders {
				t.Errorf("%s: %s is open for %v, want %s", text, id, got, holders)
			}
			any = any || holders != ""
		}
		if policy.Any() != any {
			t.Errorf("%s: open for anybody: %t", text, !any)
		}
	}
	for _, role := range roles.All() {
		if !roles.EveryOpenRoom().Allows(room(t, "lobby"), role) || (roles.OpenRooms{}).Allows(room(t, "lobby"), role) {
			t.Errorf("%s: the two simple policies are wrong", role)
		}
		for _, id := range []string{"dm:a:b", "group:g"} {
			if roles.EveryOpenRoom().Allows(room(t, id), role) {
				t.Errorf("%s is an open room", id)
			}
		}
	}
	if (roles.OpenRooms{}).Any() || !roles.EveryOpenRoom().Any() {
		t.Error("whether there are open rooms is wrong")
	}
}

func room(t *testing.T, id string) roles.ChatRoom {
	t.Helper()
	room, err := roles.ParseChatRoom(id)
	if err != nil {
		t.Fatal(err)
	}
	return room
}

func TestFinding(t *testing.T) {
	for _, role := range roles.All() {
		if want := role == roles.Provider || role == roles.Vendor; roles.DefaultFinding().Finds(role) != want {
			t.Errorf("strangers find people of the role %s: %t", role, !want)
		}
	}
}
