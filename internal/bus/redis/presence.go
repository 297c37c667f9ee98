package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
)

// presence is who is online, of the users of a lane. In Redis stand
//
//	nodes            a sorted set: sessions of nodes, by when their leases end, Unix milliseconds of Redis' clock
//	on:<session>     a set: users who are online on a node, from when they have come until it is settled that they have gone
//	told             a hash: what was told of each user last, see settleScript
//	untold           a hash: what was told before, of users of whom a node is just telling
//	listed           a hash: the rooms in which a user is found who is online
//	in:<room>        a set: who is found in a room
//	claim:<session>  who tells that the users of a node that has died are gone
//
// A session is a node's from when it reaches Redis until its lease ends. One that comes back later begins another, so that
// nobody takes what it says for what was true before.
type presence struct {
	lane    *lane
	arrival chan struct{} // somebody has
	// enlisting is held while users are enlisted, and before they are settled: else it might be undone.
	enlisting sync.Mutex

	mu      sync.Mutex
	session string                  // empty while there is none
	retired []string                // this node's former sessions, which are to be told to have ended
	resync  bool                    // the next session is to be told of
	number  int                     // of sessions so far
	others  []string                // sessions of other nodes with a lease
	arrived map[string]bus.Settling // who is to be enlisted, by user id
	sweeps  time.Time               // when it is looked whether anybody was forgotten; zero where there is no reason to
}

func newPresence(l *lane) *presence {
	return &presence{lane: l, arrived: make(map[string]bus.Settling), arrival: make(chan struct{}, 1)}
}

const (
	// maxScript is how many users one script looks at: it holds up the server meanwhile.
	maxScript = 200
	// tellingTime is how long a node may take to tell of a change before others may, and to tell of a dead node's users.
	tellingTime = 15 * time.Second
)

func (p *presence) key(name string) string { return p.lane.base + name }

// listKeys are the keys of the scripts that begin with listScript.
func (p *presence) listKeys() []string {
	return []string{p.key("nodes"), p.key("told"), p.key("untold"), p.key("listed")}
}

// current is the session of this node, and those of others.
func (p *presence) current() (own string, others []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.session, p.others
}

// beat renews the lease; where that has ended a new session begins. Users of nodes whose leases have ended are told of.
func (p *presence) beat(ctx context.Context, client rueidis.Client) error {
	session, _ := p.current()
	if session != "" {
		mine, dead, err := p.renew(ctx, client, session, false)
		if err != nil {
			return err
		}
		if mine {
			return errors.Join(p.bury(ctx, client, dead), p.sweep(ctx, client))
		}
		p.retire()
	}
	p.mu.Lock()
	p.number++
	fresh := p.lane.bus.node + "." + strconv.Itoa(p.number)
	p.mu.Unlock()
	if err := p.enrol(ctx, client, fresh); err != nil {
		return err
	}
	_, dead, err := p.renew(ctx, client, fresh, true)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.session = fresh
	retired, resync := p.retired, p.resync
	p.resync = false
	p.mu.Unlock()
	if !resync {
		return p.bury(ctx, client, dead)
	}
	p.lane.bus.miss("others may have told that everybody here is gone")
	for _, former := range retired {
		end := client.B().Zadd().Key(p.key("nodes")).ScoreMember().ScoreMember(0, former).Build()
		if err := client.Do(ctx, end).Error(); err != nil {
			return fmt.Errorf("end a former session: %w", err)
		}
	}
	p.mu.Lock()
	p.retired, p.sweeps = nil, time.Now().Add(p.lane.bus.options.Lease+p.lane.bus.options.Beat)
	p.mu.Unlock()
	return p.bury(ctx, client, dead)
}

// retire ends the session: what it says may be untrue by now. The next beat begins another.
func (p *presence) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != "" {
		p.retired = append(p.retired, p.session)
		p.session, p.resync = "", true
	}
}

// renewAll ends the session, if there is one, and has everybody looked at again when the next begins.
func (p *presence) renewAll() {
	p.retire()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resync = true
}

func (p *presence) renew(ctx context.Context, client rueidis.Client, session string, begin bool) (mine bool, dead []string, err error) {
	lease := strconv.FormatInt(p.lane.bus.options.Lease.Milliseconds(), 10)
	answer, err := p.lane.bus.scripts.beat.Exec(ctx, client, []string{p.key("nodes")}, []string{session, lease, flag(begin)}).ToArray()
	if err != nil {
		return false, nil, fmt.Errorf("renew lease: %w", err)
	}
	if len(answer) != 3 {
		return false, nil, errAnswer
	}
	is, err := answer[0].AsInt64()
	live, errLive := answer[1].AsStrSlice()
	dead, errDead := answer[2].AsStrSlice()
	if err := errors.Join(err, errLive, errDead); err != nil {
		return false, nil, fmt.Errorf("renew lease: %w", err)
	}
	own := p.lane.bus.node + "."
	others := slices.DeleteFunc(live, func(other string) bool { return strings.HasPrefix(other, own) })
	p.mu.Lock()
	p.others = others
	p.mu.Unlock()
	return is == 1, dead, nil
}

func flag(is bool) string {
	if is {
		return "1"
	}
	return "0"
}

