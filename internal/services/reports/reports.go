package reports

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/people"
	"rolecall/internal/text"
)

// Reason is what is wrong. The values are promises to clients.
type Reason string

const (
	// before and after are how many messages are kept around the one that is reported.
	before = 10
	after  = 5
	// MaxADay is how many reports a person makes within 24 hours at most.
	MaxADay = 50
	// DefaultPage is the size of a page of reports; long messages make it shorter.
	DefaultPage = 20
	// MaxPage is the largest page.
	MaxPage = 100
)

// Chat knows messages.
type Chat interface {
	// Cite returns a message that the caller may read with those around it, as they are shown to the caller. It fails with
	// room_invalid, room_forbidden and not_found.
	Cite(ctx context.Context, who auth.Identity, of chat.MessageRef, before, after int) (cited []chat.Message, place int, err error)
}

// People knows who is who.
type People interface {
	// Lookup returns a person as the caller sees them. It fails with not_found.
	Lookup(ctx context.Context, who auth.Identity, userID string) (people.Person, error)
}

// Parts are what a Service stands upon.
type Parts struct {
	Store  Store
	Chat   Chat
	People People
}

// Service takes reports, and has admins resolve them.
type Service struct {
	Parts
	now func() time.Time
}

// New returns a Service. A nil clock is time.Now.
func New(parts Parts, now func() time.Time) *Service {
	if now == nil {
		now = time.Now
	}
	return &Service{Parts: parts, now: now}
}

// NewReport is what somebody reports: a message, by its room and id, or a person.
type NewReport struct {
	RoomID    string `json:"roomId" validate:"required_with=MessageID,excluded_with=UserID"`
	MessageID string `json:"messageId" validate:"required_without=UserID,excluded_with=UserID,max=64"`
	UserID    string `json:"userId" validate:"omitempty,userid"`
	Reason    Reason `json:"reason" validate:"required,oneof=spam harassment threat illegal impersonation other"`
	Comment   string `json:"comment" validate:"max=2000"`
	ClientID  string `json:"clientId" validate:"max=128"`
}

// Reported is what is answered to who has made a report.
type Reported struct {
	ID string        `json:"id"`
	At instant.Stamp `json:"createdAt"`

	isNew bool
}

// IsNew reports whether it was not made before under the same ClientID.
func (r Reported) IsNew() bool { return r.isNew }

// Make takes a report, for the admins alone. Of a message it keeps those around it, as the caller was shown them. It fails with
// forbidden, invalid_payload, room_invalid, room_forbidden, not_found for what the caller does not see, conflict where another report
// was made under the same ClientID, and rate_limited beyond MaxADay.
func (s *Service) Make(ctx context.Context, who auth.Identity, of NewReport) (Reported, error) {
	if !who.Can(roles.Chat) {
		return Reported{}, fault.New(fault.Forbidden, "This role cannot report")
	}
	now := s.now()
	made, err := s.CountReports(ctx, who, now)
	if err != nil {
		return Reported{}, err
	}
	if made >= MaxADay {
		return Reported{}, &fault.Error{
			Code: fault.RateLimited, Message: fmt.Sprintf("A person makes at most %d reports a day", MaxADay), RetryAfter: time.Hour,
		}
	}
	report := Report{
		ID: uuid.Must(uuid.NewV7()).String(), By: audit.Actor{UserID: who.UserID, Username: who.Username},
		Reason: of.Reason, Comment: text.Trim(of.Comment), At: instant.Stamp(now.UnixMilli()), State: Open, ClientID: of.ClientID,
	}
	if err := s.describe(ctx, who, of, &report); err != nil {
		return Reported{}, err
	}
	kept, isNew, err := s.Store.AddReport(ctx, report)
	switch {
	case err != nil:
		return Reported{}, err
	case kept.Subject.UserID != report.Subject.UserID || kept.MessageID != report.MessageID || kept.Reason != report.Reason || kept.Comment != report.Comment:
		another := fault.New(fault.Conflict, "Another report was made under this clientId before")
		another.Field = "clientId"
		return Reported{}, another
	}
	return Reported{ID: kept.ID, At: kept.At, isNew: isNew}, nil
}

