package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"rolecall/internal/bus"
	"rolecall/internal/bus/redis/wire"
	"rolecall/internal/roles"
)

// asked are the questions to other nodes that await answers.
type asked struct {
	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan reply
}

// reply is an answer as it comes.
type reply struct {
	node string
	body []byte
}

// spareAnswers is how many answers more than are expected may wait to be read.
const spareAnswers = 8

func newAsked() *asked { return &asked{waiting: make(map[uint64]chan reply)} }

func (a *asked) begin(expected int) (id uint64, answers <-chan reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	made := make(chan reply, expected+spareAnswers)
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
	id, err := wire.AnswerID(e.Body)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case a.waiting[id] <- reply{e.Sender, e.Body}: // of nil nothing is taken
	default:
	}
	return nil
}

// question is what other nodes are asked.
type question struct {
	kind string
	// rooms are those that it is about. Who listens to the first is asked where that is enough: first; else all are.
	rooms []string
	first bool
	body  func(id uint64) []byte
}

// errNotAsked says that nobody can be asked.
var errNotAsked = fmt.Errorf("%w: redis delivers nothing", bus.ErrUnreachable)

// ask asks other nodes and calls each with their answers, until all have come, each has enough, or ctx ends: an answer that does
// not come is left out. It returns how many of the nodes that are there have not answered.
func (b *Bus) ask(ctx context.Context, q question, each func(from reply) (more bool)) (missing int, err error) {
	if b.peers.alone() {
		return 0, nil
	}
	client := b.reachable()
	if client == nil {
		return 0, errNotAsked
	}
	heard := b.peers.heard()
	id, answers := b.asked.begin(heard)
	defer b.asked.end(id)
	message := b.seal(&wire.Envelope{Kind: q.kind, Rooms: q.rooms, Body: q.body(id)}, 0, nil)
	l := b.lanes[0]
	channel := l.everyone()
	if q.first {
		l = b.laneOf(q.rooms[0])
		channel = l.topic(q.rooms[0])
	}
	listeners, err := client.Do(ctx, l.publishing(client, channel, message)).AsInt64()
	if err != nil {
		return 0, fmt.Errorf("ask other nodes: %w", err)
	}
	if !q.first || l.topics.hears(q.rooms[0]) {
		listeners-- // this node hears itself
	}
	// One that has fallen silent is listed by Redis until its connection is given up.
	for listeners = min(listeners, int64(heard)); listeners > 0; listeners-- {
		select {
		case answer := <-answers:
			if !each(answer) {
				return 0, nil
			}
		case <-ctx.Done():
			b.counters.unanswered.Add(listeners)
			return int(listeners), nil
		}
	}
	return 0, nil
}

// Ask implements bus.Bus.
func (b *Bus) Ask(ctx context.Context, asking bus.Message, each func(answer bus.Message) (more bool)) (missing int, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.options.Patience)
	defer cancel()
	unable := 0
	missing, err = b.ask(ctx, question{
		kind: kindAsk, rooms: roles.Names(asking.Rooms), first: len(asking.Rooms) > 0,
		body: func(id uint64) []byte {
			query := wire.Query{ID: id, Kind: asking.Kind, Body: asking.Body}
			return query.Append(nil)
		},
	}, func(from reply) bool {
		answer, err := wire.DecodeReply(from.body)
		if err != nil || !answer.OK {
			unable++
			return true
		}
		return each(bus.Message{Kind: asking.Kind, Rooms: asking.Rooms, Body: answer.Body, Node: from.node})
	})
	return missing + unable, err
}

// Answer implements bus.Bus.
func (b *Bus) Answer(kind string, answer func(ctx context.Context, question bus.Message) ([]byte, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answerers[kind] = answer
}

// answerQuery has a service answer what it asks on another node. It waits for nobody.
func (b *Bus) answerQuery(ctx context.Context, e *wire.Envelope) error {
	query, err := wire.DecodeQuery(e.Body)
	if err != nil {
		return err
	}
	b.mu.RLock()
	answer := b.answerers[query.Kind]
	b.mu.RUnlock()
	if answer == nil {
		b.reply(e.Sender, (&wire.Reply{ID: query.ID}).Append(nil))
		return fmt.Errorf("%w: %s", errNoHandler, query.Kind)
	}
	b.answering.Go(func() {
		b.guard(query.Kind, func() {
			ctx, cancel := context.WithTimeout(ctx, b.options.Patience)
			defer cancel()
			body, err := answer(ctx, bus.Message{Kind: query.Kind, Rooms: roles.Rooms(e.Rooms), Body: query.Body, Node: e.Sender})
			if err != nil {
				b.log.WarnContext(ctx, "a question of another node was not answered", "kind", query.Kind, "node", e.Sender, "error", err)
			}
			b.reply(e.Sender, (&wire.Reply{ID: query.ID, OK: err == nil, Body: body}).Append(nil))
		})
	})
	return nil
}

// answer tells a node what it has asked for of the bus itself.
func (b *Bus) answer(ctx context.Context, e *wire.Envelope) error {
	question, err := wire.DecodeQuestion(e.Body)
	if err != nil {
		return err
	}
	n, err := b.here.SocketCount(ctx, roles.Rooms(e.Rooms)...)
	if err != nil {
		return err
	}
	question.Number = uint64(max(0, n))
	b.reply(e.Sender, question.Append(nil))
	return nil
}

// reply sends an answer to the node that has asked.
func (b *Bus) reply(node string, body []byte) {
	message := b.seal(&wire.Envelope{Kind: kindAnswer, Body: body}, 0, nil)
	l := b.lanes[0]
	l.outbox.put(outgoing{message: message, channel: l.own(node)})
}

// maxAsked bounds the sockets that one answer counts.
const maxAsked = 100_000

// SocketCount implements bus.Bus. While other nodes cannot be asked it counts this one's, and when they can be, what may have been
// missed is told of (Lost).
func (b *Bus) SocketCount(ctx context.Context, rooms ...roles.Room) (int, error) {
	n, err := b.here.SocketCount(ctx, rooms...)
	if err == nil && len(rooms) > 0 {
		n += b.elsewhere(ctx, rooms...)
	}
	return n, err
}

// elsewhere is the number of sockets on other nodes that stand in all of the rooms. While they cannot be asked there are none.
func (b *Bus) elsewhere(ctx context.Context, rooms ...roles.Room) (n int) {
	ctx, cancel := context.WithTimeout(ctx, b.options.Patience/4)
	defer cancel()
	_, err := b.ask(ctx, question{
		kind: kindAskCount, rooms: roles.Names(rooms), first: true,
		body: func(id uint64) []byte {
			asking := wire.Question{ID: id}
			return asking.Append(nil)
		},
	}, func(from reply) bool {
		if answer, err := wire.DecodeQuestion(from.body); err == nil {
			n += int(min(answer.Number, maxAsked))
		}
		return true
	})
	if errors.Is(err, errNotAsked) {
		b.unsettled.Store(true)
	} else if err != nil {
		b.log.WarnContext(ctx, "other nodes were not asked", "event", kindAskCount, "error", err)
	}
	return n
}
