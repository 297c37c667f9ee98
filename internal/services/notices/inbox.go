package notices

import (
	"context"
	"errors"
	"math"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/roles"
)

// InboxQuery asks for a page of the caller's unread notices.
type InboxQuery struct {
	// Before is the id of the last notice of the previous page: the next page goes on behind it.
	Before string `json:"before" validate:"max=64"`
	Limit  int    `json:"limit" validate:"min=0,max=200"`
}

// Inbox is what a person has not read and what has not expired, oldest first.
type Inbox struct {
	// Unread counts all of it, on this page or not.
	Unread  int      `json:"unread"`
	Notices []Notice `json:"notices"`
	// HasMore tells that further unread notices lie behind this page.
	HasMore bool `json:"-"`
}

// Inbox returns a page of the caller's unread notices.
func (s *Service) Inbox(ctx context.Context, who auth.Identity, query InboxQuery) (Inbox, error) {
	return s.inbox(ctx, who, query, math.MaxInt64)
}

// inbox takes account of changes up to a number.
func (s *Service) inbox(ctx context.Context, who auth.Identity, query InboxQuery, asOf int64) (Inbox, error) {
	if !who.Can(roles.ReadInbox) {
		return Inbox{}, fault.New(fault.Forbidden, "This role has no inbox")
	}
	size := page.Size(query.Limit, DefaultPage, MaxPage)
	notices, unread, err := s.store.Inbox(ctx, InboxPage{
		Reader: reader(who), Now: s.now().UnixMilli(), AsOf: asOf, After: query.Before, Limit: size + 1,
	})
	switch {
	case errors.Is(err, ErrNoSuchNotice):
		return Inbox{}, fault.Invalid("before", "There is no notice of this id to go on behind")
	case err != nil:
		return Inbox{}, err
	}
	size = page.Fit(notices, size, noticeBytes)
	return Inbox{Unread: unread, Notices: notices[:size], HasMore: size < len(notices)}, nil
}

// MarkRead marks notices of the caller's inbox as read and returns how many stay unread. It fails with not_found where
// none of the ids is a notice addressed to the caller, and with conflict where more than MaxReadAhead notices would be
// read beyond the oldest unread one.
func (s *Service) MarkRead(ctx context.Context, who auth.Identity, ids []string) (unread int, err error) {
	if !who.Can(roles.ReadInbox) {
		return 0, fault.New(fault.Forbidden, "This role has no inbox")
	}
	matched, unread, err := s.store.MarkNoticesRead(ctx, reader(who), s.now().UnixMilli(), ids)
	switch {
	case errors.Is(err, ErrTooFarAhead):
		return 0, fault.New(fault.Conflict, "Too many notices are read beyond the oldest unread one: read that first")
	case err != nil:
		return 0, err
	case matched == 0:
		return 0, unknownNotice()
	}
	return unread, nil
}

func reader(who auth.Identity) Reader {
	return Reader{UserID: who.UserID, Rooms: who.Rooms()}
}
