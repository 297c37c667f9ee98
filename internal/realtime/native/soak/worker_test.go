package soak_test

import (
	"fmt"
	"sync"
)

// slot holds one socket or none. Within a batch one worker works on it.
type slot struct {
	session *session
	life    *life // nil without a socket
}

// worker performs operations one after another.
type worker struct {
	world *world
	index int
	slots []*slot
	asked int // ids of acks

	performed int
	lives     []*life // that began in this batch
	broadcast []sent  // of this batch; ids are given in order
	firstID   int
}

// run performs the operations.
func (k *worker) run(script []operation) {
	for _, o := range script {
		if err := k.perform(o); err != nil {
			k.world.t.Errorf("worker %d, %#v: %v", k.index, o, err)
			return
		}
	}
}

func (k *worker) perform(o operation) error {
	switch o.kind {
	case idle:
		return nil
	case broadcast:
		k.emit(o.rooms, o.except, false)
	case visit:
		k.performed++
		return k.visit(o)
	default:
		return k.performOn(k.slots[o.slot], o)
	}
	k.performed++
	return nil
}

// performOn performs an operation on a socket, where there is one.
func (k *worker) performOn(s *slot, o operation) error {
	if s.life == nil {
		if o.kind != join && o.kind != askToJoin && o.kind != cross {
			return nil
		}
		k.performed++
		return k.connect(s, o.rooms, o.pipelined)
	}
	k.performed++
	switch o.kind {
	case join, leave:
		k.change(s.life, o.rooms, o.kind == join)
	case askToJoin, askToLeave:
		return k.ask(s, o.rooms, o.kind == askToJoin)
	case cross:
		first := o.rooms.list()[0]
		second := roomSet(1) << ((first + 1 + k.performed) % roomCount)
		together(
			func() { k.change(s.life, roomSet(1)<<first, true) },
			func() { k.change(s.life, second&^(roomSet(1)<<first), false) })
	case end:
		return k.end(s, o.ending)
	case endInJoining:
		k.endInJoining(s, o)
	}
	return nil
}

// together runs functions at once.
func together(run ...func()) {
	var group sync.WaitGroup
	for _, f := range run {
		group.Go(f)
	}
	group.Wait()
}

func (k *worker) emit(to, except roomSet, quiet bool) {
	b := sent{worker: k.index, to: to, except: except, quiet: quiet}
	id := k.firstID + len(k.broadcast)
	toNames, exceptNames := to.names(), except.names()
	b.began = k.world.clock.Add(1)
	k.world.emitter.Emit("broadcast", id, toNames, exceptNames)
	b.ended = k.world.clock.Add(1)
	k.broadcast = append(k.broadcast, b)
}

// change joins or leaves rooms.
func (k *worker) change(l *life, rooms roomSet, in bool) {
	names := rooms.names()
	began := k.world.clock.Add(1)
	if in {
		l.socket().Join(names...)
	} else {
		l.socket().Leave(names...)
	}
	ended := k.world.clock.Add(1)
	for _, room := range rooms.list() {
		l.presence[room].become(in, began, ended)
	}
}

// ask lets the client ask to join or leave one of the rooms.
func (k *worker) ask(s *slot, rooms roomSet, in bool) error {
	room := rooms.list()[0]
	event := "leave"
	if in {
		event = "join"
	}
	k.asked++
	began := k.world.clock.Add(1)
	s.session.send(fmt.Sprintf(`42%d[%q,"room-%d"]`, k.asked, event, room))
	if err := s.session.await(s.session.acks, "an ack"); err != nil {
		return err
	}
	s.life.presence[room].become(in, began, k.world.clock.Add(1))
	return nil
}

// begin makes a socket that is about to send CONNECT.
func (k *worker) begin(rooms roomSet) *life {
	l := k.world.newLife(rooms)
	k.lives = append(k.lives, l)
	return l
}

func (k *worker) connect(s *slot, rooms roomSet, pipelined bool) error {
	l := k.begin(rooms)
	opened, err := k.world.open(l, pipelined)
	if err != nil {
		return err
	}
	l.settle()
	s.session, s.life = opened, l
	return nil
}

// end ends a socket. The end of the connection may come later.
func (k *worker) end(s *slot, how ending) error {
	l := s.life
	l.leave(k.world.clock.Add(1))
	l.lossy = how <= clientResets
	switch how {
	case clientCloses:
		s.session.sendClose()
	case engineCloses:
		s.session.send("1")
	case clientCuts:
		s.session.cut()
	case clientResets:
		s.session.reset()
	case serverCloses:
		l.socket().Disconnect(true)
	case serverLeaves:
		l.socket().Disconnect(false)
		if err := s.session.await(l.complete, "DISCONNECT"); err != nil {
			return err
		}
		return k.reenter(s, "")
	case clientReenter:
		return k.reenter(s, "41")
	}
	s.session, s.life = nil, nil
	return nil
}

// reenter connects anew over the same connection.
func (k *worker) reenter(s *slot, before string) error {
	l := k.begin(s.life.rooms)
	s.session.expectAnswer(l)
	if before == "" {
		s.session.send(connectPacket(l))
	} else {
		s.session.send(before, connectPacket(l))
	}
	s.life = l
	if err := s.session.await(l.answered, "the answer to another CONNECT"); err != nil {
		return err
	}
	l.settle()
	return nil
}

// endInJoining ends a socket while it joins rooms.
func (k *worker) endInJoining(s *slot, o operation) {
	l, socket := s.life, s.life.socket()
	now := k.world.clock.Add(1)
	for _, room := range o.rooms.list() {
		l.presence[room].unsettle(now)
	}
	l.leave(now)
	names := o.rooms.names()
	l.lossy = o.ending == clientCuts || o.ending == clientResets
	together(func() { socket.Join(names...) }, func() {
		switch o.ending {
		case clientCuts:
			s.session.cut()
		case clientResets:
			s.session.reset()
		default:
			socket.Disconnect(true)
		}
	})
	s.session, s.life = nil, nil
}

// visit comes and leaves before CONNECT has been answered, or as it is being answered.
func (k *worker) visit(o operation) error {
	l := k.world.newLife(o.rooms)
	l.refused = o.parting == visitorRefused
	var early []string
	if o.pipelined {
		early = []string{connectPacket(l)}
	}
	c, err := dial(k.world.address, early...)
	if err != nil {
		return err
	}
	defer c.cut()
	if !o.pipelined {
		if err := c.expect("0{"); err != nil {
			return err
		}
		c.send(connectPacket(l))
	}
	switch o.parting {
	case visitorResets:
		c.reset()
	case visitorCloses:
		c.sendClose()
	case visitorEngineCloses:
		c.send("1")
	case visitorDisconnects:
		c.send("41")
	case visitorRefused:
		if o.pipelined {
			if err := c.expect("0{"); err != nil {
				return err
			}
		}
		return c.expect("44{")
	}
	return nil
}
