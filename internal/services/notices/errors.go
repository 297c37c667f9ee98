package notices

import "errors"

// Failures of a Store.
var (
	// ErrNoSuchNotice tells that an id is that of no notice.
	ErrNoSuchNotice = errors.New("no such notice")
	// ErrKeyReused tells that an idempotency key was used before for another request.
	ErrKeyReused = errors.New("idempotency key reused for another request")
	// ErrTooFarAhead tells that a reader has read too many notices beyond the oldest unread one.
	ErrTooFarAhead = errors.New("too many notices read beyond the oldest unread one")
)
