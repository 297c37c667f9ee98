package api

import (
	"context"

	"rolecall/internal/auth"
	"rolecall/internal/call"
	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/services/notices"
)

type newNotice struct {
	notices.Draft
	ClientID string `json:"clientId"`
}

// madeNotice is a notice in answer to a request that has made it, now or before.
type madeNotice struct {
	notices.Notice
	replayed bool
}

// IsNew implements rest.Made.
func (n madeNotice) IsNew() bool { return !n.replayed }

// Path implements rest.Located.
func (n madeNotice) Path() string { return Prefix + "/notices/" + n.ID }

func (a *API) createNotice(ctx context.Context, who auth.Identity, in newNotice) (madeNotice, error) {
	notice, replayed, err := a.Notices.Create(ctx, who, in.Draft, in.ClientID)
	return madeNotice{Notice: notice, replayed: replayed}, err
}

// noticesQuery asks for a page of notices.
type noticesQuery struct {
	Cursor string `json:"cursor"`
	Limit  *int   `json:"limit" validate:"omitempty,min=1,max=200"`
}

func (a *API) listNotices(ctx context.Context, who auth.Identity, in noticesQuery) (listing[notices.Notice], error) {
	list, next, err := a.Notices.List(ctx, who, page.Request{Cursor: in.Cursor, Limit: sizeOf(in.Limit)})
	return listingOf(list, next), err
}

func (a *API) getNotice(ctx context.Context, who auth.Identity, in one) (notices.Notice, error) {
	return a.Notices.Get(ctx, who, in.ID)
}

func (a *API) retractNotice(ctx context.Context, who auth.Identity, in one) (call.Nothing, error) {
	return call.Nothing{}, a.Notices.Retract(ctx, who, in.ID)
}

// inboxQuery asks for a page of the notices addressed to the caller.
type inboxQuery struct {
	State  notices.State `json:"state" validate:"omitempty,oneof=unread read all"`
	Cursor string        `json:"cursor"`
	Limit  *int          `json:"limit" validate:"omitempty,min=1,max=200"`
}

type inboxPage struct {
	listing[notices.Received]
	Unread int `json:"unread"`
}

// inbox lists what is unread, oldest first, or the history, newest first.
func (a *API) inbox(ctx context.Context, who auth.Identity, in inboxQuery) (inboxPage, error) {
	if in.State == notices.Read || in.State == notices.All {
		history, err := a.Notices.History(ctx, who, notices.HistoryQuery{State: in.State, Cursor: in.Cursor, Limit: sizeOf(in.Limit)})
		return inboxPage{listing: listingOf(history.Items, history.Next), Unread: history.Unread}, err
	}
	return a.unreadInbox(ctx, who, in)
}

// unreadInbox pages by the notice that the event system:inbox calls before.
func (a *API) unreadInbox(ctx context.Context, who auth.Identity, in inboxQuery) (inboxPage, error) {
	before, err := page.Inbox.ParseText(in.Cursor)
	if err != nil {
		return inboxPage{}, err
	}
	inbox, err := a.Notices.Inbox(ctx, who, notices.InboxQuery{Before: before, Limit: page.Limit(sizeOf(in.Limit))})
	if fault.Is(err, fault.InvalidPayload) { // before is the cursor's
		return inboxPage{}, page.Foreign()
	}
	items := make([]notices.Received, len(inbox.Notices))
	for i := range items {
		items[i].Notice = inbox.Notices[i]
	}
	next := ""
	if len(items) > 0 && inbox.HasMore {
		next = page.Inbox.Text(items[len(items)-1].ID)
	}
	return inboxPage{listing: listingOf(items, next), Unread: inbox.Unread}, err
}

type unreadDocument struct {
	Unread int `json:"unread"`
}

func (a *API) markInboxRead(ctx context.Context, who auth.Identity, in notices.Reading) (unreadDocument, error) {
	unread, err := a.Notices.MarkRead(ctx, who, in)
	return unreadDocument{Unread: unread}, err
}
