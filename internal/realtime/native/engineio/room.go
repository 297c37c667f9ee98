package engineio

import "context"

// AwaitRoom waits until the client has read so much of what was sent to it that no more than a quarter of
// Config.MaxQueuedBytes waits. It fails with ErrClosed, and where ctx ends first.
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

func (s *Session) hasRoomLocked() bool { return s.outbox.cost <= s.server.config.MaxQueuedBytes/4 }

// noteRoomLocked tells those who wait for room, when there is some or never will be.
func (s *Session) noteRoomLocked() {
	if s.room != nil && (s.state == stateClosed || s.hasRoomLocked()) {
		close(s.room)
		s.room = nil
	}
}
