//go:build unix

package peoplestore_test

import (
	"testing"

	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/adminstore"
	"rolecall/internal/store/postgres/peoplestore"
	"rolecall/test/servers"
	"rolecall/test/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		db, err := postgres.Open(t.Context(), servers.Database(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		store, err := peoplestore.New(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := adminstore.New(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		return storetest.Store{People: store, Administration: lines}
	}, "users")
}
