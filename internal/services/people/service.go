package people

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/keylock"
	"rolecall/internal/page"
	"rolecall/internal/roles"
)

// The events about who is there.
const (
	EventOnline  = "presence:online"
	EventOffline = "presence:offline"
	EventList    = "presence:list"
)

// Emitter sends an event to every socket in any of the rooms, once each, but for sockets in one of the except rooms.
type Emitter interface {
	Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room)
}

// Sockets knows who is online, on whichever node. It is the only source of that: nothing is counted twice.
type Sockets interface {
	// Online tells which of the users are online.
	Online(ctx context.Context, userIDs ...string) (map[string]bool, error)
	// UsersIn lists users who are online with a socket in any of the rooms, each once and at most limit of them.
	UsersIn(ctx context.Context, limit int, rooms ...roles.Room) ([]string, error)
}

// Watcher is told when a person comes online and goes offline, each time in turn.
type Watcher interface {
	CameOnline(ctx context.Context, who auth.Identity)
	WentOffline(ctx context.Context, who auth.Identity)
}

// Options shapes a Service.
type Options struct {
	Now    func() time.Time
	Logger *slog.Logger
	// Drivers hears of the drivers among those who come and go.
	Drivers Watcher
	// Hold is how long further changes of a person are held back after one was told. What is true then is told, where
	// that is not what was told last. 0 stands for DefaultHold; a negative one holds nothing back.
	Hold time.Duration
	// SaveDelay is how long what was seen of people gathers before it is written, unless it is asked for. 0 stands for
	// DefaultSaveDelay; a negative one writes at once.
	SaveDelay time.Duration
}

const (
	// maxPeers bounds how many conversation partners hear that someone has come or gone.
	maxPeers = 500
	// maxListed bounds presence:list.
	maxListed = 500
	// DefaultPage is the size of a directory page, in people.
	DefaultPage = 50
	// MaxPage is the largest directory page, in people.
	MaxPage = 500
)

// Service knows who is who and who is online.
type Service struct {
	seen          *seen
	conversations Conversations
	emit          Emitter
	sockets       Sockets
	options       Options
	log           *slog.Logger

	telling keylock.Mutex // of a user id: held while something about that person is found out and told

	mu     sync.Mutex
	known  map[string]*known // by user id; what is in it is guarded by telling
	here   map[string]User   // those who were told to be online, by user id
	closed bool              // nothing is held back any more
	holds  sync.WaitGroup    // the timers of those of whom something was told just now
}

// New returns a Service; Close stops it.
func New(store Store, conversations Conversations, emit Emitter, sockets Sockets, options Options) *Service {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Hold == 0 {
		options.Hold = DefaultHold
	}
	return &Service{
		seen: newSeen(store, options.SaveDelay, options.Logger), conversations: conversations, emit: emit, sockets: sockets, options: options, log: options.Logger,
		known: make(map[string]*known), here: make(map[string]User),
	}
}

// Person is an entry of the directory as clients see it.
type Person struct {
	UserID    string     `json:"userId"`
	Username  string     `json:"username"`
	Role      roles.Role `json:"role"`
	CompanyID string     `json:"companyId,omitempty"`
	Online    bool       `json:"online"`
	// LastSeen is when the person last came or went, Unix milliseconds; who comes and goes within Options.Hold may have
	// been seen that much later.
	LastSeen int64 `json:"lastSeen"`
}

// Directory returns a page of people and the cursor of the next page or "".
func (s *Service) Directory(
	ctx context.Context, who auth.Identity, query UserQuery, at page.Request,
) (people []Person, next string, err error) {
	if !who.Can(roles.ReadDirectory) {
		return nil, "", fault.New(fault.Forbidden, "This role cannot look people up")
	}
	after, err := page.Users.ParseText(at.Cursor)
	if err != nil {
		return nil, "", err
	}
	size := page.Size(at.Limit, DefaultPage, MaxPage)
	users, err := s.seen.users(ctx, query, after, size+1)
	if err != nil {
		return nil, "", err
	}
	size = page.Fit(users, size, userBytes)
	users, next = page.Cut(users, size, func(last User) string { return page.Users.Text(last.UserID) })
	people, err = s.withOnline(ctx, users)
	if err != nil {
		return nil, "", err
	}
	return people, next, nil
}

