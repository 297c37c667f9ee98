package people

import (
	"slices"
	"time"
)

// awaitLocked has it looked at whether somebody has gone when they have had time to come back.
func (s *Service) awaitLocked(k *known) {
	k.until = time.Now().Add(s.options.Grace)
	if !k.leaving {
		k.leaving = true
		s.leaving = append(s.leaving, k)
	}
}

// graceEndsLocked is when the first of those who are awaited has had their time.
func (s *Service) graceEndsLocked() (first time.Time, any bool) {
	for _, k := range s.leaving {
		if first.IsZero() || k.until.Before(first) {
			first = k.until
		}
	}
	return first, len(s.leaving) > 0
}

// dueNowLocked are those at whom a round is to look now: who came, and who has not come back in time. Who is still awaited, and has
// come before and gone since, is looked at later, unless this is the end.
func (s *Service) dueNowLocked() []*known {
	now := time.Now()
	s.leaving = slices.DeleteFunc(s.leaving, func(k *known) (over bool) {
		if over = s.closed || !k.until.After(now); over {
			k.leaving = false
			s.againLocked(k)
		}
		return over
	})
	return slices.DeleteFunc(s.due, func(k *known) (awaited bool) {
		if awaited = k.leaving && !s.options.Here(k.latest.UserID); awaited {
			k.due = false
		}
		return awaited
	})
}

// disarmLocked has the next round not begin by itself, and reports false where it is beginning already.
func (s *Service) disarmLocked() bool {
	if s.next == nil {
		return true
	}
	stopped := s.next.Stop()
	if stopped {
		s.armed.Done()
	}
	s.next = nil
	return stopped
}
