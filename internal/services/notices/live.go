package notices

import (
	"sync"

	"rolecall/internal/roles"
)

// maxLiveRooms bounds the rooms that are known one by one, at some 100 bytes each.
const maxLiveRooms = 200_000

// liveRooms knows for each room the number of the newest notice there that has not ended, or a greater one. Whoever has read
// up to it has nothing unread, which needs no look into the store.
type liveRooms struct {
	most int

	mu      sync.RWMutex
	highest map[roles.Room]int64
	// beyond is what is known of the rooms that are not in highest for want of space; 0 while all are.
	beyond int64
}

func newLiveRooms(most int) *liveRooms {
	return &liveRooms{most: most, highest: make(map[roles.Room]int64)}
}

// raise takes account of a notice told to the rooms.
func (l *liveRooms) raise(rooms []roles.Room, seq int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, room := range rooms {
		l.raiseOne(room, seq)
	}
}

func (l *liveRooms) raiseOne(room roles.Room, seq int64) {
	if known, listed := l.highest[room]; listed || len(l.highest) < l.most {
		l.highest[room] = max(known, l.beyond, seq)
		return
	}
	l.beyond = max(l.beyond, seq)
}

// lower takes account of a notice that has ended: newest is the number of the newest one left in each of its rooms, 0 for
// none. A room that holds a newer one than that is left alone: the newer one was told since.
func (l *liveRooms) lower(ended int64, newest map[roles.Room]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for room, seq := range newest {
		switch known, listed := l.highest[room]; {
		case !listed || known > ended:
		case seq == 0 && l.beyond == 0:
			delete(l.highest, room)
		default:
			l.highest[room] = seq
		}
	}
}

// above reports whether a notice beyond the number may live in one of the rooms.
func (l *liveRooms) above(rooms []roles.Room, seq int64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, room := range rooms {
		highest, listed := l.highest[room]
		if !listed {
			highest = l.beyond
		}
		if highest > seq {
			return true
		}
	}
	return false
}
