package people

import (
	"context"
	"fmt"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/bus"
)

// DefaultEvery is Options.Every where nothing else is said.
const DefaultEvery = time.Second

// roundTimeout bounds what a round may wait for others.
const roundTimeout = 10 * time.Second

// known is somebody who was told to be online, or of whom there may be something to tell. The service's lock guards it.
type known struct {
	latest auth.Identity // whose socket has come last
	seen   int64         // when a socket last came or went, Unix milliseconds
	said   int64         // when one last came, and said who they are
	online bool          // as was told
	// watched is as whom the watcher was told that they are connected to this node; nil where they are not.
	watched *auth.Identity
	told    auth.Identity // as whom; those who heard of the coming are those who hear of the going
	due     bool          // awaits the next round
	taken   bool          // by the round that is under way
	came    bool          // since the last round
	lost    bool          // they were on a node that has died since
	// leaving: one of the sockets has gone, and until then it is awaited whether there is another.
	leaving bool
	until   time.Time
}

// change is that somebody has come or gone, as others are told of it.
type change struct {
	who    auth.Identity
	online bool
}

// Came is called after each connect of any of a person's sockets, Went after each disconnect. Neither tells anything: both
// note that there may be something to tell, which is looked at by the next round; who has gone by the first one after the grace in
// which they may be back. A round compares the rooms with what was last told and tells the
// difference, of all who came and went since the last one, so that a crowd costs those who hear of it an event a second,
// and so does a connection which comes and goes all the time. Who came and went in between is told to have gone: somebody
// may have looked, and seen them. A person counts as whom they came last: who comes with a
// token of another company or role has gone from the old one.
func (s *Service) Came(ctx context.Context, who auth.Identity) { s.changed(ctx, who, true) }

// Went is the counterpart of Came.
func (s *Service) Went(ctx context.Context, who auth.Identity) { s.changed(ctx, who, false) }

func (s *Service) changed(ctx context.Context, who auth.Identity, came bool) {
	user, arrived, atOnce := s.note(who, came)
	if arrived && s.options.Nodes != nil {
		s.sockets.Enlist(bus.Settling{UserID: who.UserID, As: toldAs(who), Rooms: rollsWith(who)})
	}
	s.seen.note(ctx, user)
	if atOnce {
		s.round(ctx)
	}
}

// Seen has the directory know somebody who is here without a socket, so that others find and answer them, on whichever
// server.
func (s *Service) Seen(ctx context.Context, who auth.Identity) {
	if s.knows(who.UserID) {
		return
	}
	now := s.options.Now().UnixMilli()
	s.seen.note(ctx, User{
		UserID: who.UserID, Username: who.Username, Role: who.Role, CompanyID: who.CompanyID, LastSeen: now, SaidAt: now,
	})
	s.newcomers.writeDown(ctx, who.UserID)
}

// note has the next round look at a person, and reports whether they were not here before, and whether the round is to be held now.
func (s *Service) note(who auth.Identity, came bool) (user User, arrived, atOnce bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[who.UserID]
	if k == nil {
		k = &known{latest: who, came: true, said: s.options.Now().UnixMilli()} // also where they only went: a socket that ends before it is greeted never came
		s.known[who.UserID] = k
	}
	if came {
		k.latest, k.came, k.said = who, true, s.options.Now().UnixMilli()
	}
	k.seen = s.options.Now().UnixMilli()
	if came || s.options.Grace == 0 || s.atOnceLocked() {
		s.againLocked(k)
	} else {
		s.awaitLocked(k)
	}
	s.armLocked()
	return k.user(), came && k.watched == nil, s.atOnceLocked()
}

func (k *known) user() User {
	return User{
		UserID: k.latest.UserID, Username: k.latest.Username, Role: k.latest.Role, CompanyID: k.latest.CompanyID,
		LastSeen: k.seen, SaidAt: k.said,
	}
}

func (s *Service) atOnceLocked() bool { return s.options.Every < 0 || s.closed }

// armLocked sees to the next round: at once where the last one is long past.
func (s *Service) armLocked() {
	if s.underway || s.atOnceLocked() {
		return
	}
	at := s.last.Add(s.options.Every)
	if len(s.due) == 0 && len(s.owed) == 0 {
		ends, any := s.graceEndsLocked()
		if !any {
			return
		}
		if ends.After(at) {
			at = ends
		}
	}
	if s.next != nil && !at.Before(s.nextAt) || !s.disarmLocked() {
		return
	}
	s.nextAt = at
	s.armed.Add(1)
	s.next = time.AfterFunc(max(0, time.Until(at)), func() {
		defer s.armed.Done()
		ctx, cancel := context.WithTimeout(context.Background(), roundTimeout)
		defer cancel()
		s.round(ctx)
	})
}

