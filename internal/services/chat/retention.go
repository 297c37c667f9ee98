package chat

import (
	"context"
	"time"
)

// RunRetention deletes messages older than the retention until ctx ends.
func (s *Service) RunRetention(ctx context.Context, every time.Duration) {
	if s.options.Retention == 0 {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		for {
			gone, err := s.store.DeleteMessagesBefore(ctx, s.options.Now().Add(-s.options.Retention).UnixMilli())
			if err != nil && ctx.Err() == nil {
				s.log.ErrorContext(ctx, "expired messages not deleted", "error", err)
			}
			if err != nil || gone == 0 {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
