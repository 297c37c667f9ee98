package tracking

import "time"

// Status says how much a driver's last position is worth.
type Status string

// The statuses.
const (
	// Online: connected or reporting by any door, and not silent.
	Online Status = "online"
	// Stale: connected or reporting, yet not heard of for longer than Options.StaleAfter.
	Stale Status = "stale"
	// Offline: not connected, and nothing reported since the last socket ended or for longer than Options.OfflineAfter.
	Offline Status = "offline"
)

// signs are all that a driver's status follows from, beside the time.
type signs struct {
	// connected: the driver has a socket.
	connected bool
	// reporting: a position has come since the driver's last socket ended, by whatever door.
	reporting bool
	// heard is when the driver last connected or sent a position.
	heard time.Time
}

// patience is how long silence may last.
type patience struct {
	stale   time.Duration // until a driver is stale
	offline time.Duration // until one without a socket is offline
}

// status is the one that holds at a time.
func (s signs) status(at time.Time, p patience) Status {
	silence := at.Sub(s.heard)
	switch {
	case !s.connected && (!s.reporting || silence > p.offline):
		return Offline
	case silence > p.stale:
		return Stale
	default:
		return Online
	}
}

// sign is something that happens to a driver.
type sign int

const (
	timePassed sign = iota // and nothing else
	hasConnected
	hasReported
	hasDisconnected // the last socket is gone
	hasLeft         // it reports for another company now
	hasMoved        // the last socket here is gone, and it has one on another node
)

// Change is a status and the one before it.
type Change struct {
	Before, After Status
	At            time.Time
}

// Transition is a change of a driver's status as one company sees it.
type Transition struct {
	DriverID, CompanyID string
	Change
}

// standing is a driver's status with the signs it follows from. It is a value: the next one depends on nothing but this
// one, what happens, and when.
type standing struct {
	signs
	status Status
}

// after returns the standing that follows, and how the status has changed: its Before and After may be equal.
func (s standing) after(happened sign, at time.Time, p patience) (standing, Change) {
	next := s
	switch happened {
	case timePassed:
	case hasConnected:
		next.connected, next.heard = true, at
	case hasReported:
		next.reporting, next.heard = true, at
	case hasDisconnected, hasLeft, hasMoved:
		next.connected, next.reporting = false, false
	}
	next.status = next.signs.status(at, p)
	return next, Change{Before: s.status, After: next.status, At: at}
}
