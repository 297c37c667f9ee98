package presence

import (
	"context"
	"time"

	"rolecall/internal/auth"
)

// DefaultHold is Options.Hold where nothing else is said.
const DefaultHold = time.Second

// releaseTimeout bounds what the store may take when held-back changes are told.
const releaseTimeout = 10 * time.Second

// recent is a person of whom a change was told less than Options.Hold ago. What has changed since is held back, so that
// a connection which comes and goes all the time costs others one event a second and not one for each turn.
type recent struct {
	told   auth.Identity // as whom
	latest auth.Identity // whose socket has come or gone last
	timer  *time.Timer
}

// holdLocked keeps back further changes of a person of whom one has been told just now.
func (s *Service) holdLocked(stripe *stripe, who auth.Identity) {
	if s.options.Hold < 0 || stripe.closed {
		return
	}
	held := &recent{told: who, latest: who}
	stripe.recent[who.UserID] = held
	s.holds.Add(1)
	held.timer = time.AfterFunc(s.options.Hold, func() { s.release(stripe, held) })
}

// release tells what is true now of a person whose changes were held back.
func (s *Service) release(stripe *stripe, held *recent) {
	defer s.holds.Done()
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	stripe.mu.Lock()
	defer stripe.mu.Unlock()
	if stripe.recent[held.told.UserID] == held { // else Close was first
		s.endHoldLocked(ctx, stripe, held)
	}
}

func (s *Service) endHoldLocked(ctx context.Context, stripe *stripe, held *recent) {
	delete(stripe.recent, held.told.UserID)
	who := held.latest
	if _, online := stripe.online[who.UserID]; online {
		who = held.told // those who have heard of the coming are those who hear of the going
	}
	switch {
	case s.tellChangeLocked(ctx, stripe, who):
		s.holdLocked(stripe, who)
	case held.latest.Username != held.told.Username || held.latest.Role != held.told.Role || held.latest.CompanyID != held.told.CompanyID:
		s.remember(ctx, held.latest) // came back with a newer token
	}
}

// Close tells at once what is held back, while there is somebody to hear it, so that what is stored of each person is
// true at the end as well. From then on every change is told at once: there is no later.
func (s *Service) Close(ctx context.Context) {
	for i := range s.stripes {
		s.closeStripe(ctx, &s.stripes[i])
	}
	s.holds.Wait()
}

func (s *Service) closeStripe(ctx context.Context, stripe *stripe) {
	stripe.mu.Lock()
	defer stripe.mu.Unlock()
	stripe.closed = true
	for _, held := range stripe.recent {
		if held.timer.Stop() {
			s.holds.Done()
		}
		s.endHoldLocked(ctx, stripe, held)
	}
}
