package storetest

import (
	"fmt"
	"strings"
	"testing"

	"rolecall/internal/audit"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
)

func userPromises() []promise {
	return []promise{
		{"a person is remembered as last seen", usersRemembered},
		{"the directory is narrowed down", usersFiltered},
		{"the directory is paged in the order of id", usersPaged},
		{"people are found by how words begin", usersFound},
		{"a search looks at no more than a bounded number of people", searchBounded},
		{"a search leaves out who is not seen, and stands at nobody else", searchWithin},
		{"who is introduced was not seen, and who was seen stays so", usersIntroduced},
		{"names come back byte for byte", namesComeBack},
		{"what was said last of a person stands", usersSaidLast},
		{"what an admin says stands, and is written down where it changes something", usersWritten},
	}
}

func saveUser(t tester, store Store, user people.User) people.User {
	t.Helper()
	check(t, "save user", store.People.SaveUsers(t.Context(), []people.User{user}))
	return user
}

// users lists the people that a query finds, in pages of limit.
func users(t tester, store Store, query people.UserQuery, limit int) []people.User {
	t.Helper()
	return allPages(t, "users", limit, "", func(after string) ([]people.User, error) {
		return store.People.Users(t.Context(), query, after, limit)
	}, func(last people.User) string { return last.UserID })
}

func usersRemembered(t *testing.T, store Store) {
	all := people.UserQuery{}
	same(t, "an empty directory", []people.User{}, users(t, store, all, 10))
	user := saveUser(t, store, people.User{UserID: "u1", Username: "Ann", Role: roles.Driver, CompanyID: "acme", LastSeen: 5})
	same(t, "saved", []people.User{user}, users(t, store, all, 10))
	user = saveUser(t, store, people.User{UserID: "u1", Username: "Anne", Role: roles.Vendor, LastSeen: 9})
	same(t, "changed", []people.User{user}, users(t, store, all, 10))
	same(t, "found by the new name", "u1", searchUsers(t, store, people.UserQuery{Text: "anne"}, 10))
	same(t, "changed back", user, saveUser(t, store, user))
	saveUser(t, store, people.User{UserID: "u1", Username: "Bob", Role: roles.Vendor, LastSeen: 9})
	same(t, "not found by the old name", "", searchUsers(t, store, people.UserQuery{Text: "an"}, 10))
	saveUser(t, store, user)
	same(t, "gone from the old role", []people.User{}, users(t, store, people.UserQuery{Role: roles.Driver}, 10))
}

func usersFiltered(t *testing.T, store Store) {
	for _, u := range []people.User{
		{UserID: "a1", Username: "100% Élodie", Role: roles.Driver, CompanyID: "acme"},
		{UserID: "a2", Username: "under_score", Role: roles.Company, CompanyID: "acme"},
		{UserID: "B1", Username: `back\slash`, Role: roles.Driver, CompanyID: "other"},
		{UserID: "b2", Username: "Анна", Role: roles.Admin},
		{UserID: "c_1", Username: "1000", Role: roles.Vendor},
	} {
		saveUser(t, store, u)
	}
	for _, test := range []struct {
		name  string
		query people.UserQuery
		want  string
	}{
		{"everybody", people.UserQuery{}, "B1 a1 a2 b2 c_1"},
		{"role", people.UserQuery{Role: roles.Driver}, "B1 a1"},
		{"company", people.UserQuery{CompanyID: "acme"}, "a1 a2"},
		{"role and company", people.UserQuery{Role: roles.Driver, CompanyID: "acme"}, "a1"},
		{"ids", people.UserQuery{IDs: []string{"b2", "nobody", "a1", "a1"}}, "a1 b2"},
		{"ids are exact", people.UserQuery{IDs: []string{"A1", "a"}}, ""},
		{"ids and role", people.UserQuery{IDs: []string{"b2", "a1"}, Role: roles.Admin}, "b2"},
		{"no ids is no condition", people.UserQuery{IDs: []string{}, Role: roles.Admin}, "b2"},
		{"company and ids", people.UserQuery{CompanyID: "acme", IDs: []string{"a1", "a2", "B1"}}, "a1 a2"},
	} {
		for _, limit := range []int{1, 2, 100} {
			var got []string
			for _, u := range users(t, store, test.query, limit) {
				got = append(got, u.UserID)
			}
			same(t, fmt.Sprintf("%s, pages of %d", test.name, limit), test.want, strings.Join(got, " "))
		}
	}
}

