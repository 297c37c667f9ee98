package native

import (
	"container/list"
	"sync"
)

// strangers are the connections that are in no namespace, the one that has been so for longest first. Nobody knows yet
// whose they are, so there are only so many.
type strangers struct {
	most int

	mu    sync.Mutex
	order list.List // of *connection
	at    map[*connection]*list.Element
}

func newStrangers(most int) *strangers {
	return &strangers{most: most, at: make(map[*connection]*list.Element)}
}

// add returns the connection that is to make room, nil where there is room.
func (s *strangers) add(c *connection) (last *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at[c] = s.order.PushBack(c)
	if s.order.Len() <= s.most {
		return nil
	}
	last, _ = s.order.Remove(s.order.Front()).(*connection)
	delete(s.at, last)
	return last
}

// remove takes a connection out, where it may not be.
func (s *strangers) remove(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if element, here := s.at[c]; here {
		s.order.Remove(element)
		delete(s.at, c)
	}
}
