//go:build unix

package chatstore_test

import (
	"testing"

	"rolecall/internal/store/postgres/chatstore"
	"rolecall/internal/store/postgres/trackingstore"
	"rolecall/test/servers"
	"rolecall/test/storetest"
)

// BenchmarkStore is what internal/store/sqlite measures as well. The database is another process, whose processor time does not
// count.
func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) storetest.Store {
		db := open(b, servers.Database(b))
		return storetest.Store{Chat: made(b, chatstore.New, db), Tracking: made(b, trackingstore.New, db)}
	})
}
