package people_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

func TestWhoIsTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		who auth.Identity
		to  []roles.Room
	}{
		"driver":   {person("amy", roles.Driver, "acme"), []roles.Room{"company:acme", "role:admin", "user:bob", "user:cem"}},
		"company":  {person("amy", roles.Company, "acme"), []roles.Room{"company:acme", "role:admin", "user:bob", "user:cem"}},
		"provider": {person("amy", roles.Provider, ""), []roles.Room{"role:admin", "user:bob", "user:cem"}},
		"admin":    {person("amy", roles.Admin, ""), []roles.Room{"role:admin", "user:bob", "user:cem"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.converse(t, "amy", "bob")
			b.converse(t, "cem", "amy")
			b.converse(t, "bob", "eve") // none of amy's
			for _, step := range []struct {
				do     func()
				event  string
				driver string
			}{
				{func() { b.come(t, test.who) }, people.EventOnline, "+amy"},
				{func() { b.come(t, test.who) }, "", ""},
				{func() { b.leave(t, test.who) }, "", ""},
				{func() { b.leave(t, test.who) }, people.EventOffline, "-amy"},
				{func() { b.Went(t.Context(), test.who) }, people.EventOffline, ""}, // somebody may have seen a socket that never came
				{func() { b.come(t, test.who) }, people.EventOnline, "+amy"},
			} {
				step.do()
				emitted, drivers := b.told.take()
				if step.event == "" {
					if len(emitted)+len(drivers) > 0 {
						t.Fatalf("told %v %v, though nothing changed", emitted, drivers)
					}
					continue
				}
				for _, e := range emitted {
					slices.Sort(e.To)
				}
				want := []emission{{step.event, `{"userId":"amy","username":"name of amy"}`, test.to, []roles.Room{"user:amy"}}}
				if diff := cmp.Diff(want, emitted); diff != "" {
					t.Fatalf("told (-want +got):\n%s", diff)
				}
				if isDriver := test.who.Role == roles.Driver && step.driver != ""; isDriver != slices.Equal(drivers, []string{step.driver}) {
					t.Errorf("the watcher of drivers was told %v", drivers)
				}
			}
		})
	}
}

// TestChangesAreToldInTurn lets many sockets come and go together. Whatever the order of the calls, online and offline
// alternate, and the last one told is what holds.
func TestChangesAreToldInTurn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	amy := person("amy", roles.Driver, "acme")
	online := false
	rapid.Check(t, func(r *rapid.T) {
		stays := rapid.IntRange(0, 2).Draw(r, "stay")
		var together sync.WaitGroup
		for i := range rapid.IntRange(2, 6).Draw(r, "sockets") {
			together.Go(func() {
				b.come(t, amy)
				if i >= stays {
					b.leave(t, amy)
				}
			})
		}
		together.Wait()
		check := func(want bool) {
			emitted, drivers := b.told.take()
			var changes []string
			for _, e := range emitted {
				changes = append(changes, map[string]string{people.EventOnline: "+amy", people.EventOffline: "-amy"}[e.Event])
			}
			if !slices.Equal(changes, drivers) {
				r.Fatalf("people heard %v, the watcher of drivers %v", changes, drivers)
			}
			if online {
				changes = append([]string{"+amy"}, changes...)
			}
			changes = withoutBrief(changes)
			if online {
				changes = changes[1:]
			}
			for _, change := range changes {
				if comes := change == "+amy"; comes == online {
					r.Fatalf("told %v, was online: %v", changes, online)
				}
				online = !online
			}
			if online != want {
				r.Fatalf("told online %v, is %v", online, want)
			}
		}
		check(stays > 0)
		for range stays {
			together.Go(func() { b.leave(t, amy) })
		}
		together.Wait()
		check(false)
	})
}

