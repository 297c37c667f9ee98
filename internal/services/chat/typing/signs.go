package typing

import (
	"container/list"
	"sync"
	"time"
)

// signs are what is shown and ends by itself, all of it equally long after it was shown last: so the first to end is the first of
// a queue, and one timer waits for it.
type signs struct {
	after time.Duration
	most  int
	end   func(Sign)

	mu      sync.Mutex
	queue   *list.List // of *shown, the first to end first
	byKey   map[Key]*list.Element
	timer   *time.Timer
	closed  bool
	working sync.WaitGroup
}

// shown is a sign, and when it ends.
type shown struct {
	Sign
	until time.Time
}

func newSigns(after time.Duration, most int, end func(Sign)) *signs {
	return &signs{after: after, most: most, end: end, queue: list.New(), byKey: make(map[Key]*list.Element)}
}

// show has a sign end in a while from now. Where there are too many, the first to end ends now.
func (s *signs) show(sign Sign) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.takeLocked(sign.Key)
	s.byKey[sign.Key] = s.queue.PushBack(&shown{sign, time.Now().Add(s.after)})
	var pushed *shown
	if s.queue.Len() > s.most {
		pushed = s.queue.Front().Value.(*shown) // nothing else is in it
		s.takeLocked(pushed.Key)
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(s.after, s.fire)
	}
	s.mu.Unlock()
	if pushed != nil {
		s.end(pushed.Sign)
	}
}

// take ends a sign without a word.
func (s *signs) take(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takeLocked(key)
}

func (s *signs) takeLocked(key Key) {
	if element, is := s.byKey[key]; is {
		s.queue.Remove(element)
		delete(s.byKey, key)
	}
}

// find returns a sign that is shown.
func (s *signs) find(key Key) (Sign, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	element, is := s.byKey[key]
	if !is {
		return Sign{}, false
	}
	return element.Value.(*shown).Sign, true // nothing else is in it
}

// fire ends what is due, and waits for the next.
func (s *signs) fire() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.working.Add(1)
	defer s.working.Done()
	var due []Sign
	now := time.Now()
	s.timer = nil
	for first := s.queue.Front(); first != nil; first = s.queue.Front() {
		next := first.Value.(*shown) // nothing else is in it
		if wait := next.until.Sub(now); wait > 0 {
			s.timer = time.AfterFunc(wait, s.fire)
			break
		}
		due = append(due, next.Sign)
		s.takeLocked(next.Key)
	}
	s.mu.Unlock()
	for _, sign := range due {
		s.end(sign)
	}
}

// close has nothing end any more, and waits for what is ending.
func (s *signs) close() {
	s.mu.Lock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.working.Wait()
}
