package people_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

// TestUsernamesOfWhomOneFinds: what people are called is told of whom the caller finds, and not of others.
func TestUsernamesOfWhomOneFinds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	amy := person("amy", roles.Driver, "acme")
	names := make(map[string]string)
	for _, one := range []auth.Identity{
		amy, person("mate", roles.Driver, "acme"), person("shop", roles.Vendor, ""), person("friend", roles.Driver, "umbra"),
		person("written-to", roles.Driver, "umbra"), person("boss", roles.Admin, ""),
	} {
		b.come(t, one)
		names[one.UserID] = one.Username
	}
	b.converse(t, "amy", "friend")
	b.write(t, direct("amy", "written-to"), "amy")
	asked := []string{"amy", "mate", "shop", "friend", "written-to", "boss", "nobody"}
	for _, gone := range []bool{false, true} {
		if gone {
			b.leave(t, person("written-to", roles.Driver, "umbra"))
		}
		all, err := b.Usernames(t.Context(), person("root", roles.Admin, ""), asked)
		if diff := cmp.Diff(names, all); diff != "" || err != nil {
			t.Errorf("to an admin: %v (-want +got):\n%s", err, diff)
		}
		got, err := b.Usernames(t.Context(), amy, asked)
		want := map[string]string{"amy": names["amy"], "mate": names["mate"], "shop": names["shop"], "friend": names["friend"]}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("to amy: %v (-want +got):\n%s", err, diff)
		}
	}
}