// userBytes is about what a person takes as JSON.
func userBytes(user User) int {
	const rest = 120 // names of members, the role, times
	return rest + len(user.UserID) + len(user.CompanyID) + page.TextBytes(user.Username)
}

// Lookup returns one person.
func (s *Service) Lookup(ctx context.Context, who auth.Identity, userID string) (Person, error) {
	people, _, err := s.Directory(ctx, who, UserQuery{IDs: []string{userID}}, page.Request{Limit: 1})
	switch {
	case err != nil:
		return Person{}, err
	case len(people) == 0:
		return Person{}, fault.New(fault.NotFound, "There is no such person")
	}
	return people[0], nil
}

// RoleOf returns a person's role; known is false for someone the server has never seen.
func (s *Service) RoleOf(ctx context.Context, userID string) (roles.Role, bool, error) {
	return s.seen.roleOf(ctx, userID)
}

// Around lists those whose coming and going the caller is told of: for admins everyone, for others their company and
// their conversations; online people only, at most 500. It costs what those cost, however many there are who are not
// online.
func (s *Service) Around(ctx context.Context, who auth.Identity) ([]Person, error) {
	if !who.Can(roles.ReadDirectory) {
		return nil, fault.New(fault.Forbidden, "This role cannot look people up")
	}
	online, err := s.onlineAround(ctx, who)
	if err != nil {
		return nil, fmt.Errorf("who is online: %w", err)
	}
	users, others := s.amongThoseHere(online)
	if len(others) > 0 { // no ids would be no condition
		found, err := s.seen.stored(ctx, others)
		if err != nil {
			return nil, err
		}
		users = append(users, found...)
	}
	slices.SortFunc(users, func(a, b User) int { return strings.Compare(a.UserID, b.UserID) })
	return persons(users, online), nil
}

// amongThoseHere finds those who were told to be online. The others have just connected, or to another node.
func (s *Service) amongThoseHere(userIDs map[string]bool) (here []User, others []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	here = make([]User, 0, len(userIDs))
	for userID := range userIDs {
		if user, is := s.here[userID]; is {
			here = append(here, user)
		} else {
			others = append(others, userID)
		}
	}
	return here, others
}

// onlineAround finds up to maxListed people, those of the caller's conversations first.
func (s *Service) onlineAround(ctx context.Context, who auth.Identity) (map[string]bool, error) {
	var peers []string
	var others []roles.Room
	switch {
	case who.Role == roles.Admin:
		others = roles.Everyone()
	case who.CompanyID != "":
		others = []roles.Room{roles.CompanyRoom(who.CompanyID)}
	}
	if who.Role != roles.Admin {
		var err error
		if peers, err = s.conversations.Peers(ctx, who.UserID, maxPeers); err != nil {
			return nil, err
		}
	}
	online, err := s.sockets.Online(ctx, peers...)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(online, func(_ string, is bool) bool { return !is })
	found, err := s.sockets.UsersIn(ctx, maxListed+1, others...) // the caller is among them
	if err != nil {
		return nil, err
	}
	for _, userID := range found {
		if len(online) < maxListed && userID != who.UserID {
			online[userID] = true
		}
	}
	return online, nil
}

// withOnline are users as clients see them.
func (s *Service) withOnline(ctx context.Context, users []User) ([]Person, error) {
	ids := make([]string, len(users))
	for i, user := range users {
		ids[i] = user.UserID
	}
	online, err := s.sockets.Online(ctx, ids...)
	if err != nil {
		return nil, fmt.Errorf("who is online: %w", err)
	}
	return persons(users, online), nil
}

func persons(users []User, online map[string]bool) []Person {
	people := make([]Person, 0, len(users))
	for _, user := range users {
		people = append(people, Person{
			UserID: user.UserID, Username: user.Username, Role: user.Role, CompanyID: user.CompanyID,
			Online: online[user.UserID], LastSeen: user.LastSeen,
		})
	}
	return people
}
