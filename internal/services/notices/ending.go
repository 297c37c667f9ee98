package notices

import (
	"context"
	"time"

	"rolecall/internal/groupcommit"
)

const (
	// maxEndings is how many notices are ended at a time; more that are due come next.
	maxEndings = 64
	// longestEndWait lets the clock be corrected meanwhile.
	longestEndWait = time.Minute
	// failedEndWait is how long the store is left alone when it has not taken an ending.
	failedEndWait = time.Second
	// endPatience is how long after its time a notice may end.
	endPatience = 10 * time.Second
)

// endNotices ends notices as they expire, those included that expired while no server ran. An end is a change like a
// retraction, and is told like one. One timer waits for the next.
func (s *Service) endNotices(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.sooner:
		}
		timer.Reset(s.endDue(ctx))
	}
}

// lookSooner has the next end looked for anew.
func (s *Service) lookSooner() {
	select {
	case s.sooner <- struct{}{}:
	default: // about to be done
	}
}

// endDue ends what has expired and returns how long to wait for the next.
func (s *Service) endDue(ctx context.Context) time.Duration {
	due, next, err := s.store.Expiring(ctx, s.now().UnixMilli(), maxEndings)
	if err != nil {
		s.logEnding(ctx, err)
		return failedEndWait
	}
	if err := s.end(ctx, due); err != nil {
		s.logEnding(ctx, err)
		return failedEndWait
	}
	switch {
	case len(due) == maxEndings:
		return 0
	case next == 0:
		return longestEndWait
	}
	return min(max(time.UnixMilli(next).Sub(s.now()), 0), longestEndWait)
}

// end ends notices, together. That one has been retracted meanwhile is no failure.
func (s *Service) end(ctx context.Context, due []string) (failed error) {
	tickets := make([]*groupcommit.Ticket[Change, Changed], 0, len(due))
	for _, id := range due {
		ticket, err := s.writer.Submit(ctx, Change{Expire: id})
		if err != nil {
			failed = err
			break
		}
		tickets = append(tickets, ticket)
	}
	for _, ticket := range tickets {
		if _, err := ticket.Wait(ctx); err != nil {
			failed = err
		}
	}
	return failed
}

func (s *Service) logEnding(ctx context.Context, err error) {
	if ctx.Err() == nil {
		s.log.ErrorContext(ctx, "expired notices not ended", "error", err)
	}
}
