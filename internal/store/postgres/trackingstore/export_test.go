package trackingstore

import (
	"context"
	"time"

	"rolecall/internal/store/postgres"
)

// NewAt is New with another clock.
func NewAt(ctx context.Context, db *postgres.DB, now func() time.Time) (*Store, error) {
	return newAt(ctx, db, now)
}

// Statements are all that the store runs, but for those on partitions.
func Statements() []string { return statements() }

// Reads of which a test looks at what they cost.
const (
	SelectDrivers   = selectDrivers
	SelectDriversOf = selectDriversOf
	SelectTrack     = selectTrack
)
