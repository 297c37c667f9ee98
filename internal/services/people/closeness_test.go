package people_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
	"rolecall/internal/store"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

// relation is what an asker has to do with a person, and what that makes of them.
type relation struct {
	name    string
	company string // of the person
	arrange func(t *testing.T, b *bench, asker, person string)
	// shares is whether the two share a conversation then.
	shares bool
}

func relations() []relation {
	return []relation{
		{"strangers", "umbra", func(*testing.T, *bench, string, string) {}, false},
		{"the asker has written, unanswered", "umbra", func(t *testing.T, b *bench, asker, person string) {
			b.write(t, direct(asker, person), asker)
		}, false},
		{"the person has written, unanswered", "umbra", func(t *testing.T, b *bench, asker, person string) {
			b.write(t, direct(asker, person), person)
		}, false},
		{"both have written", "umbra", func(t *testing.T, b *bench, asker, person string) {
			b.write(t, direct(asker, person), asker, person)
		}, true},
		{"in a group of the asker's, where the person is silent", "umbra", func(t *testing.T, b *bench, asker, person string) {
			b.gather(t, asker, person)
			b.write(t, roles.GroupRoom(asker+"-"+person), asker)
		}, false},
		{"both have written in a group", "umbra", func(t *testing.T, b *bench, asker, person string) {
			b.converse(t, asker, person)
		}, true},
		{"both have written in an open room", "umbra", func(t *testing.T, b *bench, asker, person string) {
			b.write(t, servicetest.Room("lobby"), asker, person)
		}, false},
		{"of one company", "acme", func(*testing.T, *bench, string, string) {}, false},
	}
}

// TestWhoSeesWhat asks as every role for a person of every role to whom it stands in every relation, online and not, with
// the default policy and one that keeps the two roles apart: by Lookup, by Named, in the directory and by a search.
func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	for _, related := range relations() {
		t.Run(related.name, func(t *testing.T) {
			t.Parallel()
			opened := sqlitetest.Open(t)
			for _, asking := range roles.All() {
				for _, asked := range roles.All() {
					for _, apart := range []bool{false, true} {
						checkSight(t, opened, related, asking, asked, apart)
					}
				}
			}
		})
	}
}

func direct(first, second string) roles.ChatRoom {
	room, err := roles.DirectRoom(first, second)
	if err != nil {
		panic(err)
	}
	return room
}

func checkSight(t *testing.T, opened *store.Store, related relation, asking, asked roles.Role, apart bool) {
	t.Helper()
	denied := map[[2]roles.Role]bool{{asking, asked}: apart}
	b := newBenchWith(opened.People, opened.Conversations, roles.Messaging{Denied: denied})
	b.store = opened
	of := fmt.Sprintf("-%s-%s-%v", asking, asked, apart)
	asker := person("asker"+of, asking, companyOf(asking, "acme"))
	target := person("target"+of, asked, companyOf(asked, related.company))
	b.come(t, target)
	related.arrange(t, b, asker.UserID, target.UserID)
	for _, online := range []bool{true, false} {
		if !online {
			b.leave(t, target)
		}
		want := sight(asker, target, related.shares, apart, online)
		what := fmt.Sprintf("a %s asks for a %s, kept apart: %v, online: %v", asking, asked, apart, online)
		checkEveryDoor(t, b, what, asker, target.UserID, want)
	}
}

// sight is what an asker is to see, nil for nothing.
func sight(asker, target auth.Identity, shares, apart, online bool) *people.Person {
	seen := people.Person{UserID: target.UserID, Username: target.Username, Role: target.Role}
	colleagues := asker.Role == roles.Admin || asker.CompanyID != "" && asker.CompanyID == target.CompanyID
	if !colleagues && !shares {
		if apart || target.Role != roles.Provider && target.Role != roles.Vendor {
			return nil
		}
		return &seen
	}
	seen.Online, seen.LastSeen = &online, new(noonStamp)
	if colleagues {
		seen.CompanyID = target.CompanyID
	}
	return &seen
}

