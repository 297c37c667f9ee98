package notices

import (
	"context"
	"errors"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// An inbox on connection takes account of exactly what the socket has heard before it. A socket hears changes, notices and
// retractions, in the order of their numbers, since one goroutine stores them and then tells them, one after the other;
// and told is the number of the last one. An inbox as of that number, sent while nothing is told, is therefore neither
// older than what the socket has heard nor newer: what is stored meanwhile has a higher number and is not in it, however
// far its commit has come, and is told after it.
//
// Nothing waits for the disk with the lock: not the one who tells, who has committed before, and not the one who greets,
// who reads first and then makes sure that nothing has been told since. Only where that fails again and again the inbox is
// read while nothing can be told.
const greetAttempts = 3

type retractEvent struct {
	ID string `json:"id"`
}

// Retract takes a notice back from every inbox and screen.
func (s *Service) Retract(ctx context.Context, who auth.Identity, id string) error {
	if !who.Can(roles.Broadcast) {
		return fault.New(fault.Forbidden, "Only admins retract notices")
	}
	_, err := s.change(ctx, Change{Retract: id, At: s.now().UnixMilli()})
	if errors.Is(err, ErrNoSuchNotice) {
		return unknownNotice()
	}
	return err
}

// change has a change stored and told.
func (s *Service) change(ctx context.Context, asked Change) (Changed, error) {
	ticket, err := s.writer.Submit(asked)
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
	for i := range changed {
		if changed[i].Seq != 0 {
			s.tell(ctx, &changes[i], &changed[i])
		}
	}
	return changed, nil
}

func (s *Service) tell(ctx context.Context, asked *Change, changed *Changed) {
	s.telling.Lock()
	defer s.telling.Unlock()
	if asked.Create != nil {
		s.emit.Emit(ctx, EventNotice, changed.Notice, asked.Create.Rooms)
	} else {
		s.emit.Emit(ctx, EventRetract, retractEvent{ID: asked.Retract}, changed.Rooms)
	}
	s.told = changed.Seq
}

// Greet hands a caller's inbox to send. Whatever send emits comes behind every notice and retraction that the inbox takes
// account of, and before every later one.
func (s *Service) Greet(ctx context.Context, who auth.Identity, send func(Inbox) error) error {
	for range greetAttempts {
		told := s.lastTold()
		inbox, err := s.inbox(ctx, who, InboxQuery{}, told)
		if err != nil {
			return err
		}
		if sent, err := s.sendAsOf(told, inbox, send); sent {
			return err
		}
	}
	s.telling.RLock()
	defer s.telling.RUnlock()
	inbox, err := s.inbox(ctx, who, InboxQuery{}, s.told)
	if err != nil {
		return err
	}
	return send(inbox)
}

func (s *Service) lastTold() int64 {
	s.telling.RLock()
	defer s.telling.RUnlock()
	return s.told
}

// sendAsOf sends an inbox unless something has been told since.
func (s *Service) sendAsOf(told int64, inbox Inbox, send func(Inbox) error) (sent bool, err error) {
	s.telling.RLock()
	defer s.telling.RUnlock()
	if s.told != told {
		return false, nil
	}
	return true, send(inbox)
}
