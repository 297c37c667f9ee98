package bridge

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	// patience is how long Redis may take for anything.
	patience = 2 * time.Second
	// pauseBetween is how long it is left alone when it could not be reached.
	pauseBetween = 500 * time.Millisecond
)

// keepConnected listens and sends until ctx ends, over one connection after the other.
func (b *Bridge) keepConnected(ctx context.Context) {
	told := false
	for ctx.Err() == nil {
		begun := time.Now()
		err := b.connect(ctx)
		wasUp := b.up.Swap(false)
		if ctx.Err() != nil {
			return
		}
		if wasUp || !told { // not once an attempt
			b.log.WarnContext(ctx, "bridge: redis is not heard: other servers of Socket.IO hear nothing of this one, and this one nothing of them",
				"error", err)
			told = true
		}
		timer := time.NewTimer(max(0, pauseBetween-time.Since(begun)))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// connect subscribes to all that is to be heard, and sends what is queued, until the connection is lost or ctx ends.
func (b *Bridge) connect(ctx context.Context) error {
	client, err := rueidis.NewClient(b.redis)
	if err != nil {
		return fmt.Errorf("reach redis: %w", err)
	}
	defer client.Close()
	defer b.conns.Cut() // of one that delivers nothing no goodbye comes
	listening, giveBack := client.Dedicate()
	defer giveBack()
	lost := listening.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: func(m rueidis.PubSubMessage) { b.receive(m) }})
	if err := b.subscribe(ctx, listening); err != nil {
		return err
	}
	b.up.Store(true)
	b.log.InfoContext(ctx, "bridge: rooms are shared with other servers of Socket.IO", "namespaces", b.names())

	ctx, stop := context.WithCancelCause(ctx)
	var sending sync.WaitGroup
	sending.Go(func() { stop(b.sendAll(ctx, client)) })
	defer sending.Wait()
	select {
	case err = <-lost:
		err = fmt.Errorf("connection lost: %w", err)
		stop(err)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return err
}

func (b *Bridge) names() (all []string) {
	for _, n := range b.shared() {
		all = append(all, n.name)
	}
	return all
}

// subscribe subscribes to each channel once: who subscribes to that of requests is counted as a server. It comes last, since
// who is counted is waited for.
func (b *Bridge) subscribe(ctx context.Context, listening rueidis.DedicatedClient) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var patterns, requests []string
	for _, n := range b.shared() {
		patterns = append(patterns, n.channels.Broadcasts())
		requests = append(requests, n.channels.Requests())
	}
	for _, command := range []rueidis.Completed{
		listening.B().Psubscribe().Pattern(patterns...).Build(),
		listening.B().Subscribe().Channel(requests...).Build(),
	} {
		if err := listening.Do(ctx, command).Error(); err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
	}
	return nil
}

// sendAll sends what is queued, in order, until ctx ends or Redis does not take it. What it has not taken may have been
// taken all the same, and is not sent again.
func (b *Bridge) sendAll(ctx context.Context, client rueidis.Client) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.outbox.wake:
		}
		waiting := b.outbox.take(batch, func(o outgoing) int { return len(o.message) })
		err := b.publish(ctx, client, waiting)
		b.outbox.done()
		if err != nil {
			return err
		}
	}
}

func (b *Bridge) publish(ctx context.Context, client rueidis.Client, waiting []outgoing) error {
	news := slices.DeleteFunc(waiting, func(o outgoing) bool { return time.Since(o.since) > maxLate })
	b.counters.dropped.Add(int64(len(waiting) - len(news)))
	if len(news) == 0 {
		return nil
	}
	commands := make([]rueidis.Completed, len(news))
	for i, o := range news {
		commands[i] = client.B().Publish().Channel(o.channel).Message(rueidis.BinaryString(o.message)).Build()
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var failed error
	for _, result := range client.DoMulti(ctx, commands...) {
		if err := result.Error(); err != nil {
			b.counters.dropped.Add(1)
			failed = fmt.Errorf("publish: %w", err)
			continue
		}
		b.counters.published.Add(1)
	}
	return failed
}

// receive queues what has come. It is called by the connection's reader, and never waits.
func (b *Bridge) receive(m rueidis.PubSubMessage) {
	for _, n := range b.namespaces {
		came := incoming{namespace: n, channel: m.Channel, message: m.Message}
		switch {
		case m.Pattern == n.channels.Broadcasts():
			came.kind = kindBroadcast
		case m.Pattern != "":
			continue
		case m.Channel == n.channels.Requests():
			came.kind = kindRequest
		default:
			continue
		}
		if !b.inbox.put(came, len(m.Message)) {
			b.counters.overflowed.Add(1)
			b.log.Warn("bridge: more comes from other servers than can be told: some of it is missed")
		}
		return
	}
}

// handleAll handles what has come, one message after the other, until ctx ends.
func (b *Bridge) handleAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.inbox.wake:
		}
		for _, came := range b.inbox.take(batch, func(m incoming) int { return len(m.message) }) {
			b.handle(ctx, &came)
		}
		b.inbox.done()
	}
}
