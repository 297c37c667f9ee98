package bridge

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"rolecall/internal/bridge/wire"
	"rolecall/internal/realtime"
)

const (
	// maxAsked is how many clients may be asked at a time for acks that others want.
	maxAsked = 10_000
	// longestAsk and shortestAsk are how long they have, whatever others say.
	longestAsk  = time.Minute
	shortestAsk = time.Millisecond
)

// asking are the clients that are being asked.
type asking struct {
	mu      sync.Mutex
	count   int
	waiting sync.WaitGroup
}

// begin reports whether so many more may be asked.
func (a *asking) begin(clients int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count+clients > maxAsked {
		return false
	}
	a.count += clients
	a.waiting.Add(clients)
	return true
}

func (a *asking) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count--
	a.waiting.Done()
}

// wait returns when no client is being asked any more. Nobody begins.
func (a *asking) wait() { a.waiting.Wait() }

// ask sends an event that clients are to answer. First others are told how many these are, also where there are none; then
// what each has answered.
func (b *Bridge) ask(ctx context.Context, n *namespace, asked *wire.Request) error {
	sent := &asked.Broadcast
	var clients []realtime.Socket
	to, err := b.permit(n, sent)
	if err == nil && len(to) > 0 {
		for socket := range b.engine.SocketsIn(n.name, to, sent.Except) {
			if clients = append(clients, socket); len(clients) > maxAsked {
				break
			}
		}
		if !b.asking.begin(len(clients)) {
			clients, err = nil, refusal{reason: errTooMany, from: asked.UID, about: sent.Event}
		}
	}
	b.respond(ctx, n)(wire.AppendClientCount(nil, asked.RequestID, len(clients)))
	if len(clients) == 0 {
		return err
	}
	b.counters.delivered.Add(1)
	ctx, cancel := context.WithTimeout(ctx, min(max(sent.Timeout, shortestAsk), longestAsk))
	var all sync.WaitGroup
	for _, client := range clients {
		all.Go(func() {
			defer b.asking.end()
			b.askOne(ctx, n, asked, client)
		})
	}
	go func() {
		all.Wait()
		cancel()
	}()
	return err
}

// askOne sends the event to one client and tells what it has answered: the first of the arguments. Where nothing comes in
// time, nothing is told, as by any server.
func (b *Bridge) askOne(ctx context.Context, n *namespace, asked *wire.Request, client realtime.Socket) {
	answer, err := client.Call(ctx, asked.Broadcast.Event, argumentsOf(&asked.Broadcast))
	if err != nil {
		b.counters.unanswered.Add(1)
		return
	}
	value := json.RawMessage("null")
	if len(answer.Args) > 0 {
		value = answer.Args[0]
	}
	b.respond(ctx, n)(wire.AppendAck(nil, asked.RequestID, value, answer.Binary))
}
