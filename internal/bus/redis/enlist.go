package redis

import (
	"context"
	"strconv"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
)

// Enlist implements bus.Bus. Those who come together are enlisted together. While Redis cannot be reached nobody is: what Settle
// has to say is enough then.
func (b *Bus) Enlist(people ...bus.Settling) {
	for i := range people {
		b.laneOf(people[i].UserID).presence.arrives(&people[i])
	}
}

func (p *presence) arrives(who *bus.Settling) {
	p.mu.Lock()
	p.arrived[who.UserID] = *who
	p.mu.Unlock()
	select {
	case p.arrival <- struct{}{}:
	default:
	}
}

// settles has people not enlisted any more: what is settled of them says more.
func (p *presence) settles(people []bus.Settling) {
	p.enlisting.Lock() // so that none is just being enlisted
	defer p.enlisting.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range people {
		delete(p.arrived, people[i].UserID)
	}
}

// arrivals enlists those who come until ctx ends.
func (p *presence) arrivals(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.arrival:
			p.enlist(ctx)
		}
	}
}

func (p *presence) enlist(ctx context.Context) {
	p.enlisting.Lock()
	defer p.enlisting.Unlock()
	p.mu.Lock()
	session, arrived := p.session, p.arrived
	p.arrived = make(map[string]bus.Settling)
	p.mu.Unlock()
	client := p.lane.bus.reachable()
	if client == nil || session == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, p.lane.bus.options.Patience/4)
	defer cancel()
	arguments, users := []string{p.lane.base, session}, 0
	send := func() bool {
		if users == 0 {
			return true
		}
		err := p.lane.bus.scripts.enlist.Exec(ctx, client, p.listKeys(), arguments).Error()
		if err != nil { // they are found when it is told that they have come
			p.lane.bus.log.Debug("users are not enlisted", "users", users, "error", err)
		}
		arguments, users = arguments[:2:2], 0
		return err == nil
	}
	for _, who := range arrived {
		arguments = append(arguments, who.UserID, strconv.Itoa(len(who.Rooms)))
		arguments = append(arguments, roles.Names(who.Rooms)...)
		if users++; users == maxScript && !send() {
			return
		}
	}
	send()
}