// CountReports counts those that somebody has made within a day.
func (s *Service) CountReports(ctx context.Context, who auth.Identity, now time.Time) (int, error) {
	return s.Store.CountReports(ctx, who.UserID, now.Add(-24*time.Hour).UnixMilli())
}

// describe adds what is reported.
func (s *Service) describe(ctx context.Context, who auth.Identity, of NewReport, report *Report) error {
	if of.UserID != "" {
		if of.UserID == who.UserID {
			return fault.Invalid("userId", "Nobody reports themselves")
		}
		person, err := s.People.Lookup(ctx, who, of.UserID)
		report.Subject = audit.Actor{UserID: person.UserID, Username: person.Username}
		return err
	}
	cited, place, err := s.Chat.Cite(ctx, who, chat.MessageRef{RoomID: of.RoomID, MessageID: of.MessageID}, before, after)
	if err != nil {
		return err
	}
	it := cited[place]
	if it.UserID == who.UserID {
		return fault.Invalid("messageId", "Nobody reports their own messages")
	}
	report.Subject = audit.Actor{UserID: it.UserID, Username: it.Username}
	report.RoomID, report.MessageID = it.Room.String(), it.ID
	for i := range cited {
		m := &cited[i]
		report.Context = append(report.Context, Cited{
			ID: m.ID, Seq: m.Seq, UserID: m.UserID, Username: m.Username, Text: m.Text, Timestamp: m.Timestamp,
			EditedAt: m.EditedAt, Deleted: m.Deleted,
		})
	}
	return nil
}

// List returns a page of the reports of a state, "" for all, the oldest first, and the cursor of the next page or "".
func (s *Service) List(ctx context.Context, who auth.Identity, state State, at page.Request) (all []Report, next string, err error) {
	if !who.Can(roles.ManageReports) {
		return nil, "", mayNot()
	}
	query := Query{State: state}
	if err := page.Reports.ParseNumbers(at.Cursor, &query.After); err != nil {
		return nil, "", err
	}
	size := page.Size(at.Limit, DefaultPage, MaxPage)
	query.Limit = size + 1
	all, err = s.Store.Reports(ctx, query)
	if err != nil {
		return nil, "", err
	}
	size = page.Fit(all, size, Report.bytes)
	all, next = page.Cut(all, size, func(last Report) string { return page.Reports.Numbers(last.Number) })
	return all, next, nil
}

// bytes is about what a report takes as JSON.
func (r Report) bytes() int {
	const rest, restOfCited = 500, 250 // ids, names of members, times
	bytes := rest + page.TextBytes(r.By.Username) + page.TextBytes(r.Subject.Username) + page.TextBytes(r.Comment) + page.TextBytes(r.Resolution)
	for i := range r.Context {
		bytes += restOfCited + page.TextBytes(r.Context[i].Username) + page.TextBytes(r.Context[i].Text)
	}
	return bytes
}

// Change is what becomes of a report.
type Change struct {
	ID    string `json:"id" validate:"required,max=64"`
	State State  `json:"state" validate:"required,oneof=open resolved"`
	// Resolution is what has come of it, for admins.
	Resolution string `json:"resolution" validate:"max=400"`
}

// Set resolves a report, or has it be open again; that it is so already changes nothing. It fails with forbidden and not_found.
func (s *Service) Set(ctx context.Context, who auth.Identity, change Change) (Report, error) {
	if !who.Can(roles.ManageReports) {
		return Report{}, mayNot()
	}
	action := audit.ResolveReport
	if change.State == Open {
		action = audit.ReopenReport
	}
	line := audit.Line{
		At: instant.Stamp(s.now().UnixMilli()), Actor: audit.Actor{UserID: who.UserID, Username: who.Username},
		Action: action, Target: change.ID, Detail: text.Trim(change.Resolution),
	}
	report, found, err := s.Store.SetReport(ctx, change.ID, change.State, line.Detail, line)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "There is no such report")
	}
	return report, err
}

func mayNot() error { return fault.New(fault.Forbidden, "Only admins look at reports") }