// round tells what has changed about those who came and went since the last one.
func (s *Service) round(ctx context.Context) {
	s.rounds.Lock()
	defer s.rounds.Unlock()
	taken, asked := s.beginRound()
	defer s.endRound(taken)
	owes := s.owes()
	s.tellSettled(ctx, taken, asked)
	if owes {
		s.tellOwed(ctx)
	}
}

// tellSettled tells what has changed about people.
func (s *Service) tellSettled(ctx context.Context, taken []*known, asked []bus.Settling) {
	if len(taken) == 0 {
		return
	}
	settled, done, err := s.sockets.Settle(ctx, asked...)
	if err != nil { // asked again in the next round
		s.log.ErrorContext(ctx, "presence not known", "people", len(taken), "error", err)
		s.putBack(taken)
		return
	}
	defer done()
	changes, moves := s.settle(taken, settled)
	if len(changes) > 0 {
		s.forgetRolls(changes)
		s.told.Add(1)
		s.announceRound(ctx)
		s.tell(ctx, changes)
	}
	s.tellWatcher(ctx, moves)
}

// beginRound takes those who await the round.
func (s *Service) beginRound() (taken []*known, asked []bus.Settling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underway = true
	s.disarmLocked()
	taken, s.due = s.dueNowLocked(), nil
	s.taken = taken
	asked = make([]bus.Settling, len(taken))
	for i, k := range taken {
		k.due, k.taken = false, true
		asked[i] = bus.Settling{UserID: k.latest.UserID, As: toldAs(k.latest), Keep: !k.came, Rooms: rollsWith(k.latest)}
	}
	return taken, asked
}

func (s *Service) endRound(taken []*known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range taken {
		k.taken = false
	}
	s.taken, s.underway, s.last = nil, false, time.Now()
	s.armLocked()
}

func (s *Service) putBack(taken []*known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range taken {
		s.againLocked(k)
	}
}

// settle returns what is to be told of people, in the order in which they came and went, and what the watcher is to be told, and
// forgets who is not here.
func (s *Service) settle(taken []*known, settled []bus.Settled) (changes []change, moves []move) {
	changes = make([]change, 0, len(taken))
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, k := range taken {
		is, came := &settled[i], k.came
		if is.Busy { // who tells of them now may be telling something else
			s.againLocked(k)
			continue
		}
		k.came = k.due && k.came // else it counts for this round
		changes = k.settle(changes, is, came)
		s.countOut(k)
		moves = k.move(moves, is, came)
		s.countIn(k)
		if (!is.Online || is.Shared && !is.Here) && !k.due && !k.leaving {
			delete(s.known, k.latest.UserID)
		}
	}
	return changes, moves
}

func (s *Service) againLocked(k *known) {
	if !k.due {
		k.due = true
		s.due = append(s.due, k)
	}
}

// settle appends what is to be told of somebody, and notes it as told.
func (k *known) settle(changes []change, is *bus.Settled, came bool) []change {
	if is.Shared {
		k.told, k.online = wasTold(k.latest.UserID, is.Was), is.Was != ""
	}
	becomes := k.latest
	if is.Shared && k.online && !came {
		becomes = k.told
	}
	another := !isSame(becomes, k.told)
	if k.online && (!is.Online || another) {
		changes = append(changes, change{who: k.told})
	}
	begun := wasTold(k.latest.UserID, is.Begun)
	if shown := is.Begun != "" && (!k.online || !isSame(begun, k.told)); shown && (!is.Online || !isSame(begun, becomes)) {
		changes = append(changes, change{who: begun})
	}
	switch {
	case is.Online && (!k.online || another || is.Unsure):
		if becomes.Role != "" { // else nobody here knows them
			changes = append(changes, change{who: becomes, online: true})
		}
	case !is.Online && !k.online && (came || k.lost && begun.Role == "" && k.latest.Role != ""):
		changes = append(changes, change{who: k.latest}) // that they came was not told, but who looked may have seen them there
	}
	k.lost = false
	if k.online = is.Online; is.Online {
		k.told = becomes
	}
	return changes
}

// isSame says that who hears of the one hears of the other.
func isSame(a, b auth.Identity) bool { return a.Role == b.Role && a.CompanyID == b.CompanyID }

// Close tells at once what awaits the next round, while there is somebody to hear it, so that what is stored of each
// person is true at the end as well. From then on every change is told at once: there is no later. It fails where ctx ends
// first; what has not been told then may not be.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.round(ctx)
		s.armed.Wait()
		s.seen.close(ctx)
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("tell who has come or gone: %w", ctx.Err())
	}
}
