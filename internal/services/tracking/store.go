package tracking

import "context"

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
	// From and To bound ts, Unix milliseconds, both inclusive. Zero means unbounded.
	From, To int64
	// Cursor continues after the last position of the previous page; "" starts.
	Cursor string
	Limit  int
}

// Store keeps positions.
type Store interface {
	// AppendPositions stores the positions in one transaction and moves each driver's newest forward. A position
	// that is already there, equal in every field, is stored once. Drivers holds who sent them.
	AppendPositions(ctx context.Context, positions []Position, drivers []Driver) error
	// SaveDriver remembers a driver who has come online, leaving the newest position as it is.
	SaveDriver(ctx context.Context, driver Driver) error
	// Drivers returns every known driver.
	Drivers(ctx context.Context) ([]Driver, error)
	// Track returns stored positions in the order of ts, then of arrival, and the cursor of the next page or "".
	Track(ctx context.Context, query TrackQuery) (positions []Position, next string, err error)
	// DeletePositionsBefore removes positions with a ts before the given Unix milliseconds, a bounded number at a
	// time, and returns how many went.
	DeletePositionsBefore(ctx context.Context, ts int64) (int, error)
}
