package storetest

import (
	"fmt"
	"strings"
	"testing"

	"rolecall/internal/roles"
	"rolecall/internal/services/presence"
)

func userPromises() []promise {
	return []promise{
		{"a person is remembered as last seen", usersRemembered},
		{"the directory is narrowed down", usersFiltered},
		{"the directory is paged in the order of id", usersPaged},
		{"names come back byte for byte", namesComeBack},
	}
}

func saveUser(t tester, store Store, user presence.User) presence.User {
	t.Helper()
	check(t, "save user", store.SaveUser(t.Context(), user))
	return user
}

func users(t tester, store Store, query presence.UserQuery) []presence.User {
	t.Helper()
	return allPages(t, "users", query.Limit, query.Cursor, func(cursor string) ([]presence.User, string, error) {
		query.Cursor = cursor
		return store.Users(t.Context(), query)
	})
}

func usersRemembered(t *testing.T, store Store) {
	all := presence.UserQuery{Limit: 10}
	same(t, "an empty directory", []presence.User{}, users(t, store, all))
	user := saveUser(t, store, presence.User{UserID: "u1", Username: "Ann", Role: roles.Driver, CompanyID: "acme", LastSeen: 5})
	same(t, "saved", []presence.User{user}, users(t, store, all))
	user = saveUser(t, store, presence.User{UserID: "u1", Username: "Anne", Role: roles.Vendor, LastSeen: 9})
	same(t, "changed", []presence.User{user}, users(t, store, all))
	same(t, "found by the new name", []presence.User{user}, users(t, store, presence.UserQuery{Text: "anne", Limit: 10}))
	same(t, "gone from the old role", []presence.User{}, users(t, store, presence.UserQuery{Role: roles.Driver, Limit: 10}))
}

func usersFiltered(t *testing.T, store Store) {
	for _, u := range []presence.User{
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
		query presence.UserQuery
		want  string
	}{
		{"everybody", presence.UserQuery{}, "B1 a1 a2 b2 c_1"},
		{"role", presence.UserQuery{Role: roles.Driver}, "B1 a1"},
		{"company", presence.UserQuery{CompanyID: "acme"}, "a1 a2"},
		{"role and company", presence.UserQuery{Role: roles.Driver, CompanyID: "acme"}, "a1"},
		{"ids", presence.UserQuery{IDs: []string{"b2", "nobody", "a1", "a1"}}, "a1 b2"},
		{"ids are exact", presence.UserQuery{IDs: []string{"A1", "a"}}, ""},
		{"ids and role", presence.UserQuery{IDs: []string{"b2", "a1"}, Role: roles.Admin}, "b2"},
		{"no ids is no condition", presence.UserQuery{IDs: []string{}, Role: roles.Admin}, "b2"},
		{"name, any case", presence.UserQuery{Text: "SCORE"}, "a2"},
		{"id, any case", presence.UserQuery{Text: "b1"}, "B1"},
		{"id or name", presence.UserQuery{Text: "1"}, "B1 a1 c_1"},
		{"beyond ASCII, any case", presence.UserQuery{Text: "éLO"}, "a1"},
		{"another script, any case", presence.UserQuery{Text: "АНН"}, "b2"},
		{"a per cent sign is itself", presence.UserQuery{Text: "100%"}, "a1"},
		{"a lone per cent sign", presence.UserQuery{Text: "%"}, "a1"},
		{"an underscore is itself", presence.UserQuery{Text: "_"}, "a2 c_1"},
		{"a backslash is itself", presence.UserQuery{Text: `\`}, "B1"},
		{"a quote", presence.UserQuery{Text: `'`}, ""},
		{"nothing like it", presence.UserQuery{Text: "zzz"}, ""},
		{"all at once", presence.UserQuery{Text: "é", Role: roles.Driver, CompanyID: "acme", IDs: []string{"a1", "a2"}}, "a1"},
	} {
		for _, limit := range []int{1, 2, 100} {
			query := test.query
			query.Limit = limit
			var got []string
			for _, u := range users(t, store, query) {
				got = append(got, u.UserID)
			}
			same(t, fmt.Sprintf("%s, pages of %d", test.name, limit), test.want, strings.Join(got, " "))
		}
	}
}

func usersPaged(t *testing.T, store Store) {
	want := []presence.User{}
	for i := range 25 {
		want = append(want, presence.User{UserID: fmt.Sprintf("u%02d", i), Username: "x", Role: roles.Driver})
	}
	for i := range want {
		saveUser(t, store, want[(i*7)%len(want)])
	}
	for _, limit := range []int{1, 5, 24, 25, 26} {
		same(t, fmt.Sprintf("pages of %d", limit), want, users(t, store, presence.UserQuery{Limit: limit}))
	}
	for _, cursor := range strangeCursors() {
		_, _, err := store.Users(t.Context(), presence.UserQuery{Cursor: cursor, Limit: 1})
		invalid(t, fmt.Sprintf("cursor %.20q", cursor), "cursor", err)
	}
}

func namesComeBack(t *testing.T, store Store) {
	for name, text := range hostileTexts() {
		user := saveUser(t, store, presence.User{UserID: "u1", Username: text, Role: roles.Driver, CompanyID: "c"})
		same(t, name, []presence.User{user}, users(t, store, presence.UserQuery{Limit: 1}))
		same(t, name+" as a search", []presence.User{user}, users(t, store, presence.UserQuery{Text: text, Limit: 1}))
	}
}
