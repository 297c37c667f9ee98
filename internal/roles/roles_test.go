package roles_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		roles.DeleteMessages:  "admin",
		roles.CreateGroup:     "admin driver company provider vendor",
		roles.ManageGroups:    "admin",
		roles.ReadDirectory:   "admin driver company provider vendor",
		roles.ManageDirectory: "admin",
		roles.IssueTokens:     "admin",
		roles.ManageSessions:  "admin",
		roles.ReadStatistics:  "admin",
		roles.DeletePeople:    "admin",
		roles.ExportPeople:    "admin",
		roles.CloseRooms:      "admin",
		roles.ManageReports:   "admin",
		roles.ReadAudit:       "admin",
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
