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
	Before string     `json:"before" validate:"max=64"`
	Limit  page.Limit `json:"limit,omitzero" validate:"max=200"`
}

// Inbox is what a person has not read and what has not expired, oldest first.
type Inbox struct {
	// Unread counts all of it, on this page or not.
	Unread  int      `json:"unread"`
	Notices []Notice `json:"notices"`
	// HasMore tells that further unread notices lie behind this page.
	HasMore bool `json:"hasMore,omitempty"`
}

// Inbox returns a page of the caller's unread notices.
func (s *Service) Inbox(ctx context.Context, who auth.Identity, query InboxQuery) (Inbox, error) {
	if !who.Can(roles.ReadInbox) {
		return Inbox{}, noInbox()
	}
	return s.inbox(ctx, who, InboxPage{
		Reader: s.reader(ctx, who), Now: s.now().UnixMilli(), AsOf: math.MaxInt64, After: query.Before,
		Limit: page.Size(int(query.Limit), DefaultPage, MaxPage),
	})
}

func (s *Service) inbox(ctx context.Context, who auth.Identity, asked InboxPage) (Inbox, error) {
	size := asked.Limit
	asked.Limit++
	notices, unread, err := s.store.Inbox(ctx, asked)
	switch {
	case errors.Is(err, ErrNoSuchNotice):
		return Inbox{}, fault.Invalid("before", "There is no notice of this id to go on behind")
	case err != nil:
		return Inbox{}, err
	}
	notices = asSeenBy(who, notices)
	fits := page.Fit(notices, size, noticeBytes)
	return Inbox{Unread: unread, Notices: notices[:fits], HasMore: fits < len(notices)}, nil
}

// State is whether a notice has been read by the one who asks.
type State string

// The states of notices that a history can be asked for.
const (
	Unread State = "unread"
	Read   State = "read"
	All    State = "all"
)

// HistoryQuery asks for a page of the notices addressed to the caller, in a state.
type HistoryQuery struct {
	State  State
	Cursor string
	Limit  int
}

// History is a page of what was addressed to a person, read or not, newest first.
type History struct {
	Items []Received
	Next  string
	// Unread counts all that is unread, on this page or not.
	Unread int
}

// History returns a page of the notices addressed to the caller that have not ended. What was there before the caller was
// first seen counts as read.
func (s *Service) History(ctx context.Context, who auth.Identity, query HistoryQuery) (History, error) {
	if !who.Can(roles.ReadInbox) {
		return History{}, noInbox()
	}
	before := int64(math.MaxInt64)
	if err := page.History.ParseNumbers(query.Cursor, &before); err != nil {
		return History{}, err
	}
	reader, now := s.reader(ctx, who), s.now().UnixMilli()
	size := page.Size(query.Limit, DefaultPage, MaxPage)
	found, err := s.store.Received(ctx, HistoryPage{
		Reader: reader, Now: now, State: query.State, Before: before, Limit: size + 1,
	})
	if err != nil {
		return History{}, err
	}
	unread, err := s.store.Unread(ctx, reader, math.MaxInt64, now)
	if err != nil {
		return History{}, err
	}
	fits := page.Fit(found, size, func(one Place) int { return noticeBytes(one.Notice) })
	h := History{Items: make([]Received, fits), Unread: unread}
	for i := range h.Items {
		h.Items[i] = found[i].Received
		if !seesAudiences(who.Role) {
			h.Items[i].Notice = h.Items[i].withoutAudience()
		}
	}
	if fits < len(found) {
		h.Next = page.History.Numbers(found[fits-1].Seq)
	}
	return h, nil
}

func noInbox() error { return fault.New(fault.Forbidden, "This role has no inbox") }