// TestStoreFailureKeepsPresence: who comes and goes is told all the same.
func TestStoreFailureKeepsPresence(t *testing.T) {
	t.Parallel()
	b := newBenchOn(broken{}, broken{})
	amy := person("amy", roles.Driver, "acme")
	b.come(t, amy)
	b.leave(t, amy)
	emitted, drivers := b.told.take()
	if len(emitted) != 2 || len(drivers) != 2 {
		t.Errorf("told %v %v", emitted, drivers)
	}
	_, around := b.Around(t.Context(), amy)
	_, _, list := b.Directory(t.Context(), amy, people.UserQuery{}, page.Request{})
	_, lookup := b.Lookup(t.Context(), amy, "bob")
	for what, err := range map[string]error{"around": around, "directory": list, "lookup": lookup} {
		if code(err) != fault.Unavailable {
			t.Errorf("%s: %v, want unavailable", what, err)
		}
	}
	if role, known, err := b.RoleOf(t.Context(), "amy"); role != roles.Driver || !known || err != nil {
		t.Errorf("the role of somebody seen: %q, %v, %v", role, known, err)
	}
	if _, _, err := b.RoleOf(t.Context(), "bob"); err == nil {
		t.Error("the role of somebody was made up")
	}
}

func TestAround(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	everyone := []auth.Identity{
		person("root", roles.Admin, ""), person("boss", roles.Admin, ""),
		person("dora", roles.Driver, "acme"), person("dan", roles.Driver, "acme"), person("cleo", roles.Company, "acme"),
		person("eve", roles.Driver, "umbra"), person("pia", roles.Provider, ""), person("vic", roles.Vendor, ""),
	}
	away := person("away", roles.Driver, "acme")
	for _, who := range append(everyone, away) {
		b.come(t, who)
	}
	b.leave(t, away)
	b.converse(t, "pia", "dora")
	b.converse(t, "pia", "away")
	b.converse(t, "cleo", "dora") // a colleague and a peer: listed once
	b.converse(t, "vic", "never-seen")
	b.gather(t, "vic", "eve")
	b.write(t, roles.GroupRoom("vic-eve"), "vic") // and was not answered
	for who, want := range map[string][]string{
		"root": {"boss", "cleo", "dan", "dora", "eve", "pia", "root", "vic"},
		"dora": {"cleo", "dan", "dora", "pia"},
		"cleo": {"cleo", "dan", "dora"},
		"eve":  {"eve"},
		"pia":  {"dora", "pia"},
		"vic":  {"vic"},
	} {
		i := slices.IndexFunc(everyone, func(id auth.Identity) bool { return id.UserID == who })
		found, err := b.Around(t.Context(), everyone[i])
		if diff := cmp.Diff(want, ids(found)); diff != "" || err != nil || found[0].UserID != who {
			t.Errorf("around %s: %v (-want +got):\n%s", who, err, diff)
		}
		for _, p := range found {
			if !p.IsOnline() || *p.LastSeen != instant.Stamp(noon) || p.Username != "name of "+p.UserID {
				t.Errorf("around %s: %+v", who, p)
			}
			if p.CompanyID != "" && who == "pia" {
				t.Errorf("%s was told the company of %s", who, p.UserID)
			}
		}
	}
	if _, err := b.Around(t.Context(), auth.Identity{UserID: "x", Role: "visitor"}); code(err) != fault.Forbidden {
		t.Errorf("without a role: %v, want forbidden", err)
	}
}

