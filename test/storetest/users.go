package storetest

import (
	"fmt"
	"strings"
	"testing"

	"rolecall/internal/roles"
	"rolecall/internal/services/people"
)

func userPromises() []promise {
	return []promise{
		{"a person is remembered as last seen", usersRemembered},
		{"the directory is narrowed down", usersFiltered},
		{"the directory is paged in the order of id", usersPaged},
		{"names come back byte for byte", namesComeBack},
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
	same(t, "found by the new name", []people.User{user}, users(t, store, people.UserQuery{Text: "anne"}, 10))
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
		{"name, any case", people.UserQuery{Text: "SCORE"}, "a2"},
		{"id, any case", people.UserQuery{Text: "b1"}, "B1"},
		{"id or name", people.UserQuery{Text: "1"}, "B1 a1 c_1"},
		{"beyond ASCII, any case", people.UserQuery{Text: "éLO"}, "a1"},
		{"another script, any case", people.UserQuery{Text: "АНН"}, "b2"},
		{"a per cent sign is itself", people.UserQuery{Text: "100%"}, "a1"},
		{"a lone per cent sign", people.UserQuery{Text: "%"}, "a1"},
		{"an underscore is itself", people.UserQuery{Text: "_"}, "a2 c_1"},
		{"a backslash is itself", people.UserQuery{Text: `\`}, "B1"},
		{"a quote", people.UserQuery{Text: `'`}, ""},
		{"nothing like it", people.UserQuery{Text: "zzz"}, ""},
		{"all at once", people.UserQuery{Text: "é", Role: roles.Driver, CompanyID: "acme", IDs: []string{"a1", "a2"}}, "a1"},
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
		same(t, name+" as a search", []people.User{user}, users(t, store, people.UserQuery{Text: text}, 1))
	}
}