var errAnswer = errors.New("redis has answered something else than was asked")

// enrol writes down who is online here, under a session that is about to begin.
func (p *presence) enrol(ctx context.Context, client rueidis.Client, session string) error {
	var users []string
	for _, room := range p.lane.topics.names() {
		if user, is := roles.UserAmong([]string{room}); is {
			users = append(users, user)
		}
	}
	online, err := p.lane.bus.here.Online(ctx, users...)
	if err != nil {
		return err
	}
	users = slices.DeleteFunc(users, func(user string) bool { return !online[user] })
	for part := range slices.Chunk(users, maxSubscribe) {
		command := client.B().Sadd().Key(p.key("on:" + session)).Member(part...).Build()
		if err := client.Do(ctx, command).Error(); err != nil {
			return fmt.Errorf("write down who is online: %w", err)
		}
	}
	return nil
}

// bury tells that the users of dead nodes are gone, but for those that are online elsewhere. One node does so.
func (p *presence) bury(ctx context.Context, client rueidis.Client, dead []string) error {
	for _, session := range dead {
		claim := client.B().Set().Key(p.key("claim:" + session)).Value(p.lane.bus.node).Nx().Px(tellingTime).Build()
		if err := client.Do(ctx, claim).Error(); rueidis.IsRedisNil(err) {
			continue // somebody else has
		} else if err != nil {
			return fmt.Errorf("claim a dead node: %w", err)
		}
		users, err := client.Do(ctx, client.B().Smembers().Key(p.key("on:"+session)).Build()).AsStrSlice()
		if err != nil {
			return fmt.Errorf("users of a dead node: %w", err)
		}
		// It may have died while it told of others, who are on no node's account any more.
		telling, err := client.Do(ctx, client.B().Hkeys().Key(p.key("untold")).Build()).AsStrSlice()
		if err != nil {
			return fmt.Errorf("of whom a dead node told: %w", err)
		}
		users = append(users, telling...)
		slices.Sort(users)
		users = slices.Compact(users)
		p.lane.bus.log.InfoContext(ctx, "a node has gone", "node", session, "users", len(users))
		p.lane.bus.tellGone(ctx, users)
		for _, result := range client.DoMulti(ctx,
			client.B().Del().Key(p.key("on:"+session)).Build(),
			client.B().Zrem().Key(p.key("nodes")).Member(session).Build(),
		) {
			if err := result.Error(); err != nil {
				return fmt.Errorf("forget a dead node: %w", err)
			}
		}
	}
	return nil
}

// leave ends the session in order: who is still online here is gone.
func (p *presence) leave(ctx context.Context, client rueidis.Client) error {
	p.mu.Lock()
	session := p.session
	p.session = ""
	p.mu.Unlock()
	if session == "" {
		return nil
	}
	return client.Do(ctx, client.B().Zadd().Key(p.key("nodes")).ScoreMember().ScoreMember(0, session).Build()).Error()
}

// settle asks of users of this lane.
func (p *presence) settle(
	ctx context.Context, client rueidis.Client, session string, claim uint64, people []bus.Settling, here map[string]bool,
) ([]bus.Settled, error) {
	p.settles(people)
	settled := make([]bus.Settled, 0, len(people))
	telling := strconv.FormatInt(tellingTime.Milliseconds(), 10)
	for part := range slices.Chunk(people, maxScript) {
		arguments := []string{p.lane.base, session, p.lane.bus.node, strconv.FormatUint(claim, 10), telling}
		for i := range part {
			one := &part[i]
			arguments = append(arguments, one.UserID, flag(here[one.UserID]), one.As, flag(one.Keep), strconv.Itoa(len(one.Rooms)))
			arguments = append(arguments, roles.Names(one.Rooms)...)
		}
		answers, err := p.lane.bus.scripts.settle.Exec(ctx, client, p.listKeys(), arguments).ToArray()
		if err != nil {
			return nil, fmt.Errorf("settle who is online: %w", err)
		}
		if len(answers) != len(part) {
			return nil, errAnswer
		}
		for i := range answers {
			one, err := settledOf(&answers[i])
			if err != nil {
				return nil, err
			}
			one.Here = here[part[i].UserID]
			settled = append(settled, one)
		}
	}
	return settled, nil
}

func settledOf(answer *rueidis.RedisMessage) (bus.Settled, error) {
	parts, err := answer.ToArray()
	if err != nil || len(parts) != 4 {
		return bus.Settled{}, errors.Join(errAnswer, err)
	}
	online, err := parts[0].AsInt64()
	was, errWas := parts[1].ToString()
	busy, errBusy := parts[2].AsInt64()
	if err := errors.Join(err, errWas, errBusy); err != nil {
		return bus.Settled{}, errors.Join(errAnswer, err)
	}
	settled := bus.Settled{Online: online == 1, Shared: true, Was: was, Busy: busy == 1}
	if !parts[3].IsNil() {
		settled.Unsure = true
		if settled.Begun, err = parts[3].ToString(); err != nil {
			return bus.Settled{}, errors.Join(errAnswer, err)
		}
	}
	return settled, nil
}

// cutSession is the node of a session, and its number.
func cutSession(session string) (node, number string, ok bool) { return strings.Cut(session, ".") }
