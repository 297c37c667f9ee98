package chatstore

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync/atomic"

	"rolecall/internal/store/sqlite"
)

// writers tells of most people who have never written in a direct room or group that they have not, so that nobody looks
// for their conversations whenever they come or go. It is a Bloom filter of one hash: 128 KiB however many people there
// are, kept by the process that alone writes to the file.
type writers struct {
	seed maphash.Seed
	bits [1 << 14]atomic.Uint64
}

func (w *writers) place(userID string) (word *atomic.Uint64, bit uint64) {
	hash := maphash.String(w.seed, userID)
	return &w.bits[hash>>6%uint64(len(w.bits))], 1 << (hash & 63)
}

func (w *writers) add(userID string) {
	if word, bit := w.place(userID); word.Load()&bit == 0 {
		word.Or(bit)
	}
}

func (w *writers) mayHave(userID string) bool {
	word, bit := w.place(userID)
	return word.Load()&bit != 0
}

// readWriters begins with those of the file.
func (s *Store) readWriters(ctx context.Context) error {
	s.writers.seed = maphash.MakeSeed()
	for after, more := "", true; more; {
		userIDs, err := sqlite.ReadAll(ctx, s.db, s.sql.selectWriters, sqlite.ScanOne[string], after, writersChunk)
		if err != nil {
			return fmt.Errorf("read who has written: %w", err)
		}
		for _, userID := range userIDs {
			s.writers.add(userID)
			after = userID
		}
		more = len(userIDs) == writersChunk
	}
	return nil
}

// writersChunk is how many people who have written are read at a time.
const writersChunk = 10_000
