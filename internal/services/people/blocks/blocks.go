package blocks

import (
	"context"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
)

const (
	// EventBlocked tells a user's sockets that they have blocked somebody, or no longer do.
	EventBlocked = "people:blocked"
	// MaxBlocked is how many people a person blocks at most.
	MaxBlocked = 1000
	// DefaultPage is the size of a page of them, in people.
	DefaultPage = 100
	// MaxPage is the largest page.
	MaxPage = 500
)

// People knows who is who, and tells who is there.
type People interface {
	// Lookup returns a person as the caller sees them. It fails with not_found.
	Lookup(ctx context.Context, who auth.Identity, userID string) (people.Person, error)
	// TellHidden tells somebody, who may know whether a person is there, that they have gone; TellShown the opposite.
	TellHidden(ctx context.Context, userID, from string) error
	TellShown(ctx context.Context, userID, to string) error
}

// Emitter sends an event to every socket in any of the rooms, once each.
type Emitter interface {
	Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room)
}

// Parts are what a Service stands upon.
type Parts struct {
	Store  Store
	People People
	Emit   Emitter
}

// Service lets people block one another. Whoever is blocked is not told, and can find out only by what does not come: what they
// write directly is theirs alone, and the one who has blocked them looks to them like somebody who is not there.
type Service struct {
	Parts
	now func() time.Time
}

// New returns a Service. A nil clock is time.Now.
func New(parts Parts, now func() time.Time) *Service {
	if now == nil {
		now = time.Now
	}
	return &Service{Parts: parts, now: now}
}

// Whom names somebody.
type Whom struct {
	UserID string `json:"userId" validate:"required,userid"`
}

// MayLackBody tells the REST door that the path says it all.
func (Whom) MayLackBody() {}

// blockedEvent is EventBlocked.
type blockedEvent struct {
	UserID  string `json:"userId"`
	Blocked bool   `json:"blocked"`
}

// Block has the caller block somebody, of whom they need not know anything; that they do already is no failure. It fails with
// forbidden for a role that cannot chat, and for admins that the caller finds: these have to be heard; with invalid_payload for
// the caller, and too_large beyond MaxBlocked.
func (s *Service) Block(ctx context.Context, who auth.Identity, whom Whom) (Block, error) {
	switch {
	case !who.Can(roles.Chat):
		return Block{}, fault.New(fault.Forbidden, "This role cannot chat")
	case whom.UserID == who.UserID:
		return Block{}, fault.Invalid("userId", "Nobody blocks themselves")
	}
	person, err := s.People.Lookup(ctx, who, whom.UserID)
	switch {
	case err != nil && !fault.Is(err, fault.NotFound):
		return Block{}, err
	case err == nil && person.Role == roles.Admin:
		return Block{}, fault.New(fault.Forbidden, "Admins cannot be blocked; mute the conversation to be left alone")
	}
	block := Block{UserID: whom.UserID, At: instant.Stamp(s.now().UnixMilli())}
	block, made, full, err := s.Store.Block(ctx, who.UserID, block, MaxBlocked)
	switch {
	case err != nil:
		return Block{}, err
	case full:
		return Block{}, fault.Newf(fault.TooLarge, "A person blocks at most %d others", MaxBlocked)
	case made:
		s.tell(ctx, who, whom, true)
		err = s.People.TellHidden(ctx, who.UserID, whom.UserID)
	}
	return block, err
}

// Unblock ends that; where there is nothing to end it is done already. What was written meanwhile stays with who has written it.
func (s *Service) Unblock(ctx context.Context, who auth.Identity, whom Whom) error {
	was, err := s.Store.Unblock(ctx, who.UserID, whom.UserID)
	if err != nil || !was {
		return err
	}
	s.tell(ctx, who, whom, false)
	return s.People.TellShown(ctx, who.UserID, whom.UserID)
}

func (s *Service) tell(ctx context.Context, who auth.Identity, whom Whom, blocked bool) {
	s.Emit.Emit(ctx, EventBlocked, blockedEvent{whom.UserID, blocked}, []roles.Room{roles.UserRoom(who.UserID)})
}

// List returns a page of those whom the caller has blocked, in the order of user id, and the cursor of the next page or "".
func (s *Service) List(ctx context.Context, who auth.Identity, at page.Request) (blocked []Block, next string, err error) {
	after, err := page.Blocks.ParseText(at.Cursor)
	if err != nil {
		return nil, "", err
	}
	size := page.Size(at.Limit, DefaultPage, MaxPage)
	blocked, err = s.Store.Blocked(ctx, who.UserID, after, size+1)
	if err != nil {
		return nil, "", err
	}
	blocked, next = page.Cut(blocked, size, func(last Block) string { return page.Blocks.Text(last.UserID) })
	return blocked, next, nil
}
