package soak_test

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// session is a connection whose messages are read by a goroutine of its own, and noted with the socket they are for.
type session struct {
	*client
	world *world
	acks  chan struct{}
	done  chan struct{} // closed when the reader has ended

	mu       sync.Mutex
	expected []*life // whose CONNECT has been sent and not been answered

	current *life // the reader's own
}

// open opens a connection for a socket and waits until that is connected.
func (w *world) open(l *life, pipelined bool) (*session, error) {
	var early []string
	if pipelined {
		early = []string{connectPacket(l)}
	}
	c, err := dial(w.address, early...)
	if err != nil {
		return nil, err
	}
	if err := c.expect("0{"); err != nil {
		c.cut()
		return nil, err
	}
	s := &session{client: c, world: w, acks: make(chan struct{}, 1), done: make(chan struct{}), expected: []*life{l}}
	w.readers.Go(s.read)
	if !pipelined {
		c.send(connectPacket(l))
	}
	return s, s.await(l.answered, "the answer to CONNECT")
}

// connectPacket is CONNECT of a socket.
func connectPacket(l *life) string { return fmt.Sprintf(`40{"life":%d}`, l.id) }

// expect makes a socket the one that the next answer to CONNECT is for.
func (s *session) expectAnswer(l *life) {
	s.mu.Lock()
	s.expected = append(s.expected, l)
	s.mu.Unlock()
}

// await waits for what the reader is to find.
func (s *session) await(found <-chan struct{}, what string) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	select {
	case <-found:
		return nil
	case <-s.done:
		select {
		case <-found:
			return nil
		default:
			return fmt.Errorf("the connection ended while it waited for %s", what)
		}
	case <-deadline.C:
		return fmt.Errorf("in vain: %s", what)
	}
}

func (s *session) read() {
	defer close(s.done)
	defer s.cut()
	for {
		message, err := s.next()
		if err != nil {
			s.finish()
			return
		}
		if err := s.take(message); err != nil {
			s.world.t.Errorf("a client got %q: %v", message, err)
		}
	}
}

// finish ends what the current socket hears.
func (s *session) finish() {
	if s.current != nil {
		close(s.current.complete)
		s.current = nil
	}
}

// take notes one message.
func (s *session) take(message []byte) error {
	switch {
	case bytes.HasPrefix(message, []byte(`40{`)):
		return s.begin()
	case s.current == nil:
		return fmt.Errorf("no socket is connected")
	case bytes.Equal(message, []byte("41")):
		s.finish()
		return nil
	case bytes.HasPrefix(message, []byte("43")):
		s.acks <- struct{}{}
		return nil
	case bytes.HasPrefix(message, []byte(`42["broadcast",`)):
		id, err := strconv.Atoi(string(message[len(`42["broadcast",`) : len(message)-1]))
		s.current.heard = append(s.current.heard, id)
		return err
	case bytes.HasPrefix(message, []byte(`42["report"`)):
		s.current.reports <- s.current.heard
		s.current.heard = nil
		return nil
	default:
		return fmt.Errorf("nobody sends such a thing")
	}
}

// begin makes the next socket the current one.
func (s *session) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.expected) == 0 {
		return fmt.Errorf("nobody asked to connect")
	}
	s.finish()
	s.current, s.expected = s.expected[0], s.expected[1:]
	s.current.answeredAt = s.world.clock.Add(1)
	close(s.current.answered)
	return nil
}
