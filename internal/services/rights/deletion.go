package rights

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/keylock"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/people"
	"rolecall/internal/text"
)

const (
	// settled is how long after its beginning a deletion is looked at for the last time: what was under way then is on disk.
	settled = time.Minute
	// lookEvery is how often deletions are looked for that are not finished.
	lookEvery = 30 * time.Second
	// patience is how long who asks for a deletion waits for its end.
	patience = 20 * time.Second
	// unfinished is how many deletions are looked at in one go.
	unfinished = 100
)

// Groups lets people leave groups.
type Groups interface {
	Remove(ctx context.Context, who auth.Identity, removal groups.Removal) (groups.Membership, error)
}

// Sessions refuses tokens.
type Sessions interface {
	// Refuse has the tokens of a user that were issued up to a time, Unix milliseconds, refused on every node, and ends the sockets that
	// came with one. It is kept already.
	Refuse(ctx context.Context, userID string, at int64)
}

// Dependencies are what a Service stands upon.
type Dependencies struct {
	Store     Store
	Chat      Chat
	Positions Positions
	Groups    Groups
	Sessions  Sessions
	// Forget has what is remembered of a person forgotten, on every node.
	Forget func(ctx context.Context, userID string)
	Export Exports
	Log    Log
}

// Log is the audit.
type Log interface {
	// Record writes a line down.
	Record(ctx context.Context, line audit.Line, since int64) (written audit.Line, replayed bool, err error)
}

// Options shapes a Service.
type Options struct {
	Now    func() time.Time
	Logger *slog.Logger
}

// Service lets people have what is kept of them, and takes it away.
type Service struct {
	Dependencies
	options Options
	erasing keylock.Mutex // of a user id: held while something of that person is taken away here
}

// New returns a Service.
func New(on Dependencies, options Options) *Service {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Service{Dependencies: on, options: options}
}

// Order asks to delete a person.
type Order struct {
	UserID string `json:"id" validate:"required,userid"`
	// Reason is for those who read the audit.
	Reason string `json:"reason" validate:"max=400"`
}

// DeleteSelf is Delete of the caller.
func (s *Service) DeleteSelf(ctx context.Context, who auth.Identity, _ struct{}) (Answer, error) {
	return s.begin(ctx, who, Order{UserID: who.UserID})
}

// Delete takes a person out of what is kept: their entry of the directory, marks, reactions, positions, inbox and blocks go, they leave
// their groups, their tokens are refused and their sockets closed at once. What they have said stays, as of DeletedName; so do
// their id, which is part of the ids of direct rooms, and the audit. It is done in parts while all else goes on, and finished after a
// stop. It fails with forbidden.
func (s *Service) Delete(ctx context.Context, who auth.Identity, order Order) (Answer, error) {
	if !who.Can(roles.DeletePeople) {
		return Answer{}, fault.New(fault.Forbidden, "Only admins delete others")
	}
	return s.begin(ctx, who, order)
}

func (s *Service) begin(ctx context.Context, who auth.Identity, order Order) (Answer, error) {
	deletion := Deletion{UserID: order.UserID, At: s.options.Now().UnixMilli()}
	line := audit.Line{
		At: instant.Stamp(deletion.At), Actor: audit.Actor{UserID: who.UserID, Username: who.Username},
		Action: audit.DeleteUser, Target: order.UserID, Detail: text.Trim(order.Reason),
	}
	if err := s.Store.BeginDeletion(ctx, deletion, line); err != nil {
		return Answer{}, err
	}
	answer := Answer{UserID: order.UserID, At: instant.Stamp(deletion.At)}
	s.Sessions.Refuse(ctx, deletion.UserID, deletion.At)
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.erase(waiting, deletion, false); err != nil && waiting.Err() == nil { // Run goes on, here or elsewhere
		s.options.Logger.ErrorContext(ctx, "deletion not done yet", "user", deletion.UserID, "error", err)
	}
	return answer, nil
}

// Run goes on with deletions that are not finished, until ctx ends. One of several servers does it.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := s.resume(ctx); err != nil && ctx.Err() == nil {
			s.options.Logger.ErrorContext(ctx, "deletions not finished", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// resume goes on with what is not finished. What has begun long enough ago is finished once nothing is left.
func (s *Service) resume(ctx context.Context) error {
	all, err := s.Store.Unfinished(ctx, unfinished)
	var failed error
	for _, deletion := range all {
		isSettled := s.options.Now().UnixMilli()-deletion.At >= settled.Milliseconds()
		s.Sessions.Refuse(ctx, deletion.UserID, deletion.At)
		err := s.erase(ctx, deletion, isSettled)
		if err == nil && isSettled {
			err = s.Store.FinishDeletion(ctx, deletion)
		}
		failed = errors.Join(failed, err)
	}
	return errors.Join(err, failed)
}

// erase takes away what is left of a person; the last time, that they were in rooms as well, by which these are found. Done again it
// goes over what is left.
func (s *Service) erase(ctx context.Context, deletion Deletion, isLast bool) error {
	defer s.erasing.Lock(deletion.UserID)()
	if err := s.leaveRooms(ctx, deletion, isLast); err != nil {
		return err
	}
	if err := until(ctx, func() (bool, error) { return s.Positions.EraseTrack(ctx, deletion) }); err != nil {
		return err
	}
	for _, part := range Parts() {
		if err := until(ctx, func() (bool, error) { return s.Store.Erase(ctx, deletion, part) }); err != nil {
			return err
		}
	}
	s.Forget(ctx, deletion.UserID)
	return nil
}

// until does something as long as there is more of it.
func until(ctx context.Context, do func() (more bool, err error)) error {
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if more, err = do(); err != nil {
			return err
		}
	}
	return nil
}

// leaveRooms has a person leave their groups, takes their name out of all rooms, and then has them belong to none.
func (s *Service) leaveRooms(ctx context.Context, deletion Deletion, isLast bool) error {
	rooms, err := s.Chat.RoomsOf(ctx, deletion.UserID)
	if err != nil {
		return err
	}
	leaving := auth.Identity{UserID: deletion.UserID, Username: DeletedName, Role: roles.Vendor}
	users, err := s.Export.People.Users(ctx, people.UserQuery{IDs: []string{deletion.UserID}}, "", 1)
	if err != nil {
		return err
	}
	if len(users) > 0 { // what they may no longer be found as, their groups are still told
		leaving.Role = users[0].Role
	}
	for _, group := range rooms.Groups {
		removal := groups.Removal{RoomID: group.String(), Members: []string{deletion.UserID}}
		if _, err := s.Groups.Remove(ctx, leaving, removal); err != nil && !fault.Is(err, fault.RoomForbidden) {
			return err
		}
	}
	for _, room := range rooms.All {
		after := int64(0)
		err := until(ctx, func() (more bool, err error) {
			after, err = s.Chat.EraseIn(ctx, deletion, room, after)
			return after > 0, err
		})
		if err != nil {
			return err
		}
	}
	return s.Chat.EraseStanding(ctx, deletion, isLast)
}
