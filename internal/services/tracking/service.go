package tracking

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/fault"
	"rolecall/internal/groupcommit"
	"rolecall/internal/retention"
	"rolecall/internal/roles"
)

// The events that watchers hear.
const (
	EventPositions = "tracking:positions"
	EventStatus    = "tracking:status"
	EventSnapshot  = "tracking:snapshot"
)

// Emitter sends an event to every socket of this node in any of the rooms, once each: every node tells its own watchers.
type Emitter interface {
	Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room)
	// EmitNewest sends an event that tells newest values. A client that does not read may be sent fewer such events,
	// with the newest value of each key in them.
	EmitNewest(ctx context.Context, event string, newest bus.Newest, to ...roles.Room)
}

// Options shapes a Service.
type Options struct {
	// Flush is the least time between two tracking:positions of one room; 0 sends each position at once.
	Flush time.Duration
	// Retention is how long positions are kept; 0 keeps them for ever.
	Retention time.Duration
	// StaleAfter is how long an online driver may be silent. Default 2 minutes.
	StaleAfter time.Duration
	// OfflineAfter is how long a driver may be silent who reports without a socket. Default 10 minutes.
	OfflineAfter time.Duration
	// FixHooks and StatusHooks hear what happens to drivers, each in the order of the list.
	FixHooks    []FixHook
	StatusHooks []StatusHook
	// Nodes are the other servers, nil where there are none.
	Nodes Nodes
	// Watched reports whether a socket of this node stands in a room; nil where there are no other nodes.
	Watched func(room roles.Room) bool
	Now     func() time.Time
	Logger  *slog.Logger
}

const (
	defaultStaleAfter   = 2 * time.Minute
	defaultOfflineAfter = 10 * time.Minute
	// The writer's bounds. Updates hold from one to MaxBatch positions: what a commit takes, and what waits holds in memory,
	// goes by positions, and the number of updates is bounded for what each costs beside them. Together they let ten thousand
	// drivers who send one by one go on while a disk holds up everything for more than a second.
	maxUpdatesPerCommit   = 2048
	maxPositionsPerCommit = 32 * 1024
	maxPendingUpdates     = 16 * 1024
	maxPendingPositions   = 512 * 1024
	// gatherUpdates is how long a stream of updates gathers for a commit, and so about how long an ack takes under load.
	gatherUpdates = 50 * time.Millisecond
)

// Service takes positions in, fans them out and keeps them.
type Service struct {
	store   Store
	emit    Emitter
	options Options
	log     *slog.Logger
	writer  *groupcommit.Writer[batch, struct{}]

	patience  patience
	directory directory
	accepted  atomic.Int64 // positions, in all
	unwritten atomic.Int64 // positions that wait for the disk
	// everywhere is the snapshot for who watches all fleets.
	everywhere album
	// turns holds a token for each greeting that is worked on.
	turns chan struct{}
	// others is nil where there are no other nodes.
	others *neighbours
	due    due // unused where each position is sent at once
}

// batch is one update on its way to the disk.
type batch struct {
	driver    Driver
	positions []Position
}

