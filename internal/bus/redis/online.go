package redis

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
)

// occupied says whether sockets stand in a room here.
func (b *Bus) occupied(ctx context.Context, room string) bool {
	n, err := b.here.SocketCount(ctx, roles.Room(room))
	return err != nil || n > 0
}

// reachable is what sends commands; nil where Redis cannot be reached now, or does not know this node yet.
func (b *Bus) reachable() rueidis.Client {
	if !b.healthy() {
		return nil
	}
	for _, l := range b.lanes {
		if session, _ := l.presence.current(); session == "" {
			return nil
		}
	}
	return b.link.ready()
}

// Online implements bus.Bus. While Redis cannot be reached it tells of this node's own alone.
func (b *Bus) Online(ctx context.Context, userIDs ...string) (map[string]bool, error) {
	online, err := b.here.Online(ctx, userIDs...)
	client := b.reachable()
	if err != nil || client == nil {
		return online, err
	}
	byLane := make(map[*lane][]string)
	for _, userID := range userIDs {
		if l := b.laneOf(userID); !online[userID] {
			byLane[l] = append(byLane[l], userID)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, b.options.Patience)
	defer cancel()
	for l, absent := range byLane {
		_, others := l.presence.current()
		commands := make([]rueidis.Completed, len(others))
		for i, session := range others {
			commands[i] = client.B().Smismember().Key(l.presence.key("on:" + session)).Member(absent...).Build()
		}
		for _, result := range client.DoMulti(ctx, commands...) {
			is, err := result.AsIntSlice()
			if err != nil {
				return nil, fmt.Errorf("who is online on other nodes: %w", err)
			}
			for i, userID := range absent {
				if i < len(is) && is[i] == 1 {
					online[userID] = true
				}
			}
		}
	}
	return online, nil
}

// Settle implements bus.Bus. While Redis cannot be reached every node tells its own sockets what it knows.
func (b *Bus) Settle(ctx context.Context, people ...bus.Settling) (settled []bus.Settled, done func(), err error) {
	client := b.reachable()
	if client == nil {
		b.unsettled.Store(true)
		return b.here.Settle(ctx, people...)
	}
	userIDs := make([]string, len(people))
	places := make(map[*lane][]int)
	for i := range people {
		userIDs[i] = people[i].UserID
		l := b.laneOf(people[i].UserID)
		places[l] = append(places[l], i)
	}
	here, err := b.here.Online(ctx, userIDs...)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, b.options.Patience)
	defer cancel()
	settled = make([]bus.Settled, len(people))
	for l, its := range places {
		session, _ := l.presence.current()
		part := make([]bus.Settling, len(its))
		for at, i := range its {
			part[at] = people[i]
		}
		answers, err := l.presence.settle(ctx, client, session, part, here)
		if err != nil {
			return nil, nil, err
		}
		for at, i := range its {
			settled[i] = answers[at]
		}
	}
	return settled, func() { b.doneTelling(places, userIDs) }, nil
}

// doneTelling lets other nodes tell of users, once all that this one has told of them is published.
func (b *Bus) doneTelling(places map[*lane][]int, userIDs []string) {
	for l, its := range places {
		arguments := make([]string, 1, 1+len(its))
		arguments[0] = b.node
		for _, i := range its {
			arguments = append(arguments, userIDs[i])
		}
		l.outbox.put(outgoing{after: func() {
			client := b.reachable()
			if client == nil {
				return // the claims end by themselves
			}
			ctx, cancel := context.WithTimeout(context.Background(), b.options.Patience)
			defer cancel()
			if err := b.scripts.done.Exec(ctx, client, []string{l.presence.key("told"), l.presence.key("untold")}, arguments).Error(); err != nil {
				b.log.Warn("claims on what is told of users are left to end", "error", err)
			}
		}})
	}
}

// Others lists the other nodes that are there, by the ids that their messages carry, and says whether that is known: it is not
// while Redis delivers nothing, nor until those with a lease have been heard again.
func (b *Bus) Others() (nodes []string, known bool) {
	if b.peers.alone() {
		return nil, true
	}
	nodes = b.peers.others()
	return nodes, b.healthy() && len(nodes) > 0
}

// Gone implements bus.Bus.
func (b *Bus) Gone(f func(ctx context.Context, userIDs []string)) { b.gone.Store(&f) }
