package sockets

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/realtime"
	"rolecall/internal/sockets/event"
	"rolecall/internal/turns"
)

// greetingTurns is how many sockets are greeted at a time: enough to keep the processors and the store busy, and so few of
// one company or person that others are always greeted beside them.
func greetingTurns() *turns.Turns { return turns.New(turns.Bounds{All: 8, Tenant: 4, Person: 2}) }

// Connected greets a socket when its turn has come. One that goes before is not greeted.
func (n *namespace) Connected(socket realtime.Socket) {
	credential := credentialOf(socket)
	credential.watch() // first, since what follows may wait for others and for the store
	if n.endIfRevoked(socket) {
		return
	}
	who := credential.identity()
	n.meter.Opened(who.Role) // a socket keeps its role
	turn := &greeting{Socket: socket, turns: n.greetings, who: who}
	if turn.take() != nil {
		return // nobody is told that it came
	}
	defer func() { turn.giveBack() }()
	credential.greeted = true
	caller := &event.Caller{Socket: turn, Who: who}
	all := make([]telling, len(n.welcomers))
	for i, domain := range n.welcomers {
		all[i] = domain.Welcome
	}
	if left, err := tellAll(socket.Context(), caller, all); len(left) > 0 {
		n.log.ErrorContext(socket.Context(), "not everything was told to a new socket, it is tried again", "user", who.UserID, "error", err)
		n.tellLater(socket, left, firstTellingWait)
	}
	n.after(func(ctx context.Context) { n.presence.Came(ctx, who) })
}

// Waits between attempts to tell a socket what could not be read, each longer than the one before.
const (
	firstTellingWait = time.Second
	maxTellingWait   = 8 * time.Second
)

// telling tells a socket what a domain has to tell it. It fails where that cannot be read for the moment.
type telling func(ctx context.Context, caller *event.Caller) error

// tellAll returns what could not be told to a socket that is still there, and why the first of it.
func tellAll(ctx context.Context, caller *event.Caller, all []telling) (left []telling, why error) {
	for _, tell := range all {
		if err := tell(ctx, caller); err != nil && caller.Context().Err() == nil {
			left, why = append(left, tell), cmp.Or(why, err)
		}
	}
	return left, why
}

// tellLater has a socket told what could not be told, as where the store was away, so that it lacks nothing once that is back.
func (m *Mount) tellLater(socket realtime.Socket, left []telling, wait time.Duration) {
	time.AfterFunc(rand.N(wait)+wait/2, func() { // not all sockets at once
		if socket.Context().Err() != nil {
			return
		}
		who := credentialOf(socket).identity()
		turn := &greeting{Socket: socket, turns: m.greetings, who: who}
		err := turn.take()
		defer func() { turn.giveBack() }()
		if err != nil {
			return // it has gone
		}
		left, _ := tellAll(socket.Context(), &event.Caller{Socket: turn, Who: who}, left)
		if len(left) > 0 {
			m.tellLater(socket, left, min(2*wait, maxTellingWait))
		}
	})
}

// greeting is a socket while it is greeted.
type greeting struct {
	realtime.Socket
	turns    *turns.Turns
	who      auth.Identity
	giveBack func()
}

func (g *greeting) take() error {
	done, err := g.turns.Take(g.Context(), tenantOf(g.who), g.who.UserID)
	if g.giveBack = done; err != nil {
		g.giveBack = func() {}
	}
	return err
}

// AwaitRoom implements realtime.Socket. While a client reads, others are greeted.
func (g *greeting) AwaitRoom(ctx context.Context) error {
	at, once := context.WithCancel(ctx)
	once()
	if g.Socket.AwaitRoom(at) == nil {
		return nil // there is room already
	}
	g.giveBack()
	err := g.Socket.AwaitRoom(ctx)
	if g.take() != nil && err == nil {
		err = realtime.ErrNotConnected
	}
	return err
}

// tenantOf is with whom somebody shares turns: their company, or nobody.
func tenantOf(who auth.Identity) string {
	if who.CompanyID != "" {
		return "company:" + who.CompanyID
	}
	return "user:" + who.UserID
}
