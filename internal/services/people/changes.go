package people

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

// DefaultHold is Options.Hold where nothing else is said.
const DefaultHold = time.Second

// settleTimeout bounds what the store may take when a hold ends.
const settleTimeout = 10 * time.Second

// stripe holds the known among the users whose ids hash to it.
type stripe struct {
	mu     sync.Mutex
	known  map[string]*known
	closed bool
}

// known is somebody who was told to be online, or of whom something was told less than Options.Hold ago. Until that time
// is over, further changes are held back, so that a connection which comes and goes all the time costs others an event a
// second, and not one each time.
type known struct {
	online bool          // as was told
	told   auth.Identity // as whom; those who heard of the coming are those who hear of the going
	latest auth.Identity // whose socket has come last
	seen   time.Time     // when a socket last came or went
	hold   *time.Timer   // nil while nothing is held back
}

// Came is called after each connect of any of a person's sockets, Went after each disconnect. Both compare the rooms
// with what was last told and tell the difference, so that it does not matter in which order they arrive. Where something
// was told less than Options.Hold ago, that is done when the time is over. A person counts as whom they came last: who
// comes with a token of another company or role has gone from the old one.
func (s *Service) Came(ctx context.Context, who auth.Identity) { s.changed(ctx, who, true) }

// Went is the counterpart of Came.
func (s *Service) Went(ctx context.Context, who auth.Identity) { s.changed(ctx, who, false) }

func (s *Service) changed(ctx context.Context, who auth.Identity, came bool) {
	stripe := s.stripeOf(who.UserID)
	stripe.mu.Lock()
	defer stripe.mu.Unlock()
	k := stripe.known[who.UserID]
	if k == nil {
		k = &known{latest: who}
		stripe.known[who.UserID] = k
	}
	if came {
		k.latest = who
	}
	k.seen = s.options.Now()
	if k.hold == nil {
		s.settleLocked(ctx, stripe, k)
	}
}

func (s *Service) stripeOf(userID string) *stripe {
	h := fnv.New32a()
	_, _ = h.Write([]byte(userID))
	return &s.stripes[h.Sum32()%lockStripes]
}

// settleLocked tells what has changed about a person, and forgets who is not there.
func (s *Service) settleLocked(ctx context.Context, stripe *stripe, k *known) {
	is, err := s.isOnline(ctx, k.latest.UserID)
	switch {
	case err != nil: // asked again when the hold is over
		s.log.ErrorContext(ctx, "presence not known", "user", k.latest.UserID, "error", err)
		s.holdLocked(stripe, k)
	case is != k.online || is && (k.latest.Role != k.told.Role || k.latest.CompanyID != k.told.CompanyID):
		s.remember(ctx, k)
		s.tellChange(ctx, k, is)
		s.holdLocked(stripe, k)
	case is && k.latest.Username != k.told.Username:
		s.remember(ctx, k)
		k.told = k.latest
	}
	if !k.online && k.hold == nil {
		delete(stripe.known, k.latest.UserID)
	}
}

func (s *Service) isOnline(ctx context.Context, userID string) (bool, error) {
	online, err := s.sockets.Online(ctx, userID)
	return online[userID], err
}

func (s *Service) tellChange(ctx context.Context, k *known, is bool) {
	drivers := s.options.Drivers
	if k.online {
		s.tell(ctx, EventOffline, k.told)
		if k.told.Role == roles.Driver && drivers != nil {
			drivers.WentOffline(ctx, k.told)
		}
	}
	if is {
		s.tell(ctx, EventOnline, k.latest)
		if k.latest.Role == roles.Driver && drivers != nil {
			drivers.CameOnline(ctx, k.latest)
		}
	}
	k.online, k.told = is, k.latest
}

// holdLocked keeps back further changes of a person of whom something has been told just now.
func (s *Service) holdLocked(stripe *stripe, k *known) {
	if s.options.Hold < 0 || stripe.closed {
		return
	}
	s.holds.Add(1)
	k.hold = time.AfterFunc(s.options.Hold, func() { s.endHold(stripe, k) })
}

func (s *Service) endHold(stripe *stripe, k *known) {
	defer s.holds.Done()
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	stripe.mu.Lock()
	defer stripe.mu.Unlock()
	if k.hold == nil { // Close was first
		return
	}
	k.hold = nil
	s.settleLocked(ctx, stripe, k)
}

// Close tells at once what is held back, while there is somebody to hear it, so that what is stored of each person is
// true at the end as well. From then on every change is told at once: there is no later. It fails where ctx ends first;
// what is still held back then is not told.
func (s *Service) Close(ctx context.Context) error {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		var together sync.WaitGroup // writes of the same moment share commits
		for i := range s.stripes {
			together.Go(func() { s.closeStripe(ctx, &s.stripes[i]) })
		}
		together.Wait()
		s.holds.Wait()
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("tell who has come or gone: %w", ctx.Err())
	}
}

func (s *Service) closeStripe(ctx context.Context, stripe *stripe) {
	stripe.mu.Lock()
	defer stripe.mu.Unlock()
	stripe.closed = true
	for _, k := range stripe.known {
		if k.hold == nil {
			continue
		}
		if k.hold.Stop() {
			s.holds.Done()
		}
		k.hold = nil
		if ctx.Err() == nil {
			s.settleLocked(ctx, stripe, k)
		}
	}
}

func (s *Service) remember(ctx context.Context, k *known) {
	err := s.store.SaveUser(ctx, User{
		UserID: k.latest.UserID, Username: k.latest.Username, Role: k.latest.Role, CompanyID: k.latest.CompanyID,
		LastSeen: k.seen.UnixMilli(),
	})
	if err != nil {
		s.log.ErrorContext(ctx, "user not saved", "user", k.latest.UserID, "error", err)
	}
}

type userEvent struct {
	UserID   string `json:"userId"`
	Username string `json:"username"`
}

// tell lets admins, the person's company and those who share a conversation know.
func (s *Service) tell(ctx context.Context, event string, who auth.Identity) {
	to := []roles.Room{roles.RoleRoom(roles.Admin)}
	if who.CompanyID != "" {
		to = append(to, roles.CompanyRoom(who.CompanyID))
	}
	peers, err := s.store.ConversationPeers(ctx, who.UserID, maxPeers)
	if err != nil {
		s.log.ErrorContext(ctx, "conversation peers not found", "user", who.UserID, "error", err)
	}
	for _, peer := range peers {
		to = append(to, roles.UserRoom(peer))
	}
	s.emit.Emit(ctx, event, userEvent{UserID: who.UserID, Username: who.Username}, to, roles.UserRoom(who.UserID))
}
