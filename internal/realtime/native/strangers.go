package native

import (
	"container/list"
	"sync"
)

// refusedShare says how many of the strangers that there may be may have been refused: one in so many.
const refusedShare = 8

// strangers are the connections that are in no namespace. Nobody knows yet whose they are, so there are only so many; of
// those who have been refused, and have yet to go, fewer.
type strangers struct {
	most int

	mu sync.Mutex
	// Of *connection, the one that has been in it for longest first.
	hopeful, refused list.List
	at               map[*connection]place
}

type place struct {
	in      *list.List
	element *list.Element
}

func newStrangers(most int) *strangers {
	return &strangers{most: most, at: make(map[*connection]place)}
}

// add returns the connection that is to make room, nil where there is room.
func (s *strangers) add(c *connection) (last *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enterLocked(c, &s.hopeful, s.most)
}

// refuse notes that a stranger has been refused, and returns the connection that is to make room, nil where there is room.
func (s *strangers) refuse(c *connection) (last *connection) {
	return s.move(c, &s.refused, max(s.most/refusedShare, 1))
}

// hope notes that a stranger, refused before or not, tries once more.
func (s *strangers) hope(c *connection) (last *connection) { return s.move(c, &s.hopeful, s.most) }

func (s *strangers) move(c *connection, in *list.List, most int) (last *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if from, here := s.at[c]; !here || from.in == in {
		return nil
	}
	s.removeLocked(c)
	return s.enterLocked(c, in, most)
}

func (s *strangers) enterLocked(c *connection, in *list.List, most int) (last *connection) {
	s.at[c] = place{in, in.PushBack(c)}
	if in.Len() <= most {
		return nil
	}
	last, _ = in.Front().Value.(*connection)
	s.removeLocked(last)
	return last
}

// remove takes a connection out, where it may not be.
func (s *strangers) remove(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeLocked(c)
}

func (s *strangers) removeLocked(c *connection) {
	if from, here := s.at[c]; here {
		from.in.Remove(from.element)
		delete(s.at, c)
	}
}
