package people_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/auth"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
)

// answer is a page of the directory, as far as it says who is there.
type answer struct {
	People []string
	Cursor string
}

// walk asks for all pages of a query.
func walk(t *testing.T, b *bench, who auth.Identity, query people.UserQuery, limit int) (answers []answer) {
	t.Helper()
	for at := (page.Request{Limit: limit}); ; {
		found, next, err := b.Directory(t.Context(), who, query, at)
		if err != nil {
			t.Fatalf("%+v as %s: %v", query, who.UserID, err)
		}
		got := answer{Cursor: next}
		for _, p := range found {
			got.People = append(got.People, p.UserID)
		}
		answers = append(answers, got)
		if at.Cursor = next; next == "" {
			return answers
		}
	}
}

// TestHiddenPeopleLeaveNoTrace: whatever is asked of a directory, its pages and their cursors are those of one in which those
// are not whom the caller does not see; and no page of who was asked for without more is short.
func TestHiddenPeopleLeaveNoTrace(t *testing.T) {
	t.Parallel()
	with, without := newBench(t), newBench(t)
	var hidden []string
	var crowd []people.User
	for i := range 700 { // more than a search looks at
		id := fmt.Sprintf("carl-%03d", i)
		hidden = append(hidden, id)
		crowd = append(crowd, people.User{UserID: id, Username: "Carl", Role: roles.Driver, CompanyID: "umbra"})
	}
	if err := with.store.People.SaveUsers(t.Context(), crowd); err != nil {
		t.Fatal(err)
	}
	with.come(t, person("carla-admin", roles.Admin, ""))
	asker := person("carl", roles.Driver, "acme")
	seen := []auth.Identity{
		asker, person("carl-350-mate", roles.Driver, "acme"), person("carl-7", roles.Vendor, ""), person("z-carl", roles.Provider, ""),
		person("carl-friend", roles.Company, "umbra"), person("a-staff", roles.Company, "acme"),
	}
	for _, b := range []*bench{with, without} {
		for _, one := range seen {
			b.come(t, one)
		}
		b.converse(t, "carl", "carl-friend")
	}
	with.write(t, direct("carl", hidden[0]), "carl") // which is no conversation
	for _, query := range []people.UserQuery{
		{}, {Role: roles.Driver}, {Role: roles.Vendor}, {Role: roles.Admin}, {Role: roles.Company}, {CompanyID: "acme"},
		{CompanyID: "acme", Role: roles.Company}, {CompanyID: "umbra"}, {Text: "c"}, {Text: "carl-3"}, {Text: "carl-351"},
		{Text: "carl", Role: roles.Driver}, {Text: "carl", Role: roles.Admin}, {Text: "carl", CompanyID: "acme"},
	} {
		for _, limit := range []int{1, 50} {
			got, want := walk(t, with, asker, query, limit), walk(t, without, asker, query, limit)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%+v in pages of %d (-without those who are hidden +with them):\n%s", query, limit, diff)
			}
			for i, one := range got {
				raw, err := base64.RawURLEncoding.DecodeString(one.Cursor)
				if named := slices.IndexFunc(hidden, func(id string) bool { return strings.Contains(string(raw), id+"\x00") }); err != nil || named >= 0 {
					t.Errorf("%+v: page %d has the cursor %q (%v)", query, i, raw, err)
				}
				if query.Role == "" && i < len(got)-1 && len(one.People) < limit {
					t.Errorf("%+v: page %d of %d has %v", query, i, len(got), one.People)
				}
			}
		}
	}
	var everybody []string
	for _, one := range walk(t, with, person("root", roles.Admin, ""), people.UserQuery{}, 500) {
		everybody = append(everybody, one.People...)
	}
	if len(everybody) != len(hidden)+1+len(seen) {
		t.Errorf("an admin is shown %d people", len(everybody))
	}
}
