package api

import (
	"net/http"

	"rolecall/internal/auth"
	"rolecall/internal/services/notices"
)

func (a *API) createNotice(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	var draft notices.Draft
	if err := a.decode(r, &draft); err != nil {
		return err
	}
	notice, replayed, err := a.Notices.Create(r.Context(), who, draft, r.Header.Get("Idempotency-Key"))
	if err != nil {
		return err
	}
	if replayed {
		return respond(w, http.StatusOK, notice)
	}
	w.Header().Set("Location", Prefix+"/notices/"+notice.ID)
	return respond(w, http.StatusCreated, notice)
}

func (a *API) listNotices(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	at, err := pageParams(r, notices.MaxPage)
	if err != nil {
		return err
	}
	list, next, err := a.Notices.List(r.Context(), who, at)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, listingOf(list, next))
}

func (a *API) getNotice(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	notice, err := a.Notices.Get(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, notice)
}

func (a *API) retractNotice(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	if err := a.Notices.Retract(r.Context(), who, pathID(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type inboxPage struct {
	listing[notices.Notice]
	Unread int `json:"unread"`
}

func (a *API) inbox(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	query := notices.InboxQuery{Before: r.URL.Query().Get("before")}
	var err error
	if query.Limit, err = limitParam(r, notices.MaxPage); err != nil {
		return err
	}
	if err := a.Decoder.Validate(&query); err != nil {
		return err
	}
	inbox, err := a.Notices.Inbox(r.Context(), who, query)
	if err != nil {
		return err
	}
	next := ""
	if len(inbox.Notices) > 0 && inbox.HasMore {
		next = inbox.Notices[len(inbox.Notices)-1].ID
	}
	return respond(w, http.StatusOK, inboxPage{listing: listingOf(inbox.Notices, next), Unread: inbox.Unread})
}

type readNotices struct {
	IDs []string `json:"ids" validate:"required,min=1,max=500,dive,required,max=64"`
}

type unreadDocument struct {
	Unread int `json:"unread"`
}

func (a *API) markInboxRead(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	var in readNotices
	if err := a.decode(r, &in); err != nil {
		return err
	}
	unread, err := a.Notices.MarkRead(r.Context(), who, in.IDs)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, unreadDocument{Unread: unread})
}
