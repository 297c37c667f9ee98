package notices

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

const (
	// maxRecountRooms bounds the rooms that wait for a recount: those of several notices with audiences of thousands.
	maxRecountRooms = 16_384
	// maxRecounted is how many people are told anew after an end. Others, and those whose marks are not remembered, hear
	// their number with the next reading or connection.
	maxRecounted = 10_000
)

// Online knows who is there to be told.
type Online interface {
	// UsersIn lists users who are online with a socket in any of the rooms, each once and at most limit of them.
	UsersIn(ctx context.Context, limit int, rooms ...roles.Room) ([]string, error)
}

// recounts are the rooms in which a notice has ended, with the number of the newest of those, until everybody there for
// whom it was unread has been told how many are left. That takes a count each, so it is done beside everything else.
type recounts struct {
	wake chan struct{} // holds a token while there is something to do

	mu    sync.Mutex
	ended map[roles.Room]int64
	// read are those who have read something on another node.
	read map[string]reading
}

func newRecounts() *recounts {
	return &recounts{wake: make(chan struct{}, 1), ended: make(map[roles.Room]int64), read: make(map[string]reading)}
}

// add has the people in the rooms told.
func (r *recounts) add(rooms []roles.Room, ended int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, room := range rooms {
		if known, waits := r.ended[room]; waits || len(r.ended) < maxRecountRooms {
			r.ended[room] = max(known, ended)
		}
	}
	r.awake()
}

// addReading has somebody told who has read something on another node.
func (r *recounts) addReading(read reading) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, waits := r.read[read.UserID]; waits {
		read.UpTo = max(read.UpTo, before.UpTo)
	} else if len(r.read) >= maxRecounted {
		return
	}
	r.read[read.UserID] = read
	r.awake()
}

func (r *recounts) awake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// takeRead returns those who have read something on another node.
func (r *recounts) takeRead() []reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Collect(maps.Values(r.read))
	clear(r.read)
	return all
}

// take returns the rooms that wait, and the newest notice that has ended in them.
func (r *recounts) take() (rooms []roles.Room, ended int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, seq := range r.ended {
		ended = max(ended, seq)
	}
	rooms = slices.Collect(maps.Keys(r.ended))
	clear(r.ended)
	return rooms, ended
}

// tellCounts tells people how many notices are unread after some have ended, or they have read some elsewhere, until ctx ends.
// What the store does not say is asked again.
func (s *Service) tellCounts(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.recounts.wake:
		}
		err := errors.Join(s.tellReaders(ctx), s.tellEnds(ctx))
		if err == nil || ctx.Err() != nil {
			continue
		}
		s.log.ErrorContext(ctx, "unread notices not counted", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(failedFollowWait):
		}
	}
}

// tellEnds tells those in whose rooms a notice has ended how many are left; where it fails, the rooms wait again.
func (s *Service) tellEnds(ctx context.Context) error {
	rooms, ended := s.recounts.take()
	if len(rooms) == 0 {
		return nil
	}
	users, err := s.online.UsersIn(ctx, maxRecounted, rooms...)
	for _, userID := range users {
		if err == nil {
			err = s.recount(ctx, userID, ended)
		}
	}
	if err != nil {
		s.recounts.add(rooms, ended)
	}
	return err
}

// tellReaders tells those who have read something on another node how many notices are left; where it fails, they wait again.
func (s *Service) tellReaders(ctx context.Context) (err error) {
	for _, read := range s.recounts.takeRead() {
		if err == nil {
			err = s.tellReader(ctx, read)
		}
		if err != nil {
			s.recounts.addReading(read)
		}
	}
	return err
}

func (s *Service) tellReader(ctx context.Context, read reading) error {
	defer s.marking.Lock(read.UserID)()
	who := auth.Identity{UserID: read.UserID, Role: read.Role, CompanyID: read.CompanyID}
	if known, ok := s.marks.Peek(read.UserID); ok {
		read.UpTo = max(read.UpTo, known.upTo)
	}
	s.remember(who, read.UpTo)
	_, err := s.tellUnread(ctx, who, read.UpTo)
	return err
}

// recount tells somebody how many notices are unread, unless all up to the one that has ended had been read.
func (s *Service) recount(ctx context.Context, userID string, ended int64) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	defer s.marking.Lock(userID)()
	mark, known := s.marks.Peek(userID)
	if !known || mark.upTo >= ended {
		return nil
	}
	_, err := s.tellUnread(ctx, auth.Identity{UserID: userID, Role: mark.role, CompanyID: mark.companyID}, mark.upTo)
	return err
}

// mark is up to where somebody had read when it was looked at last, and as whom.
type mark struct {
	upTo      int64
	role      roles.Role
	companyID string
	// unwritten is set where the store would not say it: upTo may be too low, and the store is asked again.
	unwritten bool
}

// remember keeps where somebody has read up to.
func (s *Service) remember(who auth.Identity, upTo int64) {
	s.marks.Add(who.UserID, mark{upTo: upTo, role: who.Role, companyID: who.CompanyID})
}
