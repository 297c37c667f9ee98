package people

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/keylock"
	"rolecall/internal/roles"
)

// The events about who is there.
const (
	EventOnline  = "presence:online"
	EventOffline = "presence:offline"
	EventChanges = "presence:changes"
	EventList    = "presence:list"
)

// Emitter sends an event to every socket in any of the rooms, once each, but for sockets in one of the except rooms.
type Emitter interface {
	Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room)
}

// Sockets knows who is online, on whichever node.
type Sockets interface {
	// Online tells which of the users are online: who has a socket here, and of the others who was told to be.
	Online(ctx context.Context, userIDs ...string) (map[string]bool, error)
	// Shared says whether Online and UsersIn know now what was told by all servers. If not, the caller knows best of whom it has told.
	Shared() bool
	// Settle says of users whether they are online, and as whom that was told last, by whichever node. Where that differs, or is not
	// certain, the caller alone is to tell of it, and calls done when it has.
	Settle(ctx context.Context, people ...bus.Settling) (settled []bus.Settled, done func(), err error)
	// Enlist has people be online to all servers who have come here, before it is told.
	Enlist(people ...bus.Settling)
	// ToldAs says as whom users were told to be online, see Settle. Who was not, or it is not known of, is left out.
	ToldAs(ctx context.Context, userIDs ...string) (map[string]string, error)
	// UsersIn lists users who are online in any of the rooms, each once and at most limit of them.
	UsersIn(ctx context.Context, limit int, rooms ...roles.Room) ([]string, error)
}

// Watcher is told when a person comes online and goes offline, each time in turn. Of several nodes the one where they are
// connected tells its own.
type Watcher interface {
	CameOnline(ctx context.Context, who auth.Identity)
	WentOffline(ctx context.Context, who auth.Identity)
}

// Mover is a Watcher that hears as well when somebody has no socket here any more and is still online on another node.
type Mover interface {
	WentElsewhere(ctx context.Context, who auth.Identity)
}

// Options shapes a Service.
type Options struct {
	Now    func() time.Time
	Logger *slog.Logger
	// Drivers hears of the drivers among those who come and go.
	Drivers Watcher
	// Grace is how long somebody still counts as online who has no socket any more, so that nobody is told of a connection that breaks
	// and is there again; 0 for not at all. Here, needed with it, says whether somebody has a socket on this server that has been let in.
	Grace time.Duration
	Here  func(userID string) bool
	// Nodes, where it is set, are other servers of the same people.
	Nodes Nodes
	// Blocks, where it is set, knows who has blocked whom.
	Blocks Blocks
	// Messaging is who may write to whom, and Finding who finds whom: of those who are both, strangers find the name and role.
	Messaging roles.Messaging
	Finding   roles.Finding
	// Every is how often comings and goings are told, at most: what is true then is told, where that is not what was told
	// last. After a quiet time they are told at once. 0 stands for DefaultEvery; a negative one tells each at once.
	Every time.Duration
	// SaveDelay is how long what was seen of people gathers before it is written, unless it is asked for. 0 stands for
	// DefaultSaveDelay; a negative one writes at once.
	SaveDelay time.Duration
	// Shared says that other servers have the same store: who is seen for the first time is then written at once.
	Shared bool
}

// maxPeers bounds how many conversation partners hear that someone has come or gone.
const maxPeers = 500

// Service knows who is who and who is online.
type Service struct {
	seen          *seen
	newcomers     *newcomers
	conversations Conversations
	blocks        Blocks
	emit          Emitter
	sockets       Sockets
	options       Options
	log           *slog.Logger

	searching keylock.Mutex   // of a user id: held while that person searches
	importing sync.Mutex      // held while an import writes
	importers map[string]bool // who has an import under way; mu guards it

	rounds sync.Mutex   // held while one round finds out and tells what has changed
	told   atomic.Int64 // rounds that had something to tell, here or on another node, counted before they tell it
	armed  sync.WaitGroup

	mu       sync.Mutex
	known    map[string]*known // by user id
	due      []*known          // who awaits the next round, in the order in which they came or went
	taken    []*known          // by the round that is under way
	leaving  []*known          // who has lost a socket, and may be back within the grace, in no particular order
	next     *time.Timer       // begins the next round; nil where there is nothing to tell
	nextAt   time.Time
	underway bool                // a round is
	last     time.Time           // when the last round ended
	closed   bool                // every change is told at once
	owed     map[string]change   // by user id: what those who share a conversation are still to be told
	met      map[string][]string // by user id: with whom they may share a conversation since a moment ago
	meeting  bool                // somebody is about to tell those
	rolls    *simplelru.LRU[roles.Room, *roll]
	online   map[roles.Role]int // how many of the known are, as others were told
}

// New returns a Service; Close stops it.
func New(store Store, conversations Conversations, emit Emitter, sockets Sockets, options Options) *Service {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Every == 0 {
		options.Every = DefaultEvery
	}
	s := &Service{
		seen: newSeen(store, options.SaveDelay, options.Logger), conversations: conversations, emit: emit, sockets: sockets,
		options: options, log: options.Logger, known: make(map[string]*known), online: make(map[roles.Role]int), owed: make(map[string]change),
		met: make(map[string][]string),
	}
	if s.blocks = options.Blocks; s.blocks == nil {
		s.blocks = nobodyBlocks{}
	}
	s.importers = make(map[string]bool)
	if options.Shared {
		s.newcomers = newNewcomers(s.seen)
	}
	s.rolls, _ = simplelru.NewLRU[roles.Room, *roll](maxRolls, nil) // it fails for a size that is not positive alone
	if options.Nodes != nil {
		options.Nodes.Handle(kindTelling, s.hearRound)
	}
	return s
}

// OnlineByRole counts the people who are online, as others were last told.
func (s *Service) OnlineByRole() map[roles.Role]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.online)
}

// Introduce has the directory know people who have not been here yet, so that others find them. Of who has been here it
// changes nothing but, where they are another now, name, role and company.
func (s *Service) Introduce(ctx context.Context, newcomers []auth.Identity) error {
	users, now := make([]User, len(newcomers)), s.options.Now().UnixMilli()
	for i := range newcomers {
		who := &newcomers[i]
		users[i] = User{UserID: who.UserID, Username: who.Username, Role: who.Role, CompanyID: who.CompanyID, SaidAt: now}
	}
	return s.seen.store.SaveUsers(ctx, users)
}
