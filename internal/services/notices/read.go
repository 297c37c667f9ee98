package notices

import (
	"context"
	"errors"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// Reading names the notices of one's inbox that are read: one, several, or all that there are.
type Reading struct {
	ID  string   `json:"id" validate:"max=64"`
	IDs []string `json:"ids" validate:"max=500,dive,required,max=64"`
	All bool     `json:"all"`
}

// check reports a reading that names its notices in no way or in several.
func (r Reading) check() error {
	ways := 0
	for _, named := range []bool{r.ID != "", len(r.IDs) > 0, r.All} {
		if named {
			ways++
		}
	}
	if ways != 1 {
		return fault.Invalid("id", "Name one notice by id, several by ids, or all of them by all: true")
	}
	return nil
}

// unreadEvent tells a user's sockets how many notices are unread.
type unreadEvent struct {
	Unread int `json:"unread"`
}

// MarkRead marks notices of the caller's inbox as read, tells all of the caller's sockets how many stay unread, and
// returns that. All means those that had been told to the caller's sockets by then. It fails with not_found where none of
// the ids is a notice addressed to the caller, and with conflict where more than MaxReadAhead notices would be read beyond
// the oldest unread one, of which all is the way out.
func (s *Service) MarkRead(ctx context.Context, who auth.Identity, reading Reading) (unread int, err error) {
	if !who.Can(roles.ReadInbox) {
		return 0, fault.New(fault.Forbidden, "This role has no inbox")
	}
	if err := reading.check(); err != nil {
		return 0, err
	}
	asked := Marking{Reader: s.reader(ctx, who), IDs: reading.IDs}
	if reading.ID != "" {
		asked.IDs = []string{reading.ID}
	}
	// One after the other for each person, so that the number told last is that of the last reading.
	defer s.marking.Lock(who.UserID)()
	if reading.All {
		asked.UpTo = s.lastTold()
	}
	mark, matched, err := s.store.MarkNoticesRead(ctx, asked)
	switch {
	case errors.Is(err, ErrTooFarAhead):
		return 0, fault.New(fault.Conflict, "Too many notices are read beyond the oldest unread one: read that first, or all")
	case err != nil:
		return 0, err
	case matched == 0 && !reading.All:
		return 0, unknownNotice()
	}
	s.remember(who, mark.UpTo)
	s.publishReading(ctx, who, mark.UpTo)
	unread, err = s.tellUnread(ctx, who, mark.UpTo)
	if err == nil && s.beyond != nil {
		s.beyond.Emit(ctx, EventUnread, unreadEvent{Unread: unread}, []roles.Room{roles.UserRoom(who.UserID)})
	}
	return unread, err
}

// tellUnread tells all of the caller's sockets how many notices are unread, as of what they have been told.
func (s *Service) tellUnread(ctx context.Context, who auth.Identity, readUpTo int64) (unread int, err error) {
	err = s.asOfTold(func(told int64) error {
		unread = 0
		if !s.live.above(who.Rooms(), readUpTo) {
			return nil
		}
		unread, err = s.store.Unread(ctx, Reader{UserID: who.UserID, Rooms: who.Rooms()}, told, 0)
		return err
	}, func() error {
		s.emit.Emit(ctx, EventUnread, unreadEvent{Unread: unread}, []roles.Room{roles.UserRoom(who.UserID)})
		return nil
	})
	return unread, err
}

// reader is the caller as the store knows them. Somebody seen for the first time begins with the notices of the last while
// unread, and not with all that ever was; where that cannot be written down, they have all of them for this time.
func (s *Service) reader(ctx context.Context, who auth.Identity) Reader {
	reader := Reader{UserID: who.UserID, Rooms: who.Rooms()}
	known, ok := s.marks.Get(who.UserID)
	if ok && !known.unwritten {
		if known.role != who.Role || known.companyID != who.CompanyID {
			s.remember(who, known.upTo)
		}
		return reader
	}
	begun, err := s.store.Begin(ctx, who.UserID, s.now().Add(-s.backlog).UnixMilli())
	if err != nil {
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "reader not begun", "user", who.UserID, "error", err)
		}
		if !ok { // so that they are told how many are left when some have ended
			s.marks.Add(who.UserID, mark{role: who.Role, companyID: who.CompanyID, unwritten: true})
		}
		return reader
	}
	s.remember(who, begun.UpTo)
	return reader
}

// DefaultBacklog is Options.Backlog where nothing else is said.
const DefaultBacklog = 7 * 24 * time.Hour