// search lists the ids of the people that a query finds, in pages of limit.
func searchUsers(t tester, store Store, query people.UserQuery, limit int) string {
	t.Helper()
	var ids []string
	for after, pages := "", 0; pages == 0 || after != ""; pages++ {
		found, next, err := store.People.Search(t.Context(), query, after, limit)
		check(t, "search", err)
		if found == nil || len(found) > limit || next != "" && next <= after {
			t.Fatalf("a page of %d people from %q to %q, asked for %d", len(found), after, next, limit)
		}
		for _, f := range found {
			ids = append(ids, f.UserID)
		}
		after = next
	}
	return strings.Join(ids, " ")
}

func usersFound(t *testing.T, store Store) {
	for _, u := range []people.User{
		{UserID: "a1", Username: "100% \u00c9lodie", Role: roles.Driver, CompanyID: "acme"},
		{UserID: "a2", Username: "under_score", Role: roles.Company, CompanyID: "acme"},
		{UserID: "B1", Username: `back\slash`, Role: roles.Driver, CompanyID: "other"},
		{UserID: "b2", Username: "Анна Иванова", Role: roles.Admin},
		{UserID: "c_1", Username: "1000", Role: roles.Vendor},
		{UserID: "d@example.org", Username: "Jose\u0301 Stra\u00dfe", Role: roles.Provider},
		{UserID: "e", Username: "田中太郎", Role: roles.Provider},
		{UserID: "f", Username: "Anna Anders anna", Role: roles.Provider},
		{UserID: "3f2a9c1e-7b1d-4c55-9d2e-0a1b2c3d4e5f", Username: "🚚 Fleet", Role: roles.Provider},
	} {
		saveUser(t, store, u)
	}
	for _, test := range []struct {
		name  string
		query people.UserQuery
		want  string
	}{
		{"a word, any case", people.UserQuery{Text: "SCORE"}, "a2"},
		{"not within a word", people.UserQuery{Text: "core"}, ""},
		{"id, any case", people.UserQuery{Text: "b1"}, "B1"},
		{"digits of an id, or a name", people.UserQuery{Text: "1"}, "B1 a1 c_1"},
		{"one letter", people.UserQuery{Text: "é"}, "a1"},
		{"beyond ASCII, any case", people.UserQuery{Text: "ÉLO"}, "a1"},
		{"put together otherwise", people.UserQuery{Text: "e\u0301lo"}, "a1"},
		{"put together otherwise in the name", people.UserQuery{Text: "JOS\u00c9"}, "d@example.org"},
		{"an accent is no ornament", people.UserQuery{Text: "jose s"}, ""},
		{"capitals that fold to two letters", people.UserQuery{Text: "STRASS"}, "d@example.org"},
		{"another script, any case", people.UserQuery{Text: "ИВА"}, "b2"},
		{"words on end", people.UserQuery{Text: " anna an "}, "f"},
		{"a script without spaces", people.UserQuery{Text: "太郎"}, "e"},
		{"a symbol", people.UserQuery{Text: "🚚"}, "3f2a9c1e-7b1d-4c55-9d2e-0a1b2c3d4e5f"},
		{"part of an id", people.UserQuery{Text: "example"}, "d@example.org"},
		{"a group of a random id", people.UserQuery{Text: "4C55-9"}, "3f2a9c1e-7b1d-4c55-9d2e-0a1b2c3d4e5f"},
		{"found by several words, once", people.UserQuery{Text: "an"}, "f"},
		{"a per cent sign is itself", people.UserQuery{Text: "100%"}, "a1"},
		{"a backslash is itself", people.UserQuery{Text: `back\`}, "B1"},
		{"a quote", people.UserQuery{Text: `'`}, ""},
		{"nothing like it", people.UserQuery{Text: "zzz"}, ""},
		{"in the order of the words", people.UserQuery{Text: "a"}, "a1 a2 f"},
		{"of a role", people.UserQuery{Text: "a", Role: roles.Company}, "a2"},
		{"of a company", people.UserQuery{Text: "b", CompanyID: "other"}, "B1"},
	} {
		for _, limit := range []int{1, 2, 100} {
			same(t, fmt.Sprintf("%s, pages of %d", test.name, limit), test.want, searchUsers(t, store, test.query, limit))
		}
	}
}

func searchBounded(t *testing.T, store Store) {
	const crowd = 3000
	all := make([]people.User, crowd)
	for i := range all {
		all[i] = people.User{UserID: fmt.Sprintf("u%04d", i), Username: "Driver", Role: roles.Driver}
	}
	all[crowd-1].Role = roles.Admin
	check(t, "save users", store.People.SaveUsers(t.Context(), all))
	query := people.UserQuery{Text: "driver", Role: roles.Admin}
	found, next, err := store.People.Search(t.Context(), query, "", 10)
	if check(t, "search", err); len(found) != 0 || next == "" {
		t.Fatalf("found %v among 3,000 people at once, next is %q", found, next)
	}
	same(t, "in the end", all[crowd-1].UserID, searchUsers(t, store, query, 10))
}

func searchWithin(t *testing.T, store Store) {
	var all []people.User
	for i := range 1500 {
		all = append(all, people.User{UserID: fmt.Sprintf("u%04d", i), Username: "Driver", Role: roles.Driver, CompanyID: "other"})
	}
	all[3].Role, all[700].CompanyID, all[1200].CompanyID, all[1499].Role = roles.Vendor, "acme", "", roles.Admin
	check(t, "save users", store.People.SaveUsers(t.Context(), all))
	for _, test := range []struct {
		name  string
		sight people.Sight
		want  string
	}{
		{"nobody", people.Sight{}, ""},
		{"a role", people.Sight{Roles: []roles.Role{roles.Vendor, roles.Provider}}, "u0003"},
		{"a company", people.Sight{CompanyID: "acme"}, "u0700"},
		{"some by id", people.Sight{IDs: []string{"u1499", "u0005", "nobody"}}, "u0005 u1499"},
		{"all of these", people.Sight{Roles: []roles.Role{roles.Vendor}, CompanyID: "acme", IDs: []string{"u0003", "u1499"}}, "u0003 u0700 u1499"},
	} {
		query := people.UserQuery{Text: "driver", Sight: &test.sight}
		for _, limit := range []int{1, 2, 100} {
			same(t, fmt.Sprintf("%s, pages of %d", test.name, limit), test.want, searchUsers(t, store, query, limit))
		}
		found, next, err := store.People.Search(t.Context(), query, "", 100)
		if check(t, "search", err); next != "" {
			t.Errorf("%s: %d are found, and the next are behind %q", test.name, len(found), next)
		}
	}
	sight := people.Sight{Roles: []roles.Role{roles.Vendor, roles.Admin}, CompanyID: "acme"}
	same(t, "of a role", "u1499", searchUsers(t, store, people.UserQuery{Text: "driver", Role: roles.Admin, Sight: &sight}, 1))
}

func usersIntroduced(t *testing.T, store Store) {
	introduced := saveUser(t, store, people.User{UserID: "u1", Username: "Ann", Role: roles.Driver, CompanyID: "acme"})
	same(t, "introduced", []people.User{introduced}, users(t, store, people.UserQuery{}, 10))
	seen := introduced
	seen.LastSeen = 7
	saveUser(t, store, seen)
	saveUser(t, store, introduced)
	same(t, "seen, and introduced again", []people.User{seen}, users(t, store, people.UserQuery{}, 10))
	renamed := introduced
	renamed.Username = "Anne"
	saveUser(t, store, renamed)
	seen.Username = "Anne"
	same(t, "under another name", []people.User{seen}, users(t, store, people.UserQuery{}, 10))
}

func usersSaidLast(t *testing.T, store Store) {
	at := func(said, seen int64, name string) people.User {
		return people.User{UserID: "u1", Username: name, Role: roles.Driver, CompanyID: "acme", LastSeen: seen, SaidAt: said}
	}
	saveUser(t, store, at(10, 10, "Ann"))
	saveUser(t, store, at(5, 12, "Old"))
	same(t, "said before", []people.User{at(10, 12, "Ann")}, users(t, store, people.UserQuery{}, 10))
	same(t, "not found by what was said before", "", searchUsers(t, store, people.UserQuery{Text: "old"}, 10))
	saveUser(t, store, at(20, 12, "Ann"))
	saveUser(t, store, at(15, 15, "Old"))
	same(t, "said again", []people.User{at(20, 15, "Ann")}, users(t, store, people.UserQuery{}, 10))
	saveUser(t, store, at(20, 14, "New"))
	same(t, "said at once", []people.User{at(20, 15, "New")}, users(t, store, people.UserQuery{}, 10))
	same(t, "found by it", "u1", searchUsers(t, store, people.UserQuery{Text: "new"}, 10))
	found, _, err := store.People.Search(t.Context(), people.UserQuery{Text: "new"}, "", 10)
	check(t, "search", err)
	same(t, "as found", at(20, 15, "New"), found[0].User)
}

func usersWritten(t *testing.T, store Store) {
	at := func(id string, said, seen int64, name string) people.User {
		return people.User{UserID: id, Username: name, Role: roles.Vendor, LastSeen: seen, SaidAt: said}
	}
	write := func(all ...people.User) []people.Written {
		t.Helper()
		var lines []audit.Line
		for _, user := range all {
			lines = append(lines, deed(100, "root", audit.WriteUser, user.UserID))
		}
		written, err := store.People.WriteUsers(t.Context(), all, lines)
		check(t, "write users", err)
		return written
	}
	lineCount := func() int { return len(lines(t, store, audit.Query{Action: audit.WriteUser}, 10)) }
	saveUser(t, store, at("u2", 50, 50, "Bob"))
	same(t, "made and changed", []people.Written{people.Created, people.Updated}, write(at("u1", 20, 0, "Ann"), at("u2", 20, 0, "Bert")))
	same(t, "lines", 2, lineCount())
	want := []people.User{at("u1", 20, 0, "Ann"), at("u2", 50, 50, "Bert")} // though a faster clock has said the other name
	same(t, "as stored", want, users(t, store, people.UserQuery{}, 10))
	same(t, "found by the new names", "u1 u2", searchUsers(t, store, people.UserQuery{Text: "ann"}, 10)+" "+searchUsers(t, store, people.UserQuery{Text: "bert"}, 10))
	same(t, "not found by the old one", "", searchUsers(t, store, people.UserQuery{Text: "bob"}, 10))
	same(t, "unchanged", []people.Written{people.Unchanged, people.Unchanged}, write(at("u2", 60, 0, "Bert"), at("u1", 60, 0, "Ann")))
	same(t, "no line", 2, lineCount())
	saveUser(t, store, at("u1", 59, 59, "Old"))
	want = []people.User{at("u1", 60, 59, "Ann"), at("u2", 60, 50, "Bert")}
	same(t, "what was said again stands from then on", want, users(t, store, people.UserQuery{}, 10))
	same(t, "one of two", []people.Written{people.Unchanged, people.Created}, write(at("u1", 61, 0, "Ann"), at("u3", 61, 0, "Cem")))
	same(t, "a line of the other", "u3", lines(t, store, audit.Query{Action: audit.WriteUser}, 10)[0].Target)
	same(t, "another line", 3, lineCount())
	same(t, "nobody", 0, len(write()))
}

func usersPaged(t *testing.T, store Store) {
	want := []people.User{}
	for i := range 25 {
		want = append(want, people.User{UserID: fmt.Sprintf("u%02d", i), Username: "x", Role: roles.Driver})
	}
	for i := range want {
		saveUser(t, store, want[(i*7)%len(want)])
	}
	for _, limit := range []int{1, 5, 24, 25, 26} {
		same(t, fmt.Sprintf("pages of %d", limit), want, users(t, store, people.UserQuery{}, limit))
	}
	for _, limit := range []int{0, -1} {
		none, err := store.People.Users(t.Context(), people.UserQuery{}, "", limit)
		check(t, "a page of none", err)
		same(t, "a page of none", []people.User{}, none)
	}
}

func namesComeBack(t *testing.T, store Store) {
	for name, text := range hostileTexts() {
		user := saveUser(t, store, people.User{UserID: "u1", Username: text, Role: roles.Driver, CompanyID: "c"})
		same(t, name, []people.User{user}, users(t, store, people.UserQuery{}, 1))
		same(t, name+" as a search", "u1", searchUsers(t, store, people.UserQuery{Text: text}, 1))
	}
}
