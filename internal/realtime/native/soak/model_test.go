package soak_test

import (
	"fmt"
	"math"
	"sync"

	"rolecall/internal/realtime"
)

// The model has one clock, a counter: each operation reads it before and after. What lies between the two readings
// may have happened at any moment between them; only what ended before another began is known to have come first.

// forever is later than every reading of the clock.
const forever = math.MaxInt64

// phase is a time in which it is certain that a socket stands in a room, or that it does not. Between two phases of
// a room it is being joined or left.
type phase struct {
	from, until int64
	in          bool
}

// presence is one room as one socket knows it: its phases in order. None means that nothing is certain yet.
type presence []phase

// certainly says whether all of the time was one phase, and which.
func (p presence) certainly(in bool, from, until int64) bool {
	for _, phase := range p {
		if phase.in == in && phase.from <= from && until <= phase.until {
			return true
		}
	}
	return false
}

// now is where the socket stands when nothing is in progress.
func (p presence) now() bool { return len(p) > 0 && p[len(p)-1].in }

// become notes that a call between two readings of the clock joined or left the room.
func (p *presence) become(in bool, began, ended int64) {
	if len(*p) > 0 && p.now() == in {
		return
	}
	p.unsettle(began)
	*p = append(*p, phase{from: ended, until: forever, in: in})
}

// unsettle notes that nothing is certain from now on.
func (p *presence) unsettle(began int64) {
	if len(*p) > 0 {
		(*p)[len(*p)-1].until = began
	}
}

// forget drops phases that ended before.
func (p *presence) forget(before int64) {
	for len(*p) > 0 && (*p)[0].until < before {
		*p = (*p)[1:]
	}
}

// sent is one broadcast.
type sent struct {
	worker       int
	began, ended int64
	to, except   roomSet
	// quiet: nothing else was going on, so that for every socket it is certain whether it had to hear this.
	quiet bool
}

// life is one socket from its CONNECT to its end. Who works on the socket writes it, but for what is noted.
type life struct {
	id    int
	rooms roomSet // joined in Authenticate
	// refused: Authenticate joins the rooms and then refuses.
	refused bool

	presence [roomCount]presence
	began    int64 // CONNECT was about to be sent
	leaving  int64 // it was about to be ended; forever while it lives
	// lossy: what was on its way at the end may be lost, because the client ended the connection.
	lossy bool

	answered   chan struct{} // closed by the reader with the answer to CONNECT
	answeredAt int64         // set before that

	ended   chan struct{} // closed by Handler.Disconnected
	endedAt int64         // set before that

	// heard is the broadcasts that came, in order. It belongs to the reader until that closes complete, or sends it
	// as a report.
	heard    []int
	reports  chan []int
	complete chan struct{}

	mu         sync.Mutex
	serverSide realtime.Socket // set by Handler.Authenticate
}

func newLife(id int, rooms roomSet, began int64) *life {
	l := &life{id: id, rooms: rooms, began: began, leaving: forever, answered: make(chan struct{}),
		ended: make(chan struct{}), reports: make(chan []int, 1), complete: make(chan struct{})}
	for room := range l.presence {
		if !rooms.has(room) {
			l.presence[room] = presence{{until: forever}}
		}
	}
	return l
}

// settle notes that CONNECT has been answered: the rooms are joined.
func (l *life) settle() {
	for _, room := range l.rooms.list() {
		l.presence[room] = presence{{from: l.answeredAt, until: forever, in: true}}
	}
}

// leave notes that the socket is about to be ended. From then on it may leave its rooms at any moment.
func (l *life) leave(now int64) {
	l.leaving = now
	for room := range l.presence {
		if l.presence[room].now() {
			l.presence[room].unsettle(now)
		}
	}
}

func (l *life) setSocket(socket realtime.Socket) {
	l.mu.Lock()
	l.serverSide = socket
	l.mu.Unlock()
}

// socket is the socket, once CONNECT has been answered.
func (l *life) socket() realtime.Socket {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.serverSide
}

// standsIn is the rooms of a socket when nothing is in progress.
func (l *life) standsIn() roomSet {
	var rooms roomSet
	for room := range l.presence {
		if l.presence[room].now() {
			rooms |= 1 << room
		}
	}
	return rooms
}

// describe says when the broadcast was, and where the socket stood.
func (l *life) describe(b *sent) string {
	text := fmt.Sprintf("sent from %d to %d to %v except %v; connected at %d", b.began, b.ended, b.to, b.except, l.answeredAt)
	if l.leaving != forever {
		text += fmt.Sprintf(", leaving at %d", l.leaving)
	}
	for _, room := range (b.to | b.except).list() {
		text += fmt.Sprintf("; room-%d:", room)
		for _, phase := range l.presence[room] {
			where := "out"
			if phase.in {
				where = "in"
			}
			text += fmt.Sprintf(" %s from %d", where, phase.from)
			if phase.until != forever {
				text += fmt.Sprintf(" until %d", phase.until)
			}
		}
	}
	return text
}

// must says that the socket has to hear the broadcast: it stood in one of the rooms, and in none of those excepted,
// during the whole of it.
func (l *life) must(b *sent) bool {
	if b.began < l.answeredAt || b.ended > l.leaving {
		return false
	}
	in := false
	for room := range l.presence {
		switch {
		case b.except.has(room) && !l.presence[room].certainly(false, b.began, b.ended):
			return false
		case b.to.has(room) && l.presence[room].certainly(true, b.began, b.ended):
			in = true
		}
	}
	return in
}

// mustNot says that the socket may not hear the broadcast: during the whole of it, it stood in none of the rooms or
// in one of those excepted, or it was not there.
func (l *life) mustNot(b *sent) bool {
	select {
	case <-l.ended:
		if b.began > l.endedAt {
			return true
		}
	default:
	}
	if b.ended < l.began {
		return true
	}
	out := true
	for room := range l.presence {
		if b.except.has(room) && l.presence[room].certainly(true, b.began, b.ended) {
			return true
		}
		if b.to.has(room) && !l.presence[room].certainly(false, b.began, b.ended) {
			out = false
		}
	}
	return out
}
