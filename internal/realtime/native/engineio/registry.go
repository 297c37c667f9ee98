package engineio

import "sync"

// registry is which sessions there are. The zero value has none.
type registry struct {
	mu       sync.Mutex          // guards the rest
	sessions map[string]*Session // by id: those a request can find, the closing ones included
	open     int                 // how many have not ended
	stopping bool                // no others are taken
}

// add reports false when no more sessions are taken.
func (r *registry) add(s *Session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping {
		return false
	}
	if r.sessions == nil {
		r.sessions = make(map[string]*Session)
	}
	r.sessions[s.id] = s
	r.open++
	return true
}

// find returns nil for an id that no session has.
func (r *registry) find(id string) *Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[id]
}

// noteEnd counts a session as ended, which requests may still find.
func (r *registry) noteEnd() {
	r.mu.Lock()
	r.open--
	r.mu.Unlock()
}

// remove forgets a session. It reports false for one that is not there.
func (r *registry) remove(s *Session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, known := r.sessions[s.id]
	delete(r.sessions, s.id)
	return known
}

func (r *registry) openCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

// stop has no more sessions taken and lists those there are.
func (r *registry) stop() []*Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopping = true
	sessions := make([]*Session, 0, len(r.sessions))
	for _, session := range r.sessions {
		sessions = append(sessions, session)
	}
	return sessions
}

func (r *registry) isStopping() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopping
}
