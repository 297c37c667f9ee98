package engineio

import "context"

// AwaitRoom waits until the client has read so much of what was sent to it that another part of something long can wait
// for it, whatever all others leave unread. It fails with ErrClosed, and where ctx ends first.
func (s *Session) AwaitRoom(ctx context.Context) error {
	s.mu.Lock()
	switch {
	case s.state == stateClosed:
		s.mu.Unlock()
		return ErrClosed
	case s.hasRoomLocked():
		s.mu.Unlock()
		return nil
	}
	if s.room == nil {
		s.room = make(chan struct{})
	}
	room := s.room
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-room:
	}
	if !s.IsOpen() {
		return ErrClosed
	}
	return nil
}

// What an outbox may hold for there to be room; a part of a page's size beside it is within congestedLimit. Less where
// all outboxes together hold half of what they may: very many may be sent parts at the same time.
const (
	roomLeft      = 48 << 10
	roomLeftTight = 8 << 10
)

func (s *Session) hasRoomLocked() bool {
	c := &s.server.config
	left := int64(roomLeft)
	if s.server.queued.Load() > c.MaxQueuedTotal/2 {
		left = roomLeftTight
	}
	return s.outbox.cost <= min(left, c.MaxQueuedBytes/2)
}

// noteRoomLocked tells those who wait for room, when there is some or never will be.
func (s *Session) noteRoomLocked() {
	if s.room != nil && (s.state == stateClosed || s.hasRoomLocked()) {
		close(s.room)
		s.room = nil
	}
}
