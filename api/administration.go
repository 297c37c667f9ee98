package api

import (
	"context"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/instant"
	"rolecall/internal/page"
	"rolecall/internal/services/administration"
)

// oneUser asks for something of one user, known here or not.
type oneUser struct {
	ID string `json:"id" validate:"required,userid"`
}

func (a *API) listSockets(ctx context.Context, who auth.Identity, in oneUser) (administration.SocketList, error) {
	return a.Admin.SocketsOf(ctx, who, in.ID)
}

// auditQuery asks for a page of what admins have done.
type auditQuery struct {
	Actor  string          `json:"actor" validate:"omitempty,userid"`
	Action audit.Action    `json:"action" validate:"omitempty,max=64"`
	Target string          `json:"target" validate:"max=128"`
	From   instant.Instant `json:"from"`
	To     instant.Instant `json:"to"`
	Cursor string          `json:"cursor"`
	Limit  *int            `json:"limit" validate:"omitempty,min=1,max=200"`
}

func (a *API) listAudit(ctx context.Context, who auth.Identity, in auditQuery) (listing[audit.Line], error) {
	to := in.To.Millis
	if in.To.Set && to == 0 {
		to = -1 // 0 would be no bound
	}
	lines, next, err := a.Admin.Audit(ctx, who, audit.Query{
		Actor: in.Actor, Action: in.Action, Target: in.Target, From: in.From.Millis, To: to,
	}, page.Request{Cursor: in.Cursor, Limit: sizeOf(in.Limit)})
	return listingOf(lines, next), err
}
