package notices

import (
	"context"
	"errors"
	"slices"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// An inbox on connection takes account of exactly what the socket has heard before it. A socket hears changes, notices and
// their ends, in the order of their numbers, since one goroutine stores them and then tells them, one after the other;
// and told is the number of the last one. An inbox as of that number, sent while nothing is told, is therefore neither
// older than what the socket has heard nor newer: what is stored meanwhile has a higher number and is not in it, however
// far its commit has come, and is told after it. The numbers of unread notices are told in the same way.
//
// Nothing waits for the disk with the lock: not the one who tells, who has committed before, and not the one who greets,
// who reads first and then makes sure that nothing has been told since. Only where that fails again and again the inbox is
// read while nothing can be told.
//
// Most who connect have nothing unread. That is known without a look at the store: from live, which is changed only where
// changes are told, and a mark that was read before. A change that another node makes is read from the store and told here
// like one of this node, in the order of the numbers: told and live speak of what the sockets here have heard, wherever it was
// stored. A mark that another node has moved since is a lower one, which costs a look at the store and no more.
const greetAttempts = 3

type retractEvent struct {
	ID string `json:"id"`
}

// Retract takes a notice back from every inbox and screen.
func (s *Service) Retract(ctx context.Context, who auth.Identity, id string) error {
	if !who.Can(roles.Broadcast) {
		return fault.New(fault.Forbidden, "Only admins retract notices")
	}
	now := s.now()
	_, err := s.change(ctx, Change{
		Retract: id, At: now.UnixMilli(), Line: lineOf(who, audit.RetractNotice, id, "", now),
	})
	if errors.Is(err, ErrNoSuchNotice) {
		return unknownNotice()
	}
	return err
}

// change has a change stored and told.
func (s *Service) change(ctx context.Context, asked Change) (Changed, error) {
	ticket, err := s.writer.Submit(ctx, asked)
	if err != nil {
		return Changed{}, fault.Busy() // full, or closed: every refused call would be a line in the log
	}
	changed, err := ticket.Wait(ctx)
	if err != nil {
		return Changed{}, fault.Down(err)
	}
	return changed, changed.Err
}

// commit stores changes in one transaction and then tells them.
func (s *Service) commit(ctx context.Context, changes []Change) ([]Changed, error) {
	changed, err := s.store.Apply(ctx, changes)
	if err != nil {
		s.log.ErrorContext(ctx, "notices not stored", "changes", len(changes), "error", err)
		return nil, err
	}
	if s.nodes != nil {
		s.tellCommitted(ctx, changes, changed)
	}
	for i := range changed {
		if changed[i].Seq == 0 {
			continue
		}
		past := pastOf(&changes[i], &changed[i])
		if s.nodes == nil {
			s.tell(ctx, past)
		}
		if s.beyond != nil {
			tellBy(ctx, s.beyond, past)
		}
	}
	return changed, nil
}

// pastOf is a change that has just been made.
func pastOf(asked *Change, changed *Changed) *Past {
	past := &Past{
		Seq: changed.Seq, Notice: changed.Notice, Rooms: changed.Rooms, Ended: changed.Ended, Newest: changed.Newest,
	}
	if asked.Create != nil {
		past.Rooms = asked.Create.Rooms
	}
	return past
}

func (s *Service) tell(ctx context.Context, changed *Past) {
	s.telling.Lock()
	defer s.telling.Unlock()
	tellBy(ctx, s.emit, changed)
	if changed.Ended == 0 {
		s.live.raise(changed.Rooms, changed.Seq)
		if changed.Notice.ExpiresAt != 0 {
			s.lookSooner()
		}
	} else {
		s.live.lower(changed.Ended, changed.Newest)
		if s.online != nil {
			s.recounts.add(changed.Rooms, changed.Ended)
		}
	}
	s.told = changed.Seq
}

// tellBy sends a change to whom an emitter reaches.
func tellBy(ctx context.Context, emit Emitter, changed *Past) {
	if changed.Ended == 0 {
		tellNotice(ctx, emit, changed.Notice, changed.Rooms)
		return
	}
	emit.Emit(ctx, EventRetract, retractEvent{ID: changed.Notice.ID}, changed.Rooms)
}

// tellNotice sends a notice to its audience: with the audience to the sockets of those who see it, without it to the
// others. Each socket stands in the room of one role, so that it hears one of the two.
func tellNotice(ctx context.Context, emit Emitter, notice Notice, rooms []roles.Room) {
	var seeing, others []roles.Room
	for _, role := range roles.All() {
		if seesAudiences(role) {
			seeing = append(seeing, roles.RoleRoom(role))
		} else {
			others = append(others, roles.RoleRoom(role))
		}
	}
	if to := without(rooms, others); len(to) > 0 {
		emit.Emit(ctx, EventNotice, notice, to, others...)
	}
	if to := without(rooms, seeing); len(to) > 0 {
		emit.Emit(ctx, EventNotice, notice.withoutAudience(), to, seeing...)
	}
}

// without is the rooms but for those that are left out.
func without(rooms, left []roles.Room) []roles.Room {
	kept := make([]roles.Room, 0, len(rooms))
	for _, room := range rooms {
		if !slices.Contains(left, room) {
			kept = append(kept, room)
		}
	}
	return kept
}

// Greet hands a caller's inbox to send. It takes account of all that anybody was told before, on whichever node. Whatever send emits comes behind every notice and retraction that the inbox takes
// account of, and before every later one.
func (s *Service) Greet(ctx context.Context, who auth.Identity, send func(Inbox) error) error {
	if !who.Can(roles.ReadInbox) {
		return noInbox()
	}
	if s.nodes != nil {
		if err := s.catchUp(ctx); err != nil {
			return err
		}
	}
	reader := s.reader(ctx, who)
	read, _ := s.marks.Peek(who.UserID)
	var inbox Inbox
	return s.asOfTold(func(told int64) (err error) {
		if inbox = (Inbox{Notices: []Notice{}}); !s.live.above(reader.Rooms, read.upTo) {
			return nil
		}
		// Whether a notice has ended is asked of the order, not of the clock: its end is a change, told like the others. Only
		// what should have ended long ago, and has not for want of a disk that takes it, is left out.
		overdue := s.now().Add(-endPatience).UnixMilli()
		inbox, err = s.inbox(ctx, who, InboxPage{Reader: reader, Now: overdue, AsOf: told, Limit: DefaultPage})
		return err
	}, func() error { return send(inbox) })
}

// asOfTold has something read as of the change told last, and sent before another one is told.
func (s *Service) asOfTold(read func(told int64) error, send func() error) error {
	for range greetAttempts {
		told := s.lastTold()
		if err := read(told); err != nil {
			return err
		}
		if sent, err := s.sendAsOf(told, send); sent {
			return err
		}
	}
	s.telling.RLock()
	defer s.telling.RUnlock()
	if err := read(s.told); err != nil {
		return err
	}
	return send()
}

func (s *Service) lastTold() int64 {
	s.telling.RLock()
	defer s.telling.RUnlock()
	return s.told
}

// sendAsOf sends unless something has been told since.
func (s *Service) sendAsOf(told int64, send func() error) (sent bool, err error) {
	s.telling.RLock()
	defer s.telling.RUnlock()
	if s.told != told {
		return false, nil
	}
	return true, send()
}
