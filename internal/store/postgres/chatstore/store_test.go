//go:build unix

package chatstore_test

import (
	"context"
	"encoding/base64"
	"testing"

	"go.uber.org/goleak"

	"rolecall/internal/atrest"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/adminstore"
	"rolecall/internal/store/postgres/chatstore"
	"rolecall/internal/store/postgres/noticestore"
	"rolecall/internal/store/postgres/peoplestore"
	"rolecall/internal/store/postgres/trackingstore"
	"rolecall/test/servers"
	"rolecall/test/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a database, as one of the servers that share it.
func open(t testing.TB, url string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// newStore is the store of a server of its own.
func newStore(t testing.TB, url string) *chatstore.Store {
	t.Helper()
	return made(t, chatstore.New, open(t, url))
}

func made[T any](t testing.TB, make func(ctx context.Context, db *postgres.DB) (T, error), db *postgres.DB) T {
	t.Helper()
	store, err := make(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		db := open(t, servers.Database(t))
		store := made(t, chatstore.New, db)
		return storetest.Store{Chat: store, Groups: store, Conversations: store, Lists: store, Search: store, Administration: made(t, adminstore.New, db)}
	}, "messages", "rooms", "conversations", "search")
}

// TestContractEncrypted holds the store to what it promises of messages where they are encrypted.
func TestContractEncrypted(t *testing.T) {
	keys, err := atrest.ParseKeys("a:" + base64.StdEncoding.EncodeToString(make([]byte, atrest.KeyBytes)))
	if err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(t *testing.T) storetest.Store {
		db := open(t, servers.Database(t))
		store, err := chatstore.NewEncrypted(t.Context(), db, atrest.NewMessages(keys, nil))
		if err != nil {
			t.Fatal(err)
		}
		return storetest.Store{Chat: store, Groups: store, Conversations: store, Lists: store, Search: store, Administration: made(t, adminstore.New, db)}
	}, "messages", "search")
}

// TestContractTogether holds the stores of all domains to what they promise together.
func TestContractTogether(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		db := open(t, servers.Database(t))
		rooms := made(t, chatstore.New, db)
		return storetest.Store{
			Chat: rooms, Groups: rooms, Conversations: rooms, Notices: made(t, noticestore.New, db),
			People: made(t, peoplestore.New, db), Tracking: made(t, trackingstore.New, db),
		}
	}, "concurrency")
}
