package notices

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/groupcommit"
	"rolecall/internal/page"
	"rolecall/internal/roles"
)

// The events that an audience hears.
const (
	EventNotice  = "system:notice"
	EventRetract = "system:retract"
	EventInbox   = "system:inbox"
)

const (
	// DefaultPage is how many notices a page has where no number is asked for.
	DefaultPage = 50
	// MaxPage is the most notices a page has.
	MaxPage = 200
)

// Emitter sends an event to every socket in any of the rooms, once each.
type Emitter interface {
	Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room)
}

// Service takes notices, delivers them and keeps inboxes.
type Service struct {
	store Store
	emit  Emitter
	now   func() time.Time
	log   *slog.Logger

	writer *groupcommit.Writer[Change, Changed]

	// telling is held while one change is told, and shared while an inbox is sent.
	telling sync.RWMutex
	told    int64 // the number of the change told last
}

const (
	// Notices are few, and one may be to thousands of rooms: more in a commit would hold up others who write.
	maxChangesPerCommit = 16
	maxPendingChanges   = 1024
)

// New returns a running Service; Close stops it. A nil now is the clock.
func New(ctx context.Context, store Store, emit Emitter, now func() time.Time, log *slog.Logger) (*Service, error) {
	if now == nil {
		now = time.Now
	}
	last, err := store.LastChange(ctx)
	if err != nil {
		return nil, fmt.Errorf("load notices: %w", err)
	}
	s := &Service{store: store, emit: emit, now: now, log: log, told: last}
	s.writer = groupcommit.New(s.commit,
		groupcommit.Options{MaxBatch: maxChangesPerCommit, MaxPending: maxPendingChanges})
	return s, nil
}

// Close stores and tells what is pending; further notices and retractions are refused.
func (s *Service) Close(ctx context.Context) error { return s.writer.Close(ctx) }

// List returns a page of all notices, newest first, and the cursor of the next page or "".
func (s *Service) List(ctx context.Context, who auth.Identity, at page.Request) (list []Notice, next string, err error) {
	if !who.Can(roles.Broadcast) {
		return nil, "", fault.New(fault.Forbidden, "Only admins list notices")
	}
	before := int64(math.MaxInt64)
	if err := page.Notices.ParseNumbers(at.Cursor, &before); err != nil {
		return nil, "", err
	}
	size := page.Size(at.Limit, DefaultPage, MaxPage)
	stored, err := s.store.Notices(ctx, before, size+1)
	if err != nil {
		return nil, "", err
	}
	size = page.Fit(stored, size, func(one Stored) int { return noticeBytes(one.Notice) })
	stored, next = page.Cut(stored, size, func(last Stored) string { return page.Notices.Numbers(last.Seq) })
	list = make([]Notice, 0, len(stored))
	for i := range stored {
		list = append(list, stored[i].Notice)
	}
	return list, next, nil
}

// Get returns one notice.
func (s *Service) Get(ctx context.Context, who auth.Identity, id string) (Notice, error) {
	if !who.Can(roles.Broadcast) {
		return Notice{}, fault.New(fault.Forbidden, "Only admins read notices by id")
	}
	notice, found, err := s.store.NoticeByID(ctx, id)
	switch {
	case err != nil:
		return Notice{}, err
	case !found:
		return Notice{}, unknownNotice()
	}
	return notice, nil
}

func unknownNotice() error { return fault.New(fault.NotFound, "There is no such notice") }
