package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

const (
	// maxSubscribe is how many channels one command names.
	maxSubscribe = 500
	// auditEvery is after how many beats all rooms are looked at again, whatever the engine has told.
	auditEvery = 60
)

var (
	errSilent = errors.New("the connection is up and delivers nothing")
	errMoved  = errors.New("the server has ended a subscription")
	// errReplica: what is published to the shard still comes, but who publishes is not told of who listens there.
	errReplica = errors.New("the server is not the primary of its shard")
)

// listen follows the rooms over one connection, until that is lost or ctx ends.
func (l *lane) listen(ctx context.Context, first bool) error {
	client, err := l.bus.link.client()
	if err != nil {
		return err
	}
	connection, giveBack := client.Dedicate()
	defer giveBack()
	moved := make(chan struct{}, 1)
	lost := connection.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage: func(m rueidis.PubSubMessage) { l.receive(m.Message) },
		OnSubscription: func(s rueidis.PubSubSubscription) {
			if s.Kind == "sunsubscribe" && l.isHeard(s.Channel) {
				select {
				case moved <- struct{}{}:
				default:
				}
			}
		},
	})
	if err := l.subscribe(ctx, connection, []string{l.everyone(), l.own(l.bus.node)}); err != nil {
		return err
	}
	if err := l.checkPrimary(ctx, connection); err != nil {
		return err
	}
	served := l.topics.number() > 0
	l.topics.all()
	if err := l.follow(ctx, connection); err != nil {
		return err
	}
	l.echo.Store(time.Now().UnixNano())
	l.up.Store(true)
	if !first || served { // what was told until now may have been missed
		l.bus.miss("the connection is a new one")
	}
	l.sendBeacon()
	return l.keepFollowing(ctx, connection, lost, moved)
}

// keepFollowing subscribes to what is wanted at once, and leaves what is not, once a beat.
func (l *lane) keepFollowing(ctx context.Context, connection rueidis.DedicatedClient, lost <-chan error, moved <-chan struct{}) error {
	beat := time.NewTicker(l.bus.options.Beat)
	defer beat.Stop()
	for beats := 1; ; {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err = <-lost:
			return fmt.Errorf("connection lost: %w", err)
		case <-moved:
			return errMoved
		case <-l.topics.wake:
			err = l.follow(ctx, connection)
		case now := <-beat.C:
			if l.silent(now) > l.bus.options.Lease {
				l.bus.link.cut()
				return errSilent
			}
			if beats++; beats%auditEvery == 0 {
				l.topics.audit()
			}
			if err = l.leave(ctx, connection); err == nil {
				err = l.checkPrimary(ctx, connection)
			}
		}
		if err != nil {
			return err
		}
	}
}

// checkPrimary fails where a server of a cluster is the replica of another: it was demoted, or left without slots, and takes
// subscriptions all the same. The client finds out who is the primary by any other command on a key.
func (l *lane) checkPrimary(ctx context.Context, connection rueidis.DedicatedClient) error {
	if !l.bus.link.cluster {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.bus.options.Patience)
	defer cancel()
	told, err := connection.Do(ctx, connection.B().Role().Build()).ToArray()
	if err != nil {
		return fmt.Errorf("ask for the role: %w", err)
	}
	if len(told) == 0 {
		return errAnswer
	}
	if role, err := told[0].ToString(); err != nil || role != "master" {
		if client := l.bus.link.ready(); client != nil {
			_ = client.Do(ctx, client.B().Get().Key(l.base+"primary").Build()).Error() // there is none
		}
		return errors.Join(errReplica, err)
	}
	return nil
}

func (l *lane) isHeard(channel string) bool {
	l.topics.mu.Lock()
	defer l.topics.mu.Unlock()
	room, isRoom := cutTopic(l, channel)
	if !isRoom {
		return true
	}
	found := l.topics.rooms[room]
	return found != nil && found.heard
}

func cutTopic(l *lane, channel string) (room string, ok bool) {
	prefix := l.topic("")
	if len(channel) < len(prefix) || channel[:len(prefix)] != prefix {
		return "", false
	}
	return channel[len(prefix):], true
}

// follow subscribes to the rooms that are wanted and not heard.
func (l *lane) follow(ctx context.Context, connection rueidis.DedicatedClient) error {
	wanted := l.topics.take(ctx)
	for part := range slices.Chunk(wanted, maxSubscribe) {
		if err := l.subscribe(ctx, connection, l.channelsOf(part)); err != nil {
			return err
		}
		if l.topics.heard(part) {
			l.bus.miss("somebody was let in before their rooms were heard")
		}
	}
	return nil
}

// leave unsubscribes from the rooms that nobody wants any more.
func (l *lane) leave(ctx context.Context, connection rueidis.DedicatedClient) error {
	vacated := l.topics.vacated(ctx)
	for part := range slices.Chunk(vacated, maxSubscribe) {
		ctx, cancel := context.WithTimeout(ctx, l.bus.options.Patience)
		err := connection.Do(ctx, l.unsubscribing(connection, l.channelsOf(part))).Error()
		cancel()
		if err != nil {
			return fmt.Errorf("unsubscribe: %w", err)
		}
	}
	return nil
}

func (l *lane) subscribe(ctx context.Context, connection rueidis.DedicatedClient, channels []string) error {
	ctx, cancel := context.WithTimeout(ctx, l.bus.options.Patience)
	defer cancel()
	if err := connection.Do(ctx, l.subscribing(connection, channels)).Error(); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	l.bus.counters.subscribes.Add(1)
	return nil
}

func (l *lane) channelsOf(rooms []string) []string {
	channels := make([]string, len(rooms))
	for i, room := range rooms {
		channels[i] = l.topic(room)
	}
	return channels
}
