package rooms

import "sync"

// ChangeKind says what changed, in the words of the library's adapter events.
type ChangeKind string

// What can change. https://socket.io/docs/v4/rooms/#room-events
const (
	RoomCreated ChangeKind = "create-room"
	RoomDeleted ChangeKind = "delete-room"
	RoomJoined  ChangeKind = "join-room"
	RoomLeft    ChangeKind = "leave-room"
)

// Change is one change of a Table. The ID is empty for rooms created and deleted.
type Change struct {
	Kind ChangeKind
	Room Room
	ID   ID
}

// changeLog tells an observer of changes in their order. It is guarded by the lock
// of the table that it is about.
type changeLog struct {
	observe func(Change)
	queue   []Change // not observed yet
	telling bool     // some goroutine is at it
}

func (l *changeLog) add(c Change) { l.queue = append(l.queue, c) }

// pending says whether the caller has to call tell, once it has released the lock.
// Where another goroutine is at it, that one goes on with these changes, which
// keeps them in order.
func (l *changeLog) pending() bool {
	if l.telling || len(l.queue) == 0 {
		return false
	}
	l.telling = true
	return true
}

func (l *changeLog) tell(lock *sync.Mutex) {
	var spare []Change
	for {
		lock.Lock()
		batch := l.queue
		if len(batch) == 0 {
			l.telling = false
			if cap(spare) <= 64 {
				l.queue = spare
			}
			lock.Unlock()
			return
		}
		l.queue = spare[:0]
		lock.Unlock()
		for _, change := range batch {
			l.observe(change)
		}
		spare = batch[:0]
	}
}
