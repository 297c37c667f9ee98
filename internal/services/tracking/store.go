package tracking

import (
	"context"
	"math"

	"rolecall/internal/instant"
)

// Driver is what is known of one driver: who, for whom, and the newest fix.
type Driver struct {
	DriverID  string
	CompanyID string
	Username  string
	// Newest is nil for a driver who has never sent a position.
	Newest *Position
}

// TrackQuery asks for one driver's stored positions, oldest first.
type TrackQuery struct {
	DriverID string
	// CompanyID, where not "", leaves out what was recorded for another company.
	CompanyID string
	// From and To bound ts, both inclusive, where they are set.
	From, To instant.Instant
}

// Recorded is a stored position.
type Recorded struct {
	Position
	// Number rises in the order of arrival.
	Number int64
}

// Place is where a position stands in a track.
type Place struct {
	TS, Number int64
}

// TrackStart comes before every position.
func TrackStart() Place { return Place{TS: math.MinInt64} }

// Store keeps positions.
type Store interface {
	// AppendPositions stores the positions in one transaction and moves each driver's newest forward. A position
	// that is already there, equal in every field, is stored once; one that is Stamped, where its like has been stored within
	// RecognisedFor before it, whatever its time. Drivers holds who sent them, and others
	// who are to be known.
	AppendPositions(ctx context.Context, positions []Position, drivers []Driver) error
	// SentBefore returns, for each of a driver's positions that is Stamped, the ts of the last one like it that was stored with
	// a ts after since, Unix milliseconds; 0 where there is none.
	SentBefore(ctx context.Context, driverID string, positions []Position, since int64) ([]int64, error)
	// Drivers returns every known driver.
	Drivers(ctx context.Context) ([]Driver, error)
	// DriversOf returns those of a company, as they were named last.
	DriversOf(ctx context.Context, companyID string) ([]Driver, error)
	// Track returns the first stored positions behind a place, at most limit, in the order of ts, then of arrival.
	Track(ctx context.Context, query TrackQuery, after Place, limit int) ([]Recorded, error)
	// DeletePositionsBefore removes positions with a ts before the given Unix milliseconds, a bounded number at a
	// time, and returns how many went.
	DeletePositionsBefore(ctx context.Context, ts int64) (int, error)
}
