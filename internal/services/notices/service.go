package notices

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/groupcommit"
	"rolecall/internal/keylock"
	"rolecall/internal/page"
	"rolecall/internal/roles"
)

// The events that an audience hears.
const (
	EventNotice  = "system:notice"
	EventRetract = "system:retract"
	EventInbox   = "system:inbox"
	EventUnread  = "system:unread"
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
	store   Store
	emit    Emitter
	beyond  Emitter // nil where nobody listens there
	now     func() time.Time
	log     *slog.Logger
	backlog time.Duration

	writer *groupcommit.Writer[Change, Changed]

	// telling is held while one change is told, and shared while an inbox is sent.
	telling sync.RWMutex
	told    int64 // the number of the change told last
	live    *liveRooms

	// marks has, of those who were here last, up to where they had read. Marks only move on, so an old one is no lie.
	marks *lru.Cache[string, mark]
	// marking holds back other readings of a person while one is stored and told.
	marking keylock.Mutex

	// sooner holds a token when a notice has come that may end before all others.
	sooner chan struct{}
	// nodes is nil where there are no others. following is held while what they have changed is read and told, and behind
	// holds a token when there may be more of it.
	nodes     Nodes
	following sync.Mutex
	behind    chan struct{}
	looks     atomic.Int64 // how many looks at what others have changed were begun
	looked    int64        // which of them was the last that has found out; following guards it

	// online is nil where nobody is told of ends how many are left.
	online   Online
	recounts *recounts

	stop    context.CancelFunc
	working sync.WaitGroup
}

// Options are what a Service may be told. Zero values stand for the defaults.
type Options struct {
	// Now is the clock.
	Now func() time.Time
	// Backlog is how far back notices are unread for somebody who is seen for the first time.
	Backlog time.Duration
	// Online, where it is set, has those told how many notices are unread for whom one has ended.
	Online Online
	// Nodes, where it is set, are other servers over the same store. The service's Emitter and Online are then those of this
	// node's own sockets.
	Nodes Nodes
	// Beyond, where it is set, sends to those who are connected to none of these servers: what is made on this node, once.
	Beyond Emitter
	Logger *slog.Logger
}

const (
	// Notices are few, and one may be to thousands of rooms: more in a commit would hold up others who write.
	maxChangesPerCommit = 16
	maxPendingChanges   = 1024
	// maxMarks is how many people's read marks are remembered, some 10 MB.
	maxMarks = 65_536
)

// New returns a running Service; Close stops it.
func New(ctx context.Context, store Store, emit Emitter, o Options) (*Service, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Backlog <= 0 {
		o.Backlog = DefaultBacklog
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	marks, err := lru.New[string, mark](maxMarks)
	if err != nil {
		return nil, fmt.Errorf("remember read marks: %w", err)
	}
	s := &Service{
		store: store, emit: emit, now: o.Now, log: o.Logger, backlog: o.Backlog, marks: marks,
		live: newLiveRooms(maxLiveRooms), sooner: make(chan struct{}, 1), online: o.Online, recounts: newRecounts(),
		nodes: o.Nodes, beyond: o.Beyond, behind: make(chan struct{}, 1),
	}
	if err := s.load(ctx); err != nil {
		return nil, fmt.Errorf("load notices: %w", err)
	}
	s.writer = groupcommit.New(s.commit,
		groupcommit.Options{Name: "commit notices", MaxBatch: maxChangesPerCommit, MaxPending: maxPendingChanges})
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.working.Go(func() { s.endNotices(working) })
	s.working.Go(func() { s.tellCounts(working) })
	if s.nodes != nil {
		s.hearNodes()
		s.working.Go(func() { s.follow(working) })
	}
	return s, nil
}

// load finds out what a service that ran before has told.
func (s *Service) load(ctx context.Context) (err error) {
	if s.told, err = s.store.LastChange(ctx); err != nil {
		return err
	}
	return s.store.LiveRooms(ctx, s.live.raiseOne)
}

// Close stores and tells what is pending; further notices and retractions are refused.
func (s *Service) Close(ctx context.Context) error {
	s.stop()
	s.working.Wait()
	return s.writer.Close(ctx)
}

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
