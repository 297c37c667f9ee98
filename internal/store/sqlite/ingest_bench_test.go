package sqlite_test

import (
	"testing"

	"rolecall/test/storetest"
)

// BenchmarkStore is what internal/store/postgres/chatstore measures as well.
func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) storetest.Store {
		store := open(b, file(b))
		return storetest.Store{Chat: store.Chat, Tracking: store.Tracking}
	})
}
