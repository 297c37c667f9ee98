// Package tracking is the socket door of the tracking service.
package tracking

import (
	"context"
	"fmt"

	"rolecall/internal/access"
	"rolecall/internal/call"
	"rolecall/internal/fault"
	"rolecall/internal/services/tracking"
	"rolecall/internal/sockets/event"
)

// Handlers answers the tracking events of one namespace.
type Handlers struct {
	tracking *tracking.Service
}

// New returns the handlers of the tracking domain.
func New(service *tracking.Service) *Handlers { return &Handlers{tracking: service} }

// Register implements the sockets package's Domain.
func (h *Handlers) Register(r *event.Router) {
	event.On(r, "tracking:update", access.PublishPositions(), call.Later(h.tracking.Submit), event.AsList())
}

// Welcome shows a fleet's watcher where the drivers are now.
func (h *Handlers) Welcome(ctx context.Context, caller *event.Caller) error {
	err := h.tracking.Greet(ctx, caller.Who, caller)
	if err == nil || fault.Is(err, fault.Forbidden) { // the latter watches no fleet
		return nil
	}
	return fmt.Errorf("send snapshot: %w", err)
}
