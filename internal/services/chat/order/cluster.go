package order

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/keylock"
	"rolecall/internal/roles"
)

const (
	// DefaultGap is how long a missing change is waited for.
	DefaultGap = 75 * time.Millisecond
	// DefaultRetry is how long a store that has failed is left alone.
	DefaultRetry = time.Second
	// DefaultWindow is how far back changes are looked for in a room of which nothing is known here.
	DefaultWindow = 10 * time.Minute
	// DefaultMaxRooms bounds the rooms that are known, at some 200 bytes each, those apart that sockets here have joined.
	DefaultMaxRooms = 100_000
	// readers is how many rooms are read from the store at a time.
	readers = 8
	// lookAround is how often rooms are forgotten in which nothing has happened.
	lookAround = time.Minute
)

// Parts are what a Cluster stands upon.
type Parts struct {
	// Here sends to the sockets of this node alone.
	Here      Emitter
	Bus       Bus
	Log       Log
	Listeners Listeners
	// Beyond, if set, sends to those who are connected to none of these servers: each change that is made on this node, once,
	// when it is committed.
	Beyond Emitter
	// MembersChanged, if set, hears of rooms that have other members by now.
	MembersChanged func(room roles.ChatRoom)
	// Missed, if set, is called when what other nodes have told may have been missed.
	Missed func()
}

// Options shapes a Cluster. Zero values stand for the defaults.
type Options struct {
	Gap, Retry, Window time.Duration
	MaxRooms           int
	Now                func() time.Time
	Logger             *slog.Logger
}

