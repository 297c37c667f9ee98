package tracking

import (
	"encoding/json"
	"sync"
)

// report is how a driver stands with a company, as watchers are told it. It does not change once it is made.
type report struct {
	DriverID  string `json:"driverId"`
	Username  string `json:"username"`
	CompanyID string `json:"companyId"`
	Status    Status `json:"status"`
	// At is since when, Unix milliseconds.
	At int64 `json:"at"`

	encoding sync.Once
	encoded  json.RawMessage
}

// value is the payload of tracking:status, encoded by the first who asks.
func (r *report) value() json.RawMessage {
	r.encoding.Do(func() { r.encoded, _ = json.Marshal(r) }) // of strings and a number, which cannot fail
	return r.encoded
}

// as is the report with another status.
func (r *report) as(change Change) *report {
	return &report{
		DriverID: r.DriverID, Username: r.Username, CompanyID: r.CompanyID, Status: change.After, At: change.At.UnixMilli(),
	}
}

// of is the report with another name.
func (r *report) of(username string) *report {
	return &report{DriverID: r.DriverID, Username: username, CompanyID: r.CompanyID, Status: r.Status, At: r.At}
}
