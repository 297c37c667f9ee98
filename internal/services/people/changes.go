package people

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

// DefaultHold is Options.Hold where nothing else is said.
const DefaultHold = time.Second

// settleTimeout bounds what the store may take when a hold ends.
const settleTimeout = 10 * time.Second

// maxSettledAtOnce bounds how many people Close tells of at once: about as many as share a commit.
const maxSettledAtOnce = 256

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
	defer s.telling.Lock(who.UserID)()
	k := s.knownOf(who)
	if came {
		k.latest = who
	}
	k.seen = s.options.Now()
	if k.hold == nil {
		s.settleLocked(ctx, k)
	}
}

// knownOf returns what is known of a person, from now on if nothing was.
func (s *Service) knownOf(who auth.Identity) *known {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[who.UserID]
	if k == nil {
		k = &known{latest: who}
		s.known[who.UserID] = k
	}
	return k
}

func (s *Service) forget(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, userID)
}

// settleLocked tells what has changed about a person, and forgets who is not there.
func (s *Service) settleLocked(ctx context.Context, k *known) {
	is, err := s.isOnline(ctx, k.latest.UserID)
	switch {
	case err != nil: // asked again when the hold is over
		s.log.ErrorContext(ctx, "presence not known", "user", k.latest.UserID, "error", err)
		s.holdLocked(k)
	case is != k.online || is && (k.latest.Role != k.told.Role || k.latest.CompanyID != k.told.CompanyID):
		s.remember(ctx, k, is)
		s.tellChange(ctx, k, is)
		s.holdLocked(k)
	case is && k.latest.Username != k.told.Username:
		s.remember(ctx, k, is)
		k.told = k.latest
	}
	if !k.online && k.hold == nil {
		s.forget(k.latest.UserID)
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
func (s *Service) holdLocked(k *known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.options.Hold < 0 || s.closed {
		return
	}
	s.holds.Add(1)
	userID := k.latest.UserID
	k.hold = time.AfterFunc(s.options.Hold, func() { s.endHold(userID, k) })
}

func (s *Service) endHold(userID string, k *known) {
	defer s.holds.Done()
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	defer s.telling.Lock(userID)()
	if k.hold == nil { // Close was first
		return
	}
	k.hold = nil
	s.settleLocked(ctx, k)
}

// Close tells at once what is held back, while there is somebody to hear it, so that what is stored of each person is
// true at the end as well. From then on every change is told at once: there is no later. It fails where ctx ends first;
// what is still held back then is not told.
func (s *Service) Close(ctx context.Context) error {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.settleAll(ctx)
		s.holds.Wait()
		s.seen.close(ctx)
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("tell who has come or gone: %w", ctx.Err())
	}
}

// settleAll ends all holds; writes of the same moment share commits.
func (s *Service) settleAll(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	everybody := maps.Clone(s.known)
	s.mu.Unlock()
	var together sync.WaitGroup
	places := make(chan struct{}, maxSettledAtOnce)
	for userID, k := range everybody {
		places <- struct{}{}
		together.Go(func() {
			s.cutHold(ctx, userID, k)
			<-places
		})
	}
	together.Wait()
}

func (s *Service) cutHold(ctx context.Context, userID string, k *known) {
	defer s.telling.Lock(userID)()
	if k.hold == nil {
		return
	}
	if k.hold.Stop() {
		s.holds.Done()
	}
	k.hold = nil
	if ctx.Err() == nil {
		s.settleLocked(ctx, k)
	}
}

// remember has the store and those who look around know a person as they are now.
func (s *Service) remember(ctx context.Context, k *known, isOnline bool) {
	user := User{
		UserID: k.latest.UserID, Username: k.latest.Username, Role: k.latest.Role, CompanyID: k.latest.CompanyID,
		LastSeen: k.seen.UnixMilli(),
	}
	s.mu.Lock()
	if isOnline {
		s.here[user.UserID] = user
	} else {
		delete(s.here, user.UserID)
	}
	s.mu.Unlock()
	s.seen.note(ctx, user)
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
	peers, err := s.conversations.Peers(ctx, who.UserID, maxPeers)
	if err != nil {
		s.log.ErrorContext(ctx, "conversation peers not found", "user", who.UserID, "error", err)
	}
	for _, peer := range peers {
		to = append(to, roles.UserRoom(peer))
	}
	s.emit.Emit(ctx, event, userEvent{UserID: who.UserID, Username: who.Username}, to, roles.UserRoom(who.UserID))
}