// New loads the known drivers and returns a Service; Run moves it.
func New(ctx context.Context, store Store, emit Emitter, options Options) (*Service, error) {
	if options.StaleAfter == 0 {
		options.StaleAfter = defaultStaleAfter
	}
	if options.OfflineAfter == 0 {
		options.OfflineAfter = defaultOfflineAfter
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	known, err := store.Drivers(ctx)
	if err != nil {
		return nil, fmt.Errorf("load drivers: %w", err)
	}
	s := &Service{
		store: store, emit: emit, options: options, log: options.Logger,
		patience:  patience{stale: options.StaleAfter, offline: options.OfflineAfter},
		directory: directory{fleets: make(map[string]*fleet)},
		due:       due{wake: make(chan struct{}, 1)},
		turns:     make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}
	if options.Nodes != nil {
		s.meet(options.Nodes)
	}
	for i := range known {
		s.load(&known[i])
	}
	s.writer = groupcommit.New(s.write, groupcommit.Options{
		Name: "commit positions", MaxBatch: maxUpdatesPerCommit, MaxPending: maxPendingUpdates, Gather: gatherUpdates,
	})
	return s, nil
}

// load makes a stored driver known, where it was and offline.
func (s *Service) load(stored *Driver) {
	f := s.directory.fleet(stored.CompanyID)
	f.mu.Lock()
	defer f.mu.Unlock()
	now := s.options.Now()
	m := s.directory.membership(f, *stored, now)
	if p := stored.Newest; p != nil && p.CompanyID == stored.CompanyID { // else a former company's, not the present one's to see
		m.newest = &newest{Position: *p, rank: rankOf(p, now.UnixMilli()), away: true, name: stored.Username}
		m.lastSeq = p.Seq
		m.report.At = m.newest.rank // nothing is known of what was later
	}
}

// Pending is an update that has been fanned out and is on its way to the disk.
type Pending struct {
	verdict Verdict
	ticket  *groupcommit.Ticket[batch, struct{}]
}

// Submit judges an update and shows what is new in it to the watchers. It fails with forbidden for anyone but a driver,
// with the position's own fault where the update is a single bad position, and with unavailable under overload.
func (s *Service) Submit(ctx context.Context, who auth.Identity, update Update) (*Pending, error) {
	if !who.Can(roles.PublishPosition) {
		return nil, fault.New(fault.Forbidden, "Only drivers send positions")
	}
	verdict, accepted, first := update.judge(who, s.bounds())
	if update.single && first != nil {
		return nil, first
	}
	p := &Pending{verdict: verdict}
	if len(accepted) == 0 {
		return p, nil
	}
	s.accepted.Add(int64(len(accepted)))
	s.recognise(ctx, who, accepted)
	s.show(ctx, who, accepted) // watchers see where a driver is even while the disk takes nothing
	ticket, err := s.submit(ctx, batch{driver: driverOf(who), positions: accepted})
	if err != nil {
		return nil, fault.Busy() // full, or closed: every refused call would be a line in the log
	}
	p.ticket = ticket
	return p, nil
}

// submit queues a batch for the disk, and fails where too much waits for it.
func (s *Service) submit(ctx context.Context, b batch) (*groupcommit.Ticket[batch, struct{}], error) {
	positions := int64(len(b.positions))
	if s.unwritten.Add(positions) > maxPendingPositions {
		s.unwritten.Add(-positions)
		return nil, groupcommit.ErrFull
	}
	ticket, err := s.writer.Submit(ctx, b)
	if err != nil {
		s.unwritten.Add(-positions)
	}
	return ticket, err
}

// Wait returns the verdict once the accepted positions are on disk.
func (p *Pending) Wait(ctx context.Context) (Verdict, error) {
	if p.ticket != nil {
		if _, err := p.ticket.Wait(ctx); err != nil {
			return Verdict{}, fault.Down(err)
		}
	}
	return p.verdict, nil
}

// Then calls done with the verdict once the accepted positions are on disk. Done must not wait for anything.
func (p *Pending) Then(done func(Verdict, error)) {
	if p.ticket == nil {
		done(p.verdict, nil)
		return
	}
	p.ticket.Then(func(_ struct{}, err error) {
		if err != nil {
			done(Verdict{}, fault.Down(err))
			return
		}
		done(p.verdict, nil)
	})
}

// Publish is Submit and Wait in one.
func (s *Service) Publish(ctx context.Context, who auth.Identity, update Update) (Verdict, error) {
	pending, err := s.Submit(ctx, who, update)
	if err != nil {
		return Verdict{}, err
	}
	return pending.Wait(ctx)
}

func (s *Service) bounds() bounds {
	limit := bounds{now: s.options.Now()}
	if s.options.Retention > 0 {
		limit.earliest = limit.now.Add(-s.options.Retention).UnixMilli()
	}
	return limit
}

func driverOf(who auth.Identity) Driver {
	return Driver{DriverID: who.UserID, CompanyID: who.CompanyID, Username: who.Username}
}

// write is one commit of the group, or a few where there are very many positions. What has been stored when one fails counts as
// not stored: it is recognised when it is sent again.
func (s *Service) write(ctx context.Context, batches []batch) ([]struct{}, error) {
	total := 0
	for i := range batches {
		total += len(batches[i].positions)
	}
	defer s.unwritten.Add(-int64(total))
	for from := 0; from < len(batches); {
		positions := make([]Position, 0, min(total, maxPositionsPerCommit+MaxBatch))
		drivers := make([]Driver, 0, len(batches)-from)
		for from < len(batches) && len(positions) < maxPositionsPerCommit {
			positions = append(positions, batches[from].positions...)
			drivers = append(drivers, batches[from].driver)
			from++
		}
		if err := s.store.AppendPositions(ctx, positions, drivers); err != nil {
			s.log.ErrorContext(ctx, "positions not stored", "positions", len(positions), "error", err)
			return nil, err
		}
	}
	return make([]struct{}, len(batches)), nil
}

// Close writes what is pending; further updates are refused.
func (s *Service) Close(ctx context.Context) error { return s.writer.Close(ctx) }

// Retention is the policy by which positions are deleted.
func (s *Service) Retention() retention.Policy {
	return retention.Policy{
		What: "positions", Keep: s.options.Retention, Delete: s.store.DeletePositionsBefore,
		Now: s.options.Now, Logger: s.log,
	}
}
