// Package reports has people report messages and others to the admins.
package reports

import (
	"context"

	"rolecall/internal/audit"
	"rolecall/internal/instant"
)

// State is how far a report has come. The values are promises to clients.
type State string

// The states.
const (
	Open     State = "open"
	Resolved State = "resolved"
)

// Report is what somebody has told the admins of.
type Report struct {
	// Number is its place in the order in which reports came; the store gives it.
	Number int64  `json:"-"`
	ID     string `json:"id"`
	// By is whose report it is, Subject who is reported.
	By      audit.Actor `json:"by"`
	Subject audit.Actor `json:"subject"`
	// RoomID and MessageID name the message that is reported, "" where a person is.
	RoomID    string `json:"roomId,omitempty"`
	MessageID string `json:"messageId,omitempty"`
	Reason    Reason `json:"reason"`
	Comment   string `json:"comment,omitempty"`
	// Context is the message and those around it, as they were shown to whose report it is when they made it.
	Context []Cited       `json:"context,omitempty"`
	At      instant.Stamp `json:"createdAt"`
	State   State         `json:"state"`
	// ResolvedAt, ResolvedBy and Resolution are there once it is.
	ResolvedAt instant.Stamp `json:"resolvedAt,omitzero"`
	ResolvedBy string        `json:"resolvedBy,omitempty"`
	Resolution string        `json:"resolution,omitempty"`
	// ClientID is by what the report is recognised when it is sent again, "" for nothing.
	ClientID string `json:"-"`
}

// Cited is a message as it was.
type Cited struct {
	ID        string        `json:"id"`
	Seq       int64         `json:"seq"`
	UserID    string        `json:"userId"`
	Username  string        `json:"username"`
	Text      string        `json:"text"`
	Timestamp instant.Stamp `json:"timestamp"`
	EditedAt  instant.Stamp `json:"editedAt,omitzero"`
	Deleted   bool          `json:"deleted,omitempty"`
}

// Query asks for reports.
type Query struct {
	// State is which, "" for all.
	State State
	// After is the number behind which they are.
	After int64
	Limit int
}

// Store keeps reports.
type Store interface {
	// AddReport keeps a report, unless there is one of the same person under the same ClientID, which it returns in its place.
	AddReport(ctx context.Context, report Report) (kept Report, isNew bool, err error)
	// CountReports counts a person's reports since a time in Unix milliseconds.
	CountReports(ctx context.Context, userID string, since int64) (int, error)
	// Reports returns the first reports, in the order in which they came.
	Reports(ctx context.Context, query Query) ([]Report, error)
	// SetReport has a report be resolved as of the line's time and by its actor, or open, and writes the line where that changes
	// anything. It returns the report; found is false where there is none of that id.
	SetReport(ctx context.Context, id string, state State, resolution string, line audit.Line) (report Report, found bool, err error)
}

// Settle is the report as it becomes by a line that is written of it.
func (r *Report) Settle(state State, resolution string, line audit.Line) {
	r.State, r.ResolvedAt, r.ResolvedBy, r.Resolution = state, 0, "", ""
	if state == Resolved {
		r.ResolvedAt, r.ResolvedBy, r.Resolution = line.At, line.Actor.UserID, resolution
	}
}
