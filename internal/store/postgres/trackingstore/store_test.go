//go:build unix

package trackingstore_test

import (
	"testing"

	"go.uber.org/goleak"

	"rolecall/internal/store/postgres"
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
func newStore(t testing.TB, url string) *trackingstore.Store {
	t.Helper()
	store, err := trackingstore.New(t.Context(), open(t, url))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		return storetest.Store{Tracking: newStore(t, servers.Database(t))}
	}, "positions")
}
