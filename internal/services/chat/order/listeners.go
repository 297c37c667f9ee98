package order

import (
	"sync"
	"time"

	"rolecall/internal/roles"
)

// Present implements Listeners: it remembers when each user's first socket came.
type Present struct {
	count func(room roles.Room) int
	now   func() time.Time

	mu    sync.Mutex
	users map[string]*visit
}

// visit is a user who is here.
type visit struct {
	since   time.Time
	changes int  // how often the first socket has come or the last has gone
	ends    bool // the last may have gone
}

// NewPresent returns the listeners among sockets of which count tells how many stand in a room. A nil clock is time.Now.
func NewPresent(count func(room roles.Room) int, now func() time.Time) *Present {
	if now == nil {
		now = time.Now
	}
	return &Present{count: count, now: now, users: make(map[string]*visit)}
}

// RoomChanged is told that a room has got its first socket, or lost its last; also under locks under which nothing can be
// counted.
func (p *Present) RoomChanged(room string) {
	userID, isUser := roles.UserAmong([]string{room})
	if !isUser {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if v := p.users[userID]; v != nil {
		v.changes++
		v.ends = true
		return
	}
	p.users[userID] = &visit{since: p.now()}
}

// Joined implements Listeners.
func (p *Present) Joined(room roles.Room) bool { return p.count(room) > 0 }

// Since implements Listeners.
func (p *Present) Since(userID string) (since time.Time, here bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		v := p.users[userID]
		switch {
		case v == nil:
			return time.Time{}, false
		case !v.ends:
			return v.since, true
		}
		changes := v.changes
		p.mu.Unlock()
		left := p.count(roles.UserRoom(userID)) == 0
		p.mu.Lock()
		if p.users[userID] != v || v.changes != changes {
			continue
		}
		if v.ends = false; left {
			delete(p.users, userID)
		}
	}
}

// Users implements Listeners. It forgets those who have left.
func (p *Present) Users() []string {
	p.mu.Lock()
	all := make([]string, 0, len(p.users))
	for userID := range p.users {
		all = append(all, userID)
	}
	p.mu.Unlock()
	users := all[:0]
	for _, userID := range all {
		if _, here := p.Since(userID); here {
			users = append(users, userID)
		}
	}
	return users
}
