package adminui

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

const (
	// sessionLife is how long a page may come back by its session. One that began with a token ends with that, if sooner.
	sessionLife = 12 * time.Hour
	// maxSessions is how many there may be; the one that ends first makes room.
	maxSessions = 256
)

// sessions are by which pages come back that are loaded anew. They are known to this process alone, and by their digests:
// nobody who reads its memory by them gets in.
type sessions struct {
	mu   sync.Mutex
	byID map[[sha256.Size]byte]session
}

type session struct {
	who  entrant
	ends time.Time
}

func newSessions() *sessions { return &sessions{byID: make(map[[sha256.Size]byte]session)} }

// begin returns the id of a new session: 256 random bits as text.
func (s *sessions) begin(who entrant, now time.Time) (id string) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails, see crypto/rand
	id = base64.RawURLEncoding.EncodeToString(random[:])
	ends := now.Add(sessionLife)
	if who.identity.ExpiresAt.Before(ends) {
		ends = who.identity.ExpiresAt
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoomLocked(now)
	s.byID[sha256.Sum256([]byte(id))] = session{who: who, ends: ends}
	return id
}

// makeRoomLocked forgets the sessions that have ended, and the one that ends first where that does not do.
func (s *sessions) makeRoomLocked(now time.Time) {
	var first [sha256.Size]byte
	var ends time.Time
	for id, one := range s.byID {
		if !one.ends.After(now) {
			delete(s.byID, id)
		} else if ends.IsZero() || one.ends.Before(ends) {
			first, ends = id, one.ends
		}
	}
	if len(s.byID) >= maxSessions {
		delete(s.byID, first)
	}
}

// find returns whose session it is; nil where there is none, or none any more.
func (s *sessions) find(id string, now time.Time) *entrant {
	if id == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, known := s.byID[sha256.Sum256([]byte(id))]
	if !known || !found.ends.After(now) {
		return nil
	}
	who := found.who
	who.newSession, who.since = "", now
	return &who
}
