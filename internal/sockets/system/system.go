// Package system is the socket door of the notices service.
package system

import (
	"context"
	"fmt"
	"log/slog"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/services/notices"
	"rolecall/internal/sockets/event"
)

// Handlers answers the system events of one namespace.
type Handlers struct {
	notices *notices.Service
	log     *slog.Logger
}

// New returns the handlers of the system domain.
func New(service *notices.Service, log *slog.Logger) *Handlers {
	return &Handlers{notices: service, log: log}
}

// Register implements the sockets package's Domain.
func (h *Handlers) Register(r *event.Router) {
	event.On(r, "system:broadcast", access.SendNotice(), h.broadcast)
	event.On(r, "system:read", access.MarkNoticesRead(), h.read)
	event.On(r, "system:inbox", access.ReadInbox(), h.notices.Inbox, event.Long())
}

// Welcome hands a new socket what its user has not read.
func (h *Handlers) Welcome(ctx context.Context, caller *event.Caller) error {
	err := h.notices.Greet(ctx, caller.Who, func(inbox notices.Inbox) error {
		if err := caller.Emit(notices.EventInbox, inbox); err != nil {
			h.log.DebugContext(ctx, "inbox not sent", "user", caller.Who.UserID, "error", err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read inbox: %w", err)
	}
	return nil
}

type newNotice struct {
	notices.Draft
	// ClientID is the sender's own key, by which a notice that is sent again is recognised.
	ClientID string `json:"clientId"`
}

type broadcastAck struct {
	Notice notices.Notice `json:"notice"`
}

func (h *Handlers) broadcast(ctx context.Context, who auth.Identity, in newNotice) (broadcastAck, error) {
	notice, _, err := h.notices.Create(ctx, who, in.Draft, in.ClientID)
	return broadcastAck{Notice: notice}, err
}

type unread struct {
	Unread int `json:"unread"`
}

func (h *Handlers) read(ctx context.Context, who auth.Identity, in notices.Reading) (unread, error) {
	left, err := h.notices.MarkRead(ctx, who, in)
	return unread{Unread: left}, err
}
