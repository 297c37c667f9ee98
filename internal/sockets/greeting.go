package sockets

import (
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
	if left := n.welcome(caller, n.welcomers, true); len(left) > 0 {
		go n.welcomeLater(socket, left) // until the socket ends
	}
	n.after(func(ctx context.Context) { n.presence.Came(ctx, who) })
}

// Waits between attempts to greet a socket that was not told everything, each longer than the one before.
const (
	firstWelcomeWait = time.Second
	maxWelcomeWait   = 8 * time.Second
)

// welcome has domains tell a socket what they have to tell it first, and returns those that could not.
func (n *namespace) welcome(caller *event.Caller, domains []Welcomer, first bool) (left []Welcomer) {
	ctx := caller.Context()
	for _, domain := range domains {
		err := domain.Welcome(ctx, caller)
		if err == nil || ctx.Err() != nil {
			continue
		}
		left = append(left, domain)
		if first {
			n.log.ErrorContext(ctx, "not everything was told to a new socket, it is tried again", "user", caller.Who.UserID, "error", err)
		}
	}
	return left
}

// welcomeLater has a socket told what could not be told when it came, as where the store was away, so that it lacks nothing
// once that is back.
func (n *namespace) welcomeLater(socket realtime.Socket, left []Welcomer) {
	for wait := firstWelcomeWait; len(left) > 0; wait = min(2*wait, maxWelcomeWait) {
		timer := time.NewTimer(rand.N(wait) + wait/2) // not all of them at once
		select {
		case <-socket.Context().Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		who := credentialOf(socket).identity()
		turn := &greeting{Socket: socket, turns: n.greetings, who: who}
		if turn.take() == nil {
			left = n.welcome(&event.Caller{Socket: turn, Who: who}, left, false)
		}
		turn.giveBack()
	}
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
