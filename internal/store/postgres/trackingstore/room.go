package trackingstore

import (
	"context"
	"slices"
)

// MakeRoom makes the partitions for positions of some times, Unix milliseconds, which are then written by somebody else.
func (s *Store) MakeRoom(ctx context.Context, times []int64) error {
	return s.partitions.make(ctx, slices.Sorted(slices.Values(times)))
}