// TestAroundFindsOnlinePeopleAnywhere: the few who are online used to be missed where more than a page of others came
// before them in the directory.
func TestAroundFindsOnlinePeopleAnywhere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var saved sync.WaitGroup
	for i := range 2*people.MaxPage + 10 {
		saved.Go(func() {
			err := b.store.People.SaveUsers(t.Context(), []people.User{{
				UserID: fmt.Sprintf("a%04d", i), Username: "x", Role: roles.Driver, CompanyID: "acme", LastSeen: noon}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	saved.Wait()
	b.come(t, person("zoe", roles.Driver, "acme"))
	for _, who := range []auth.Identity{person("root", roles.Admin, ""), person("cleo", roles.Company, "acme")} {
		found, err := b.Around(t.Context(), who)
		if want := []string{who.UserID, "zoe"}; err != nil || !slices.Equal(ids(found), want) {
			t.Errorf("around %s: %v, %v", who.UserID, ids(found), err)
		}
	}
	for i := range 2 * people.MaxPage {
		b.sockets.add(person(fmt.Sprintf("a%04d", i), roles.Driver, "acme"), 1)
	}
	found, err := b.Around(t.Context(), person("root", roles.Admin, ""))
	if encoded := servicetest.Encode(found); err != nil || len(found) < 200 || len(found) > 500 || len(encoded) > 34<<10 {
		t.Errorf("with more online than fit: %d people in %d bytes, %v", len(found), len(encoded), err)
	}
}

// reading is a Store that writes down how many people were asked for, and found.
type reading struct {
	people.Store
	queries     []people.UserQuery
	asked, read int
}

func (r *reading) Users(ctx context.Context, query people.UserQuery, after string, limit int) ([]people.User, error) {
	users, err := r.Store.Users(ctx, query, after, limit)
	r.queries = append(r.queries, query)
	r.asked, r.read = max(r.asked, len(query.IDs)), r.read+len(users)
	return users, err
}

// TestAroundCostsWhoIsOnline: whoever connects has those looked up who are online but were not told to be yet, at most
// 500, and nobody else of a directory of any size.
func TestAroundCostsWhoIsOnline(t *testing.T) {
	t.Parallel()
	opened := sqlitetest.Open(t)
	store := &reading{Store: opened.People}
	b := newBenchOn(store, opened.Conversations)
	b.store = opened
	var saved sync.WaitGroup
	for i := range people.MaxPage + 200 {
		saved.Go(func() {
			err := opened.People.SaveUsers(t.Context(), []people.User{{UserID: fmt.Sprint("away", i), Role: roles.Driver, CompanyID: "acme"}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	saved.Wait()
	b.come(t, person("dora", roles.Driver, "acme"))
	b.come(t, person("eve", roles.Driver, "umbra"))
	b.converse(t, "cleo", "eve")
	b.converse(t, "cleo", "away1")
	for _, test := range []struct {
		who  auth.Identity
		want []string
	}{
		{person("root", roles.Admin, ""), []string{"dora", "eve", "root"}},
		{person("cleo", roles.Company, "acme"), []string{"cleo", "dora", "eve"}},
		{person("cy", roles.Company, "acme"), []string{"cy", "dora"}},
		{person("vic", roles.Vendor, ""), []string{"vic"}},
	} {
		store.queries, store.asked, store.read = nil, 0, 0
		found, err := b.Around(t.Context(), test.who)
		if err != nil || !slices.Equal(ids(found), test.want) {
			t.Errorf("around %s: %v, %v", test.who.UserID, ids(found), err)
		}
		if len(store.queries) != 0 {
			t.Errorf("around %s: %d queries for %d ids read %d people", test.who.UserID, len(store.queries), store.asked, store.read)
		}
	}
	for i := range people.MaxPage + 200 {
		b.sockets.add(person(fmt.Sprint("away", i), roles.Driver, "acme"), 1)
	}
	for _, who := range []auth.Identity{person("root", roles.Admin, ""), person("cleo", roles.Company, "acme")} {
		store.asked, store.read = 0, 0
		found, err := b.Around(t.Context(), who)
		if err != nil || len(found) < 200 || len(found) > 500 || store.asked > 500 || store.asked < 498 || store.read > store.asked+1 {
			t.Errorf("with more online than fit: %d people of %d asked for and %d read, %v", len(found), store.asked, store.read, err)
		}
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	opened := sqlitetest.Open(t)
	b := newBenchFinding(opened.People, opened.Conversations, roles.Messaging{}, roles.Finding{Public: roles.All()})
	for _, who := range []auth.Identity{
		person("dan", roles.Driver, "acme"), person("Eve", roles.Driver, "umbra"), person("vic", roles.Vendor, ""), person("root", roles.Admin, ""),
	} {
		b.come(t, who)
	}
	b.leave(t, person("vic", roles.Vendor, ""))
	for name, test := range map[string]struct {
		query people.UserQuery
		want  []string
	}{
		"everybody":       {people.UserQuery{}, []string{"Eve", "dan", "root", "vic"}},
		"a role":          {people.UserQuery{Role: roles.Driver}, []string{"Eve", "dan"}},
		"text, any case":  {people.UserQuery{Text: "eVE"}, []string{"Eve"}},
		"text, of a role": {people.UserQuery{Role: roles.Driver, Text: "name"}, []string{"Eve", "dan"}},
		"blank text":      {people.UserQuery{Role: roles.Admin, Text: " "}, []string{"root"}},
		"wildcards quote": {people.UserQuery{Text: "%"}, []string{}},
	} {
		for _, role := range roles.All() {
			found, next, err := b.Directory(t.Context(), person("me", role, ""), test.query, page.Request{})
			if diff := cmp.Diff(test.want, ids(found)); diff != "" || err != nil || next != "" {
				t.Errorf("%s, asked by a %s: %v, cursor %q (-want +got):\n%s", name, role, err, next, diff)
			}
		}
	}
	var seen []string
	at := page.Request{Limit: 3}
	for {
		found, next, err := b.Directory(t.Context(), person("me", roles.Vendor, ""), people.UserQuery{}, at)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, ids(found)...)
		if at.Cursor = next; next == "" {
			break
		}
	}
	if !slices.Equal(seen, []string{"Eve", "dan", "root", "vic"}) {
		t.Errorf("the pages hold %v", seen)
	}
	if _, _, err := b.Directory(t.Context(), auth.Identity{Role: "visitor"}, people.UserQuery{}, page.Request{}); code(err) != fault.Forbidden {
		t.Errorf("without a role: %v, want forbidden", err)
	}
	vic, err := b.Lookup(t.Context(), person("me", roles.Vendor, ""), "vic")
	want := people.Person{UserID: "vic", Username: "name of vic", Role: roles.Vendor}
	if diff := cmp.Diff(want, vic); diff != "" || err != nil {
		t.Errorf("lookup: %v (-want +got):\n%s", err, diff)
	}
	if _, err := b.Lookup(t.Context(), person("me", roles.Vendor, ""), "nobody"); code(err) != fault.NotFound {
		t.Errorf("looking up nobody: %v, want not_found", err)
	}
	if role, known, err := b.RoleOf(t.Context(), "dan"); role != roles.Driver || !known || err != nil {
		t.Errorf("role of dan: %q, %v, %v", role, known, err)
	}
	if role, known, err := b.RoleOf(t.Context(), "nobody"); role != "" || known || err != nil {
		t.Errorf("role of nobody: %q, %v, %v", role, known, err)
	}
}

func TestDirectoryPageSizes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var saved sync.WaitGroup
	for i := range people.MaxPage + 1 {
		saved.Go(func() {
			if err := b.store.People.SaveUsers(t.Context(), []people.User{{UserID: fmt.Sprintf("u%d", i), Role: roles.Vendor}}); err != nil {
				t.Error(err)
			}
		})
	}
	saved.Wait()
	for limit, want := range map[int]int{0: people.DefaultPage, -1: people.DefaultPage, 7: 7, people.MaxPage: people.MaxPage, people.MaxPage + 1: people.MaxPage} {
		found, next, err := b.Directory(t.Context(), person("me", roles.Vendor, ""), people.UserQuery{}, page.Request{Limit: limit})
		if err != nil || len(found) != want || next == "" {
			t.Errorf("limit %d: %d people, cursor %q, %v", limit, len(found), next, err)
		}
	}
}

// withoutBrief are the changes of one person but for those that say they have gone of whom it was not told that they had
// come.
func withoutBrief(told []string) []string {
	var turns []string
	online := false
	for _, change := range told {
		if comes := change[0] == '+'; comes || online {
			turns = append(turns, change)
			online = comes
		}
	}
	return turns
}
