package people_test

import (
	"strings"
	"testing"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
)

// deeds lists what was written down of people.
func (b *bench) deeds(t *testing.T) []audit.Line {
	t.Helper()
	lines, err := b.store.Administration.Lines(t.Context(), audit.Query{
		Action: audit.WriteUser, Before: audit.Place{At: 1 << 62, Number: 1 << 62}, Limit: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestPut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		entry people.Entry
		want  string // username/role/company, "" for a refusal
		field string
	}{
		"a driver":                 {people.Entry{Username: " Ann \n", Role: roles.Driver, CompanyID: "acme"}, "Ann/driver/acme", ""},
		"a driver of no company":   {people.Entry{Username: "Ann", Role: roles.Driver}, "Ann/driver/default", ""},
		"a vendor":                 {people.Entry{Username: "Ann", Role: roles.Vendor}, "Ann/vendor/", ""},
		"an admin":                 {people.Entry{Username: "Ann", Role: roles.Admin}, "Ann/admin/", ""},
		"right to left, and marks": {people.Entry{Username: "\u202eAnn\u0301", Role: roles.Vendor}, "\u202eAnn\u0301/vendor/", ""},
		"a vendor of a company":    {people.Entry{Username: "Ann", Role: roles.Vendor, CompanyID: "acme"}, "", "companyId"},
		"nothing to see":           {people.Entry{Username: " \u200b\u2060", Role: roles.Vendor}, "", "username"},
		"two lines":                {people.Entry{Username: "Ann\nBob", Role: roles.Vendor}, "", "username"},
		"two paragraphs":           {people.Entry{Username: "Ann\u2029Bob", Role: roles.Vendor}, "", "username"},
		"NUL":                      {people.Entry{Username: "Ann\x00", Role: roles.Vendor}, "", "username"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			admin := person("root", roles.Admin, "")
			test.entry.UserID = "u1"
			entered, err := b.Put(t.Context(), admin, test.entry)
			if test.want == "" {
				if code(err) != fault.InvalidPayload || fault.From(err).Field != test.field || len(b.deeds(t)) > 0 {
					t.Errorf("answered %v, want a fault of %s; written down: %v", err, test.field, b.deeds(t))
				}
				return
			}
			got := strings.Join([]string{entered.Username, string(entered.Role), entered.CompanyID}, "/")
			if err != nil || got != test.want || !entered.IsNew() || entered.LastSeen != nil {
				t.Fatalf("%s, new %t (%v)", got, entered.IsNew(), err)
			}
			again, err := b.Put(t.Context(), admin, test.entry)
			if err != nil || again.Written != people.Unchanged || again.Username != entered.Username {
				t.Errorf("said again: %+v (%v)", again, err)
			}
			if lines := b.deeds(t); len(lines) != 1 || lines[0].Target != "u1" || lines[0].Actor.UserID != "root" ||
				!strings.HasPrefix(lines[0].Detail, entered.Username+", "+string(entered.Role)) {
				t.Errorf("written down: %+v", lines)
			}
		})
	}
}

// TestPutIsForAdmins: others say of nobody who they are.
func TestPutIsForAdmins(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, role := range roles.All() {
		_, err := b.Put(t.Context(), person("x", role, ""), people.Entry{UserID: "by-" + string(role), Username: "n", Role: roles.Vendor})
		if want := role != roles.Admin; (code(err) == fault.Forbidden) != want {
			t.Errorf("%s: %v", role, err)
		}
	}
}

// TestWhatIsSaidLastStands: a token that is used says who its person is, and so does an admin; a connection that ends says
// nothing.
func TestWhatIsSaidLastStands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	admin, ann := person("root", roles.Admin, ""), person("ann", roles.Driver, "acme")
	is := func(step, want string) {
		t.Helper()
		for _, text := range []string{"", "ann"} {
			found, _, err := b.Directory(t.Context(), admin, people.UserQuery{Text: text}, page.Request{})
			if err != nil || len(found) != 1 || found[0].Username != want {
				t.Errorf("%s: listed by %q as %+v, want %s (%v)", step, text, found, want, err)
			}
		}
		if one, err := b.Lookup(t.Context(), admin, "ann"); err != nil || one.Username != want {
			t.Errorf("%s: %+v, want %s (%v)", step, one, want, err)
		}
		if who, known, err := b.Identify(t.Context(), "ann"); err != nil || !known || who.Username != want {
			t.Errorf("%s: identified as %+v, want %s (%v)", step, who, want, err)
		}
	}
	put := func(name string) {
		t.Helper()
		if _, err := b.Put(t.Context(), admin, people.Entry{UserID: "ann", Username: name, Role: roles.Driver, CompanyID: "acme"}); err != nil {
			t.Fatal(err)
		}
		b.later()
	}
	put("Ann Before")
	is("before there was a token", "Ann Before")
	b.come(t, ann)
	is("connected", ann.Username)
	b.later()
	put("Ann Now")
	is("while connected", "Ann Now")
	b.leave(t, ann)
	is("gone", "Ann Now")
	b.later()
	b.Seen(t.Context(), auth.Identity{UserID: "ann", Username: "ann by request", Role: roles.Driver, CompanyID: "acme"})
	is("a request", "ann by request")
	put("Ann At Last")
	is("said again", "Ann At Last")
	b.come(t, ann)
	is("back", ann.Username)
}
