package people

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// DefaultSaveDelay is Options.SaveDelay where nothing else is said.
const DefaultSaveDelay = time.Second

const (
	// maxUnsaved is how many people wait to be written. While the store takes none, what is seen of more is not kept: nobody
	// is to wait for the disk because somebody has come.
	maxUnsaved = 50_000
	// saveTimeout bounds one write.
	saveTimeout = 10 * time.Second
)

// seen is the directory's store behind what has been seen of people since it was last written. Nobody is promised that it
// is on disk, so a crowd that connects does not wait for the disk, and costs it a write a second. What is read through it
// is never behind what was noted.
type seen struct {
	store Store
	delay time.Duration
	log   *slog.Logger

	writing sync.Mutex // held while a batch is written, so that none overtakes another

	mu       sync.Mutex
	unsaved  map[string]User // by user id
	writes   map[string]User // what is being written, by user id
	dropped  int             // how many were not kept since the last write
	due      *time.Timer     // nil while nothing is unsaved
	isClosed bool            // from now on everything is written at once
}

func newSeen(store Store, delay time.Duration, log *slog.Logger) *seen {
	if delay == 0 {
		delay = DefaultSaveDelay
	}
	return &seen{store: store, delay: delay, log: log, unsaved: make(map[string]User)}
}

// note has a person written, in the order of the calls.
func (s *seen) note(ctx context.Context, user User) {
	if s.gather(user) {
		s.writeInTime(ctx)
	}
}

// gather keeps a person for the next write, and reports whether that is to be made now.
func (s *seen) gather(user User) (now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, waits := s.unsaved[user.UserID]; !waits && len(s.unsaved) >= maxUnsaved {
		s.dropped++
		return false
	}
	s.unsaved[user.UserID] = user
	s.armLocked()
	return s.delay < 0 || s.isClosed
}

func (s *seen) armLocked() {
	if s.due == nil && s.delay >= 0 && !s.isClosed {
		s.due = time.AfterFunc(s.delay, func() { s.writeInTime(context.Background()) })
	}
}

// writeInTime writes what is unsaved, whatever becomes of who asks for it.
func (s *seen) writeInTime(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	s.write(ctx)
}

// writeNow has what is unsaved written, and reports whether somebody among it is in the store then. It waits no longer than ctx
// lasts, and the write goes on.
func (s *seen) writeNow(ctx context.Context, userID string) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.writeInTime(ctx)
	}()
	select {
	case <-done:
		_, waits := s.noted(userID)
		return !waits
	case <-ctx.Done():
		return false
	}
}

// write writes what is unsaved. What cannot be written is kept for the next time.
func (s *seen) write(ctx context.Context) {
	s.writing.Lock()
	defer s.writing.Unlock()
	batch, dropped := s.take()
	if len(batch) == 0 {
		return
	}
	if dropped > 0 {
		s.log.ErrorContext(ctx, "people not saved: too many are waiting", "people", dropped)
	}
	err := s.store.SaveUsers(ctx, slices.Collect(maps.Values(batch)))
	if err != nil {
		s.log.ErrorContext(ctx, "people not saved", "people", len(batch), "error", err)
	}
	s.settle(batch, err != nil)
}

// take hands over what is unsaved.
func (s *seen) take() (batch map[string]User, dropped int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.due != nil {
		s.due.Stop()
		s.due = nil
	}
	if len(s.unsaved) == 0 {
		return nil, 0
	}
	batch, dropped = s.unsaved, s.dropped
	s.unsaved, s.writes, s.dropped = make(map[string]User), batch, 0
	return batch, dropped
}

// settle ends a write. Of what could not be written it puts back what has not been replaced, as much as may wait.
func (s *seen) settle(batch map[string]User, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = nil
	if !failed {
		return
	}
	for userID, user := range batch {
		if _, newer := s.unsaved[userID]; !newer && len(s.unsaved) < maxUnsaved {
			s.unsaved[userID] = user
		}
	}
	s.armLocked()
}

// users is Store.Users, what is unsaved included.
func (s *seen) users(ctx context.Context, query UserQuery, after string, limit int) ([]User, error) {
	s.writeInTime(ctx)
	return s.store.Users(ctx, query, after, limit)
}

// search is Store.Search, what is unsaved included.
func (s *seen) search(ctx context.Context, query UserQuery, after string, limit int) ([]Found, string, error) {
	s.writeInTime(ctx)
	return s.store.Search(ctx, query, after, limit)
}

// find looks people up, those who are not on disk yet among them. It costs no write.
func (s *seen) find(ctx context.Context, userIDs []string) ([]User, error) {
	var users []User
	others := make([]string, 0, len(userIDs))
	for _, userID := range userIDs {
		if user, noted := s.noted(userID); noted {
			users = append(users, user)
		} else {
			others = append(others, userID)
		}
	}
	if len(others) == 0 { // no ids would be no condition
		return users, nil
	}
	stored, err := s.store.Users(ctx, UserQuery{IDs: others}, "", len(others))
	return append(users, stored...), err
}

// noted finds somebody who is not on disk yet, or just being written.
func (s *seen) noted(userID string) (user User, noted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if user, noted = s.unsaved[userID]; !noted {
		user, noted = s.writes[userID]
	}
	return user, noted
}

// close writes what is unsaved. It does not wait any longer than ctx lasts.
func (s *seen) close(ctx context.Context) {
	s.mu.Lock()
	s.isClosed = true
	s.mu.Unlock()
	s.write(ctx)
}
