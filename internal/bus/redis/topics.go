package redis

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// topics are what a lane is to hear: the rooms in which sockets stand here, and those that are held.
type topics struct {
	lane *lane
	wake chan struct{} // holds a token while something is to be subscribed to

	mu    sync.Mutex
	rooms map[string]*topic
	dirty []string // are not heard, and may be wanted
	stale []string // are heard, and may be wanted no longer
	up    bool     // a connection follows
}

// topic is one room. It is forgotten when nobody wants it and it is not heard.
type topic struct {
	held  int  // how often
	dirty bool // is in one of the lists
	heard bool // messages published from now on come
	late  bool // somebody went on without hearing it
	// confirmed is closed when it is heard; nil where nobody waits.
	confirmed chan struct{}
}

func newTopics(l *lane) *topics {
	return &topics{lane: l, wake: make(chan struct{}, 1), rooms: make(map[string]*topic)}
}

// ofLocked is the room's topic, which is looked at again.
func (t *topics) ofLocked(room string) *topic {
	found := t.rooms[room]
	if found == nil {
		found = &topic{}
		t.rooms[room] = found
	}
	if !found.dirty {
		found.dirty = true
		if found.heard {
			t.stale = append(t.stale, room)
		} else {
			t.dirty = append(t.dirty, room)
		}
	}
	return found
}

// touch has it found out whether a room is wanted.
func (t *topics) touch(room string) {
	t.mu.Lock()
	heard := t.ofLocked(room).heard
	t.mu.Unlock()
	if !heard { // else it may have been vacated, for which there is time
		t.ring()
	}
}

func (t *topics) ring() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// wait is for a room to be heard.
type wait struct {
	topics    *topics
	room      string
	confirmed <-chan struct{} // nil where it is heard, or cannot be
}

// hold has a room heard until release is called.
func (t *topics) hold(room string) *wait {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found := t.rooms[room]; found != nil && found.heard {
		found.held++
		return &wait{topics: t, room: room}
	}
	found := t.ofLocked(room)
	found.held++
	if !t.up {
		return &wait{topics: t, room: room} // what is missed is told of when there is a connection again
	}
	if found.confirmed == nil {
		found.confirmed = make(chan struct{})
	}
	t.ring()
	return &wait{topics: t, room: room, confirmed: found.confirmed}
}

func (t *topics) release(room string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found := t.rooms[room]; found != nil {
		found.held--
		t.ofLocked(room)
	}
}

// await waits until the room is heard, the connection is lost, or ctx ends.
func (w *wait) await(ctx context.Context) {
	if w.confirmed == nil {
		return
	}
	select {
	case <-w.confirmed:
	case <-ctx.Done():
		w.topics.mu.Lock()
		defer w.topics.mu.Unlock()
		if found := w.topics.rooms[w.room]; found != nil && !found.heard {
			found.late = true
		}
	}
}

// all has every room that is known looked at, for a new connection, on which none is heard.
func (t *topics) all() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.up = true
	t.dirty, t.stale = nil, nil
	for room, found := range t.rooms {
		found.heard, found.dirty = false, false
		t.ofLocked(room)
	}
}

// audit has every room looked at again.
func (t *topics) audit() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for room := range t.rooms {
		t.ofLocked(room)
	}
}

// down lets go of those who wait: there is no connection.
func (t *topics) down() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.up = false
	for _, found := range t.rooms {
		found.heard = false
		if found.confirmed != nil {
			close(found.confirmed)
			found.confirmed = nil
		}
	}
}

// take lists the rooms that are to be heard and are not.
func (t *topics) take(ctx context.Context) []string {
	taken := t.takeList(&t.dirty)
	return slices.DeleteFunc(taken, func(room string) bool { return !t.wanted(ctx, room) })
}

// takeList empties one of the lists.
func (t *topics) takeList(list *[]string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := *list
	*list = nil
	for _, room := range taken {
		if found := t.rooms[room]; found != nil {
			found.dirty = false
		}
	}
	return taken
}

// wanted says whether a room is to be heard, and forgets one that is not. Without the lock it asks the engine, which may be
// telling of a change meanwhile: then the room is dirty again.
func (t *topics) wanted(ctx context.Context, room string) bool {
	occupied := t.lane.bus.occupied(ctx, room)
	t.mu.Lock()
	defer t.mu.Unlock()
	found := t.rooms[room]
	if found == nil {
		return false
	}
	if occupied || found.held > 0 {
		return true
	}
	if !found.dirty && !found.heard {
		delete(t.rooms, room)
	}
	return false
}

// heard notes that what is published to the rooms from now on comes, and reports whether somebody went on without that.
func (t *topics) heard(rooms []string) (late bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, room := range rooms {
		found := t.rooms[room]
		if found == nil { // nobody forgets what is being subscribed to
			continue
		}
		late = late || found.late
		found.heard, found.late = true, false
		if found.confirmed != nil {
			close(found.confirmed)
			found.confirmed = nil
		}
	}
	return late
}

// vacated lists the rooms that are heard and are not wanted any more. From now on they count as not heard: who wants one
// again waits until it is.
func (t *topics) vacated(ctx context.Context) []string {
	var vacated []string
	for _, room := range t.takeList(&t.stale) {
		if t.wanted(ctx, room) {
			continue
		}
		t.mu.Lock()
		if found := t.rooms[room]; found != nil && found.heard && found.held == 0 && !found.dirty {
			delete(t.rooms, room)
			vacated = append(vacated, room)
		}
		t.mu.Unlock()
	}
	return vacated
}

// number is how many rooms are known.
func (t *topics) number() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.rooms)
}

// names are the rooms that are known.
func (t *topics) names() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.rooms))
}

// hears says whether messages of a room come.
func (t *topics) hears(room string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := t.rooms[room]
	return found != nil && found.heard
}