func checkEveryDoor(t *testing.T, b *bench, what string, asker auth.Identity, id string, want *people.Person) {
	t.Helper()
	wanted := []people.Person{}
	if want != nil {
		wanted = append(wanted, *want)
	}
	named, err := b.Named(t.Context(), asker, []string{id, "nobody"})
	if diff := cmp.Diff(wanted, named); diff != "" || err != nil {
		t.Errorf("%s: named: %v (-want +got):\n%s", what, err, diff)
	}
	listed, next, err := b.Directory(t.Context(), asker, people.UserQuery{Text: id}, page.Request{})
	if diff := cmp.Diff(wanted, listed); diff != "" || err != nil || next != "" {
		t.Errorf("%s: searched: %v (-want +got):\n%s", what, err, diff)
	}
	everybody, _, err := b.Directory(t.Context(), asker, people.UserQuery{}, page.Request{Limit: people.MaxPage})
	everybody = slices.DeleteFunc(everybody, func(p people.Person) bool { return p.UserID != id })
	if diff := cmp.Diff(wanted, everybody); diff != "" || err != nil {
		t.Errorf("%s: listed: %v (-want +got):\n%s", what, err, diff)
	}
	_, unknown := b.Lookup(t.Context(), asker, "nobody")
	found, err := b.Lookup(t.Context(), asker, id)
	switch {
	case want == nil && (code(err) != fault.NotFound || err.Error() != unknown.Error()):
		t.Errorf("%s: lookup: %v, want %v as of nobody", what, err, unknown)
	case want != nil && (err != nil || cmp.Diff(*want, found) != ""):
		t.Errorf("%s: lookup: %+v, %v", what, found, err)
	}
	of, _, err := b.Directory(t.Context(), asker, people.UserQuery{CompanyID: "umbra", Text: id}, page.Request{})
	if sees := want != nil && want.CompanyID == "umbra"; err != nil || (len(of) > 0) != sees {
		t.Errorf("%s: the people of umbra are %+v, %v", what, of, err)
	}
}

func companyOf(role roles.Role, company string) string {
	if role.HasTenant() {
		return company
	}
	return ""
}

// TestAcquainted: who may be brought together with others is who is known, and has to do with the caller.
func TestAcquainted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, who := range []auth.Identity{
		person("dora", roles.Driver, "acme"), person("eve", roles.Driver, "umbra"), person("vic", roles.Vendor, ""), person("pia", roles.Provider, ""),
	} {
		b.come(t, who)
	}
	b.converse(t, "vic", "cleo")
	all := []string{"dora", "eve", "vic", "pia", "nobody"}
	for _, test := range []struct {
		who  auth.Identity
		want map[string]bool
	}{
		{person("cleo", roles.Company, "acme"), map[string]bool{"dora": true, "eve": false, "vic": true, "pia": false}},
		{person("root", roles.Admin, ""), map[string]bool{"dora": true, "eve": true, "vic": true, "pia": true}},
		{person("pia", roles.Provider, ""), map[string]bool{"dora": false, "eve": false, "vic": false, "pia": true}},
	} {
		got, err := b.Acquainted(t.Context(), test.who, all)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", test.who.UserID, err, diff)
		}
	}
	if _, err := newBenchOn(broken{}, broken{}).Acquainted(t.Context(), person("cleo", roles.Company, "acme"), all); code(err) != fault.Unavailable {
		t.Errorf("with a broken store: %v", err)
	}
}

// TestSeen: who calls without a socket is known, and not online; of who has one nothing changes.
func TestSeen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.come(t, person("dora", roles.Driver, "acme"))
	b.Seen(t.Context(), person("eve", roles.Driver, "acme"))
	b.Seen(t.Context(), person("dora", roles.Vendor, ""))
	found, err := b.Named(t.Context(), person("root", roles.Admin, ""), []string{"dora", "eve"})
	if err != nil || len(found) != 2 || found[0].Role != roles.Driver || !found[0].IsOnline() || found[1].IsOnline() {
		t.Errorf("%+v, %v", found, err)
	}
	if emitted, _ := b.told.take(); len(emitted) != 1 {
		t.Errorf("told %v", emitted)
	}
}

// TestIntroduce: who was introduced is found before they have been here.
func TestIntroduce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.Introduce(t.Context(), []auth.Identity{person("dora", roles.Driver, "acme")}); err != nil {
		t.Fatal(err)
	}
	offline := false
	want := []people.Person{{UserID: "dora", Username: "name of dora", Role: roles.Driver, CompanyID: "acme", Online: &offline}}
	got, _, err := b.Directory(t.Context(), person("root", roles.Admin, ""), people.UserQuery{Text: "dor"}, page.Request{})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if role, known, err := b.RoleOf(t.Context(), "dora"); role != roles.Driver || !known || err != nil {
		t.Errorf("role %q, %v, %v", role, known, err)
	}
}
