package redis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

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

// Online implements bus.Bus. While Redis cannot be reached it tells of this node's own alone, and when it can be, what may have been
// missed is told of (Lost).
func (b *Bus) Online(ctx context.Context, userIDs ...string) (map[string]bool, error) {
	online, err := b.here.Online(ctx, userIDs...)
	if err != nil {
		return online, err
	}
	client := b.reachable()
	if client == nil {
		b.unsettled.Store(true)
		return online, nil
	}
	elsewhere := slices.DeleteFunc(slices.Clone(userIDs), func(userID string) bool { return online[userID] })
	ctx, cancel := context.WithTimeout(ctx, b.options.Patience)
	defer cancel()
	for l, absent := range b.byLane(elsewhere) {
		if err := l.presence.listed(ctx, client, absent, online); err != nil {
			return nil, err
		}
	}
	return online, nil
}

// byLane are the users of each lane.
func (b *Bus) byLane(userIDs []string) map[*lane][]string {
	byLane := make(map[*lane][]string)
	for _, userID := range userIDs {
		l := b.laneOf(userID)
		byLane[l] = append(byLane[l], userID)
	}
	return byLane
}

// Shared implements bus.Bus.
func (b *Bus) Shared() bool { return b.reachable() != nil }

// ToldAs implements bus.Bus.
func (b *Bus) ToldAs(ctx context.Context, userIDs ...string) (map[string]string, error) {
	client := b.reachable()
	if client == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, b.options.Patience)
	defer cancel()
	all := make(map[string]string, len(userIDs))
	for l, its := range b.byLane(userIDs) {
		told, err := l.presence.told(ctx, client, its)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, told)
	}
	return all, nil
}

// listed adds those of the users who are online.
func (p *presence) listed(ctx context.Context, client rueidis.Client, userIDs []string, online map[string]bool) error {
	values, err := client.Do(ctx, client.B().Hmget().Key(p.key("listed")).Field(userIDs...).Build()).ToArray()
	if err != nil {
		return fmt.Errorf("who is online on other nodes: %w", err)
	}
	for i := range min(len(values), len(userIDs)) {
		if !values[i].IsNil() {
			online[userIDs[i]] = true
		}
	}
	return nil
}

// told says as whom those of the users were told to be online who were.
func (p *presence) told(ctx context.Context, client rueidis.Client, userIDs []string) (map[string]string, error) {
	values, err := client.Do(ctx, client.B().Hmget().Key(p.key("told")).Field(userIDs...).Build()).ToArray()
	if err != nil {
		return nil, fmt.Errorf("as whom users were told: %w", err)
	}
	told := make(map[string]string, len(userIDs))
	for i := range values {
		if i >= len(userIDs) || values[i].IsNil() {
			continue
		}
		value, err := values[i].ToString()
		if err != nil {
			return nil, fmt.Errorf("as whom users were told: %w", err)
		}
		if parts := strings.SplitN(value, ";", 3); len(parts) == 3 && parts[2] != "" {
			told[userIDs[i]] = parts[2]
		}
	}
	return told, nil
}

// UsersIn implements bus.Bus. While Redis cannot be reached it lists this node's own, and when it can be, what may have been
// missed is told of (Lost).
func (b *Bus) UsersIn(ctx context.Context, limit int, rooms ...roles.Room) ([]string, error) {
	users, err := b.here.UsersIn(ctx, limit, rooms...)
	if err != nil || len(users) >= limit || len(rooms) == 0 {
		return users, err
	}
	client := b.reachable()
	if client == nil {
		b.unsettled.Store(true)
		return users, nil
	}
	ctx, cancel := context.WithTimeout(ctx, b.options.Patience)
	defer cancel()
	seen := make(map[string]bool, len(users))
	for _, user := range users {
		seen[user] = true
	}
	for _, l := range b.lanes {
		found, err := l.presence.usersIn(ctx, client, limit, rooms)
		if err != nil {
			return nil, err
		}
		for _, user := range found {
			if len(users) < limit && !seen[user] {
				seen[user] = true
				users = append(users, user)
			}
		}
	}
	return users, nil
}

// usersIn lists users of this lane who are online and found in any of the rooms, up to limit of each.
func (p *presence) usersIn(ctx context.Context, client rueidis.Client, limit int, rooms []roles.Room) ([]string, error) {
	var users, own []string
	var commands rueidis.Commands
	for _, room := range rooms {
		if user, is := roles.UserAmong([]string{string(room)}); !is {
			commands = append(commands, client.B().Srandmember().Key(p.key("in:"+string(room))).Count(int64(limit)).Build())
		} else if p.lane.bus.laneOf(user) == p.lane {
			own = append(own, user)
		}
	}
	for _, result := range client.DoMulti(ctx, commands...) {
		found, err := result.AsStrSlice()
		if err != nil {
			return nil, fmt.Errorf("who is found in rooms: %w", err)
		}
		users = append(users, found...)
	}
	if len(own) == 0 {
		return users, nil
	}
	online := make(map[string]bool, len(own))
	if err := p.listed(ctx, client, own, online); err != nil {
		return nil, err
	}
	return slices.AppendSeq(users, maps.Keys(online)), nil
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
	claim := b.claims.Add(1)
	for l, its := range places {
		session, _ := l.presence.current()
		part := make([]bus.Settling, len(its))
		for at, i := range its {
			part[at] = people[i]
		}
		answers, err := l.presence.settle(ctx, client, session, claim, part, here)
		if err != nil {
			return nil, nil, err
		}
		for at, i := range its {
			settled[i] = answers[at]
		}
	}
	return settled, func() { b.doneTelling(claim, places, userIDs) }, nil
}

// doneTelling lets other nodes tell of users, once all that this one has told of them is published.
func (b *Bus) doneTelling(claim uint64, places map[*lane][]int, userIDs []string) {
	for l, its := range places {
		arguments := make([]string, 1, 1+len(its))
		arguments[0] = b.node + "#" + strconv.FormatUint(claim, 10)
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
