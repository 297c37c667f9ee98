package redis

import (
	"context"
	"sync"

	"rolecall/internal/bus/redis/wire"
	"rolecall/internal/roles"
)

// asked are the questions to other nodes that await answers.
type asked struct {
	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan wire.Question
}

// maxAnswers bounds how many answers may wait to be read.
const maxAnswers = 256

func newAsked() *asked { return &asked{waiting: make(map[uint64]chan wire.Question)} }

func (a *asked) begin() (id uint64, answers <-chan wire.Question) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	made := make(chan wire.Question, maxAnswers)
	a.waiting[a.last] = made
	return a.last, made
}

func (a *asked) end(id uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waiting, id)
}

// answered hands an answer to who has asked, if they still wait.
func (a *asked) answered(e *wire.Envelope) error {
	answer, err := wire.DecodeQuestion(e.Body)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case a.waiting[answer.ID] <- answer: // of nil nothing is taken
	default:
	}
	return nil
}

// ask asks the nodes that listen to a room, or all where there is none, and calls each with their answers, until all have
// come or patience ends: an answer that does not come is left out.
func (b *Bus) ask(ctx context.Context, kind string, rooms []string, limit int, each func(answer *wire.Question) (more bool)) {
	client := b.reachable()
	if client == nil || b.peers.alone() {
		return
	}
	id, answers := b.asked.begin()
	defer b.asked.end(id)
	question := wire.Question{ID: id, Limit: uint64(max(0, limit))}
	message := b.seal(&wire.Envelope{Kind: kind, Rooms: rooms, Body: question.Append(nil)}, 0, nil)
	l := b.lanes[0]
	channel := l.everyone()
	if len(rooms) == 1 || kind == kindAskCount {
		l = b.laneOf(rooms[0])
		channel = l.topic(rooms[0])
	}
	ctx, cancel := context.WithTimeout(ctx, b.options.Patience/4)
	defer cancel()
	listeners, err := client.Do(ctx, l.publishing(client, channel, message)).AsInt64()
	if err != nil {
		b.log.WarnContext(ctx, "other nodes were not asked", "event", kind, "error", err)
		return
	}
	if channel == l.everyone() || l.topics.hears(rooms[0]) {
		listeners-- // this node hears itself
	}
	for ; listeners > 0; listeners-- {
		select {
		case answer := <-answers:
			if !each(&answer) {
				return
			}
		case <-ctx.Done():
			b.counters.unanswered.Add(listeners)
			return
		}
	}
}

// answer tells a node what it has asked for.
func (b *Bus) answer(ctx context.Context, e *wire.Envelope) error {
	question, err := wire.DecodeQuestion(e.Body)
	if err != nil {
		return err
	}
	rooms := roles.Rooms(e.Rooms)
	if e.Kind == kindAskCount {
		n, err := b.here.SocketCount(ctx, rooms...)
		if err != nil {
			return err
		}
		question.Number = uint64(max(0, n))
	} else if question.Users, err = b.here.UsersIn(ctx, int(min(question.Limit, maxAsked)), rooms...); err != nil {
		return err
	}
	message := b.seal(&wire.Envelope{Kind: kindAnswer, Body: question.Append(nil)}, 0, nil)
	l := b.lanes[0]
	l.outbox.put(outgoing{message: message, channel: l.own(e.Sender)})
	return nil
}

// maxAsked bounds the users of one answer.
const maxAsked = 100_000

// SocketCount implements bus.Bus. While other nodes cannot be asked it counts this one's.
func (b *Bus) SocketCount(ctx context.Context, rooms ...roles.Room) (int, error) {
	n, err := b.here.SocketCount(ctx, rooms...)
	if err == nil && len(rooms) > 0 {
		b.ask(ctx, kindAskCount, roles.Names(rooms), 0, func(answer *wire.Question) bool {
			n += int(min(answer.Number, maxAsked))
			return true
		})
	}
	return n, err
}

// UsersIn implements bus.Bus. While other nodes cannot be asked it lists this one's.
func (b *Bus) UsersIn(ctx context.Context, limit int, rooms ...roles.Room) ([]string, error) {
	users, err := b.here.UsersIn(ctx, limit, rooms...)
	if err != nil || len(users) >= limit || len(rooms) == 0 {
		return users, err
	}
	seen := make(map[string]bool, len(users))
	for _, user := range users {
		seen[user] = true
	}
	b.ask(ctx, kindAskUsers, roles.Names(rooms), limit, func(answer *wire.Question) bool {
		for _, user := range answer.Users {
			if len(users) < limit && !seen[user] {
				seen[user] = true
				users = append(users, user)
			}
		}
		return len(users) < limit
	})
	return users, nil
}
