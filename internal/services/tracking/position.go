// Package tracking keeps where the drivers are and tells those who may know.
package tracking

import (
	"time"

	"rolecall/internal/fault"
)

// Position is one fix of one driver, as stored and as sent to watchers.
type Position struct {
	DriverID  string `json:"driverId"`
	CompanyID string `json:"companyId"`
	// Lat and Lng are degrees, WGS 84.
	Lat float64 `json:"lat"`
	Lng float64 `json:"lng"`
	// TS is when the fix was taken, Unix milliseconds.
	TS int64 `json:"ts"`
	// Heading is degrees clockwise from north, [0, 360).
	Heading *float64 `json:"heading,omitempty"`
	// Speed is metres a second.
	Speed *float64 `json:"speed,omitempty"`
	// Accuracy and Altitude are metres.
	Accuracy *float64 `json:"accuracy,omitempty"`
	Altitude *float64 `json:"altitude,omitempty"`
	// Battery is the charge, 0 to 1.
	Battery *float64 `json:"battery,omitempty"`
	// Seq is the sender's own counter, stored as given.
	Seq *int64 `json:"seq,omitempty"`
	// Stamped: it came without a time, which is the server's, and has a Seq. The same sent again is recognised by that and
	// all else but the time. It is for who stores the position, and not told.
	Stamped bool `json:"-"`
}

// RecognisedFor is how long a position without a time of its own is recognised when it is sent again: longer than a phone
// is without connection, and not for ever, as a counter may begin anew where the last one began.
const RecognisedFor = 24 * time.Hour

// MaxBatch is the greatest number of positions in one update: a phone's offline buffer.
const MaxBatch = 500

// Rejection says which position of an update was refused, and why.
type Rejection struct {
	Index int        `json:"index"`
	Code  fault.Code `json:"code"`
	Field string     `json:"field,omitempty"`
}

// Omission says which member was left out of an accepted position, as what was sent is no value of its.
type Omission struct {
	Index int    `json:"index"`
	Field string `json:"field"`
}

// Verdict is the outcome of an update. Accepted positions are on disk.
type Verdict struct {
	Accepted int         `json:"accepted"`
	Rejected []Rejection `json:"rejected"`
	// Dropped is told only where there is something to tell.
	Dropped []Omission `json:"dropped,omitempty"`
}
