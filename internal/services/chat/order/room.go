package order

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"rolecall/internal/roles"
)

// maxWaiting bounds the changes of a room that wait for earlier ones. What does not wait is read from the store in its turn.
const maxWaiting = 256

// room is how far a room's listeners here have been told.
type room struct {
	id roles.ChatRoom

	// users and used are the table's.
	users int
	used  time.Time

	holding chan struct{} // a token of whoever holds the room

	mu sync.Mutex
	// held is set while the room is read from the store: what comes waits.
	held bool
	// known is set where everybody here has been told of all changes up to told, and of none beyond it.
	known   bool
	told    int64
	waiting map[int64]*change
	again   bool // something that came could not wait
	inDoubt bool // something may have been written here that nobody knows of
	timer   *time.Timer
	closed  bool
}

// keep has a change wait, and reports false where too many do.
func (r *room) keep(came *change) bool {
	if len(r.waiting) >= maxWaiting {
		return false
	}
	if r.waiting == nil {
		r.waiting = make(map[int64]*change)
	}
	r.waiting[came.revision] = came
	return true
}

// next takes the change out of those that wait whose turn it is, nil for none. What has been told does not wait any more.
func (r *room) next() *change {
	if !r.known || r.held || len(r.waiting) == 0 {
		return nil
	}
	for revision := range r.waiting {
		if revision <= r.told {
			delete(r.waiting, revision)
		}
	}
	next := r.waiting[r.told+1]
	delete(r.waiting, r.told+1)
	return next
}

// lowest is the lowest revision of those that wait, 0 for none.
func (r *room) lowest() (lowest int64) {
	for revision := range r.waiting {
		if lowest == 0 || revision < lowest {
			lowest = revision
		}
	}
	return lowest
}

// hold has whatever comes wait, until letGo.
func (r *room) hold(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case r.holding <- struct{}{}:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = true
	return nil
}

// rooms are those of which something is known.
type rooms struct {
	most   int
	joined func(roles.ChatRoom) bool

	mu   sync.Mutex
	byID map[roles.ChatRoom]*room
}

func newRooms(most int, joined func(roles.ChatRoom) bool) *rooms {
	return &rooms{most: most, joined: joined, byID: make(map[roles.ChatRoom]*room)}
}

// acquire returns a room, which is not forgotten until it is released.
func (t *rooms) acquire(id roles.ChatRoom, now time.Time) *room {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := t.byID[id]
	if found == nil {
		if len(t.byID) >= t.most {
			t.makeSpace()
		}
		found = &room{id: id, holding: make(chan struct{}, 1)}
		t.byID[id] = found
	}
	found.users++
	found.used = now
	return found
}

// find is acquire for a room that is known, nil for others.
func (t *rooms) find(id roles.ChatRoom, now time.Time) *room {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := t.byID[id]
	if found != nil {
		found.users++
		found.used = now
	}
	return found
}

func (t *rooms) release(r *room) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.users--
}

// samples is how many rooms are looked at to forget one.
const samples = 16

// makeSpace forgets the room, of a few, in which nothing has happened for longest.
func (t *rooms) makeSpace() {
	var oldest *room
	looked := 0
	for _, r := range t.byID { // in no order
		if looked++; looked > samples {
			break
		}
		if (oldest == nil || r.used.Before(oldest.used)) && t.mayForget(r) {
			oldest = r
		}
	}
	if oldest != nil {
		delete(t.byID, oldest.id)
	}
}

// mayForget reports whether nobody works with the room or has joined it.
func (t *rooms) mayForget(r *room) bool {
	if r.users > 0 || t.joined(r.id) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.timer == nil && len(r.waiting) == 0
}

// forget lets go of rooms in which nothing has happened since a time.
func (t *rooms) forget(since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, r := range t.byID {
		if r.used.Before(since) && t.mayForget(r) {
			delete(t.byID, id)
		}
	}
}

// all lists the rooms.
func (t *rooms) all() []*room {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*room, 0, len(t.byID))
	for _, r := range t.byID {
		all = append(all, r)
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// close stops the timers.
func (t *rooms) close() {
	for _, r := range t.all() {
		r.mu.Lock()
		r.closed = true
		if r.timer != nil {
			r.timer.Stop()
			r.timer = nil
		}
		r.mu.Unlock()
	}
}
