// Package system is the socket door of the notices service.
package system

import (
	"context"
	"log/slog"

	"rolecall/internal/auth"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
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
	event.On(r, "system:broadcast", event.For(limit.Other, roles.Broadcast), h.broadcast)
	event.On(r, "system:read", event.For(limit.Read, roles.ReadInbox), h.read)
	event.On(r, "system:inbox", event.For(limit.Read, roles.ReadInbox), h.inbox)
}

// Welcome hands a new socket what its user has not read.
func (h *Handlers) Welcome(ctx context.Context, caller *event.Caller) {
	err := h.notices.Greet(ctx, caller.Who, func(inbox notices.Inbox) error {
		if err := caller.Emit(notices.EventInbox, inbox); err != nil {
			h.log.DebugContext(ctx, "inbox not sent", "user", caller.Who.UserID, "error", err)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		h.log.ErrorContext(ctx, "inbox not read", "user", caller.Who.UserID, "error", err)
	}
}

// Farewell implements the sockets package's Domain.
func (h *Handlers) Farewell(context.Context, auth.Identity, []string) {}

type broadcastAck struct {
	Notice notices.Notice `json:"notice"`
}

func (h *Handlers) broadcast(ctx context.Context, caller *event.Caller, in notices.Draft) (any, error) {
	notice, _, err := h.notices.Create(ctx, caller.Who, in, "")
	return broadcastAck{Notice: notice}, err
}

// readIDs is { id } or { ids }.
type readIDs struct {
	ID  string   `json:"id" validate:"required_without=IDs,excluded_with=IDs,max=64"`
	IDs []string `json:"ids" validate:"max=500,dive,required,max=64"`
}

type unread struct {
	Unread int `json:"unread"`
}

func (h *Handlers) read(ctx context.Context, caller *event.Caller, in readIDs) (any, error) {
	ids := in.IDs
	if in.ID != "" {
		ids = []string{in.ID}
	}
	left, err := h.notices.MarkRead(ctx, caller.Who, ids)
	return unread{Unread: left}, err
}

func (h *Handlers) inbox(ctx context.Context, caller *event.Caller, in notices.InboxQuery) (any, error) {
	return h.notices.Inbox(ctx, caller.Who, in)
}