func (o Options) withDefaults() Options {
	for _, set := range []struct {
		field *time.Duration
		value time.Duration
	}{{&o.Gap, DefaultGap}, {&o.Retry, DefaultRetry}, {&o.Window, DefaultWindow}} {
		if *set.field == 0 {
			*set.field = set.value
		}
	}
	if o.MaxRooms == 0 {
		o.MaxRooms = DefaultMaxRooms
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Cluster is the order of a server that is one of several over one store, each with listeners of its own. It implements
// chat.Order.
//
// A change has its revision from the store, whichever node has made it, and each node tells its own listeners of a room's
// changes one revision after the other. One that comes too early waits for those before it: for a moment they may still be on
// their way, then they are read from the store. What has been told is not told again. So it does not matter in which order
// changes come, how often, or whether: each that comes shows which are missing, and after a loss all rooms with listeners here
// are compared with the store.
//
// Who enters a room reads it up to a revision while its changes wait here. Those up to that revision which have not been told
// here, since they are still on their way from another node, are told to the others from the store before the newcomer stands
// among them; when they come they have been told. What another node commits after the reading has a higher revision. It is
// published after that commit, by when this node already listens to the room, and so comes, or is missed and found after the
// loss; and it is told behind the newcomer. Hence history and what is heard meet in that revision.
//
// Of a room that is not known, since nothing has happened there for long, it is not known either what has been told. A room is
// kept in mind for twice the window, and as long as somebody here has joined it: what has happened within the window in an
// unknown room has been told to nobody here, and is told before the change that has made it known.
type Cluster struct {
	Parts
	options Options
	log     *slog.Logger
	started time.Time

	held  keylock.Mutex // of a room: while a change of it is committed here, or somebody enters it
	rooms *rooms
	turns chan struct{} // a token for each who may read a room
	lost  chan struct{} // holds a token after a loss
	ctx   context.Context
	stop  context.CancelFunc

	mu      sync.Mutex // held while work begins
	working sync.WaitGroup
}

// NewCluster returns a running Cluster; Close stops it.
func NewCluster(parts Parts, options Options) *Cluster {
	options = options.withDefaults()
	c := &Cluster{
		Parts: parts, options: options, log: options.Logger, started: options.Now(),
		turns: make(chan struct{}, readers), lost: make(chan struct{}, 1),
	}
	c.rooms = newRooms(options.MaxRooms, func(room roles.ChatRoom) bool { return c.Listeners.Joined(room.Room()) })
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.Bus.Handle(kind, c.hear)
	c.Bus.Lost(c.miss)
	c.work(c.look)
	return c
}

// Close stops it. Nothing is told any more.
func (c *Cluster) Close() {
	c.mu.Lock()
	c.stop()
	c.mu.Unlock()
	c.rooms.close()
	c.working.Wait()
}

// work does something beside everything else, unless the end has come.
func (c *Cluster) work(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() == nil {
		c.working.Go(do)
	}
}

// Commit implements chat.Order. Those here are told when it returns, or will be as soon as they have been told of what came
// before; other nodes are not waited for.
func (c *Cluster) Commit(ctx context.Context, rooms []roles.ChatRoom, write func() ([]Delivery, error)) error {
	ids := make([]string, len(rooms))
	for i, room := range rooms {
		ids[i] = room.String()
	}
	defer c.held.Lock(ids...)()
	deliveries, err := write()
	if err != nil {
		c.doubt(rooms)
		return err
	}
	for made, err := range changesOf(deliveries) {
		if err != nil {
			c.log.ErrorContext(ctx, "change not told", "room", made.room, "error", err)
			continue
		}
		if len(made.told) == 0 {
			c.assure(&made)
			continue
		}
		c.publish(ctx, &made)
		c.offer(ctx, &made)
		c.tellBeyond(ctx, &made)
	}
	return nil
}

// assure has a room read that has come to a revision of which nobody here was told. It may be that nobody was anywhere: the
// change was written, and who wrote it did not learn that.
func (c *Cluster) assure(made *change) {
	room := c.rooms.acquire(made.room, c.options.Now())
	defer c.rooms.release(room)
	room.mu.Lock()
	defer room.mu.Unlock()
	if !room.known || room.told < made.revision {
		room.inDoubt = true
		c.readLater(room, c.options.Gap)
	}
}

func (c *Cluster) publish(ctx context.Context, made *change) {
	message, err := made.message()
	if err != nil {
		c.log.ErrorContext(ctx, "change not published", "room", made.room, "error", err)
		return
	}
	c.Bus.Publish(ctx, message)
}

func (c *Cluster) tellBeyond(ctx context.Context, made *change) {
	if c.Beyond == nil {
		return
	}
	for i := range made.told {
		told := &made.told[i]
		if len(told.to) > 0 {
			c.Beyond.Emit(ctx, told.event, told.payload, told.to, told.except...)
		}
	}
}

// doubt has rooms looked at after a write has failed: it may have been done all the same, as where the connection to the store
// breaks before the answer. Then it is told here, and to the others.
func (c *Cluster) doubt(rooms []roles.ChatRoom) {
	for _, id := range rooms {
		room := c.rooms.acquire(id, c.options.Now())
		room.mu.Lock()
		room.inDoubt = true
		c.readLater(room, c.options.Gap)
		room.mu.Unlock()
		c.rooms.release(room)
	}
}

// hear takes a change of another node.
func (c *Cluster) hear(ctx context.Context, message bus.Message) {
	came, err := decodeChange(message.Body)
	if err != nil {
		c.log.WarnContext(ctx, "what another node has told of a room was not taken", "node", message.Node, "error", err)
		return
	}
	if came.membersChanged && c.MembersChanged != nil {
		c.MembersChanged(came.room)
	}
	c.offer(ctx, &came)
}

// offer has a change told when it is its turn.
func (c *Cluster) offer(ctx context.Context, came *change) {
	room := c.rooms.find(came.room, c.options.Now())
	if room == nil {
		if !c.concerns(came) {
			return
		}
		room = c.rooms.acquire(came.room, c.options.Now())
	}
	defer c.rooms.release(room)
	room.mu.Lock()
	defer room.mu.Unlock()
	if came.revision == 1 {
		room.known = true
	}
	switch {
	case room.known && came.revision <= room.told:
	case room.known && !room.held && came.revision == room.told+1:
		c.tell(ctx, room, came)
		c.tellWaiting(ctx, room)
	case !room.keep(came):
		room.again = true
	case !room.held && room.known:
		c.readLater(room, c.options.Gap)
	case !room.held:
		c.readLater(room, 0)
	}
}

// concerns reports whether anybody here is told of a change.
func (c *Cluster) concerns(came *change) bool {
	for i := range came.told {
		for _, to := range came.told[i].to {
			if c.isHere(to) {
				return true
			}
		}
	}
	return false
}

func (c *Cluster) isHere(to roles.Room) bool {
	if userID, isUser := roles.UserAmong([]string{string(to)}); isUser {
		_, here := c.Listeners.Since(userID)
		return here
	}
	return c.Listeners.Joined(to)
}

// tell is called with the room locked.
func (c *Cluster) tell(ctx context.Context, room *room, made *change) {
	for i := range made.told {
		told := &made.told[i]
		if len(told.to) > 0 {
			c.Here.Emit(ctx, told.event, told.payload, told.to, told.except...)
		}
	}
	room.told = made.revision
}

// tellWaiting tells what has waited and is next, and has the rest wait for what is missing. It is called with the room locked.
func (c *Cluster) tellWaiting(ctx context.Context, room *room) {
	for next := room.next(); next != nil; next = room.next() {
		c.tell(ctx, room, next)
	}
	if len(room.waiting) > 0 || room.again {
		c.readLater(room, c.options.Gap)
	} else if room.timer != nil && !room.inDoubt {
		room.timer.Stop()
		room.timer = nil
	}
}

// Enter implements chat.Order.
func (c *Cluster) Enter(ctx context.Context, id roles.ChatRoom, read func() (revision int64, err error), enter func() error) error {
	defer c.held.Lock(id.String())()
	if id.Kind() == roles.OpenKind { // of the others nodes hear by their members
		defer c.Bus.Listen(ctx, id.Room())()
	}
	room := c.rooms.acquire(id, c.options.Now())
	defer c.rooms.release(room)
	if err := room.hold(ctx); err != nil {
		return err
	}
	defer c.letGo(ctx, room)
	revision, err := read()
	if err != nil {
		return err
	}
	if err := c.tellUpTo(ctx, room, revision); err != nil {
		return err
	}
	return enter()
}

// letGo has what waits told, and ends the holding of a room.
func (c *Cluster) letGo(ctx context.Context, room *room) {
	room.mu.Lock()
	defer room.mu.Unlock()
	room.held = false
	c.tellWaiting(ctx, room)
	<-room.holding
}

// everything is a revision beyond all.
const everything = math.MaxInt64
