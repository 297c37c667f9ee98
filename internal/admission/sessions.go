package admission

import (
	"net/http"
	"net/netip"
	"sync"

	"rolecall/internal/clientip"
)

// Sessions limits how many Engine.IO sessions one client address may have open at a time, whether they poll or have a
// WebSocket. It is safe for use by many goroutines. It remembers no address without a session.
type Sessions struct {
	most int

	mu   sync.Mutex
	open map[netip.Prefix]int
}

// NewSessions returns a limit of so many sessions an address.
func NewSessions(most int) *Sessions {
	return &Sessions{most: most, open: make(map[netip.Prefix]int)}
}

// Admit is asked before a session is made. With ok false the address has as many as it may, and release is nil.
// Otherwise release must be called when the session has ended; calls after the first do nothing.
func (s *Sessions) Admit(r *http.Request) (release func(), ok bool) {
	address := clientip.Group(clientip.FromRequest(r))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[address] >= s.most {
		return nil, false
	}
	s.open[address]++
	return sync.OnceFunc(func() { s.release(address) }), true
}

func (s *Sessions) release(address netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[address]--; s.open[address] <= 0 {
		delete(s.open, address)
	}
}
