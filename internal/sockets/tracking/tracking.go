// Package tracking is the socket door of the tracking service.
package tracking

import (
	"context"
	"log/slog"

	"rolecall/internal/access"
	"rolecall/internal/call"
	"rolecall/internal/fault"
	"rolecall/internal/services/tracking"
	"rolecall/internal/sockets/event"
)

// Handlers answers the tracking events of one namespace.
type Handlers struct {
	tracking *tracking.Service
	log      *slog.Logger
}

// New returns the handlers of the tracking domain.
func New(service *tracking.Service, log *slog.Logger) *Handlers {
	return &Handlers{tracking: service, log: log}
}

// Register implements the sockets package's Domain.
func (h *Handlers) Register(r *event.Router) {
	event.On(r, "tracking:update", access.PublishPositions(), call.Later(h.tracking.Submit), event.AsList())
}

// Welcome shows a fleet's watcher where the drivers are now.
func (h *Handlers) Welcome(ctx context.Context, caller *event.Caller) {
	err := h.tracking.Greet(ctx, caller.Who, caller)
	if fault.Is(err, fault.Forbidden) {
		return // watches no fleet
	}
	if err != nil {
		h.log.DebugContext(ctx, "snapshot not sent", "user", caller.Who.UserID, "error", err)
	}
}
