//go:build unix

package postgres_test

import (
	"testing"

	"rolecall/internal/store"
	"rolecall/test/servers"
	"rolecall/test/storetest"
)

// openStore returns a store on the database of a URL, closed at the end of t.
func openStore(t testing.TB, url string) *store.Store {
	t.Helper()
	opened, err := store.OpenPostgres(t.Context(), url, nil)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { closeStore(t, opened) })
	return opened
}

func closeStore(t testing.TB, opened *store.Store) {
	t.Helper()
	if err := opened.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// suite is a store as the contract suite takes it.
func suite(s *store.Store) storetest.Store {
	return storetest.Store{
		Chat: s.Chat, Groups: s.Groups, Notices: s.Notices, People: s.People, Tracking: s.Tracking,
		Conversations: s.Conversations, Lists: s.Lists, Search: s.Search, Administration: s.Administration, Attachments: s.Attachments,
	}
}

// The promises of a domain are run beside its store; here are those that concern several.
func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return suite(openStore(t, servers.Database(t))) }, "concurrency", "attachments")
}

func TestReopened(t *testing.T) {
	storetest.RunReopened(t, func(t *testing.T) (storetest.Store, func() storetest.Store) {
		url := servers.Database(t)
		opened := openStore(t, url)
		return suite(opened), func() storetest.Store {
			closeStore(t, opened)
			return suite(openStore(t, url))
		}
	})
}

func TestClosed(t *testing.T) {
	opened := openStore(t, servers.Database(t))
	if err := opened.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	closeStore(t, opened)
	closeStore(t, opened) // a second time is no failure
	_, read := opened.Notices.LastChange(t.Context())
	for name, err := range map[string]error{
		"ping": opened.Ping(t.Context()), "read": read, "shared write": opened.People.SaveUsers(t.Context(), nil),
	} {
		if err == nil {
			t.Errorf("%s: a closed store has answered", name)
		}
	}
}
