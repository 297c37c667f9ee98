//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

const (
	// callPatience is how long an answer is waited for.
	callPatience = 5 * time.Second
	// again is how long something that was refused for the moment is left alone.
	again = 200 * time.Millisecond
)

// device is a client of somebody: one connection after the other, to any node, as an official client makes them, and what it
// has heard by all of them.
type device struct {
	town   *town
	person *person
	seed   uint64
	wake   chan struct{} // holds a token where there may be a room to enter
	leave  chan struct{} // closed when the client leaves for good

	mu      sync.Mutex
	current *session
	came    chan struct{} // closed when there is a connection
	rooms   map[string]*heard
}

func newDevice(town *town, p *person, seed uint64) *device {
	return &device{
		town: town, person: p, seed: seed, wake: make(chan struct{}, 1), leave: make(chan struct{}), came: make(chan struct{}),
		rooms: make(map[string]*heard),
	}
}

func (d *device) wakeUp() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// connect keeps the device connected until ctx ends or it leaves. While restless is open it leaves its connection now and
// then, in order or without a word.
func (d *device) connect(ctx context.Context, restless <-chan struct{}) {
	random := rand.New(rand.NewPCG(d.seed, 1))
	for ctx.Err() == nil {
		s := d.dial(ctx, random)
		if s == nil {
			return
		}
		stay := time.Duration(random.ExpFloat64() * float64(d.town.scale.staying))
		leaves := d.follow(ctx, s, stay, restless)
		d.lose()
		if random.IntN(2) == 0 {
			s.client.Close()
		} else {
			s.client.Abort()
		}
		if leaves {
			return
		}
		wait(ctx, time.Duration(50+random.IntN(450))*time.Millisecond)
	}
}

// dial connects to some node, whichever answers, until ctx ends or the device leaves.
func (d *device) dial(ctx context.Context, random *rand.Rand) *session {
	auth := map[string]any{"token": d.person.token}
	batch := random.IntN(4) == 0
	if batch {
		auth["batch"] = true
	}
	for ctx.Err() == nil {
		node := random.IntN(nodeCount)
		s := newSession(d, node)
		connecting, cancel := context.WithTimeout(ctx, 2*callPatience)
		client, err := sioclient.Dial(connecting, d.town.cluster.node(node).URL,
			sioclient.Options{Auth: auth, Observe: s.observe, OnlyEvents: []string{}})
		cancel()
		if err == nil {
			d.mu.Lock()
			s.client, d.current, s.since = client, s, time.Now()
			close(d.came)
			d.mu.Unlock()
			return s
		}
		select {
		case <-d.leave:
			return nil
		default:
			wait(ctx, time.Duration(50+random.IntN(200))*time.Millisecond)
		}
	}
	return nil
}

func (d *device) lose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.current, d.came = nil, make(chan struct{})
}

// follow enters rooms and reads what was missed there, until the connection ends or the client has enough of it. It reports
// whether the device leaves for good.
func (d *device) follow(ctx context.Context, s *session, stay time.Duration, restless <-chan struct{}) (leaves bool) {
	enough := time.NewTimer(stay)
	defer enough.Stop()
	retry := time.NewTicker(again)
	defer retry.Stop()
	for {
		d.enterAll(ctx, s)
		select {
		case <-ctx.Done():
			return true
		case <-d.leave:
			return true
		case <-s.client.Done():
			return false
		case <-enough.C:
			if isOpen(restless) {
				return false
			}
		case <-d.wake:
		case <-retry.C:
		}
	}
}

// session waits for a connection; nil where ctx ends first.
func (d *device) session(ctx context.Context) *session {
	for {
		d.mu.Lock()
		current, came := d.current, d.came
		d.mu.Unlock()
		if current != nil {
			return current
		}
		select {
		case <-came:
		case <-ctx.Done():
			return nil
		}
	}
}

// errGone tells that a call was not answered.
var errGone = errors.New("not answered")

// call asks over one connection.
func (s *session) call(ctx context.Context, event string, payload any) (harness.Ack, error) {
	calling, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	raw, err := s.client.Call(calling, event, payload)
	if err != nil {
		return harness.Ack{}, errors.Join(errGone, err)
	}
	ack := harness.Ack{Raw: raw}
	return ack, json.Unmarshal(raw, &ack)
}

// ask asks until there is an answer that holds, over one connection after the other; what was refused for the moment is asked
// again. It fails where ctx ends.
func (d *device) ask(ctx context.Context, event string, payload any) (harness.Ack, error) {
	for {
		s := d.session(ctx)
		if s == nil {
			return harness.Ack{}, errGone
		}
		ack, err := s.call(ctx, event, payload)
		if err == nil && !passes(ack) {
			return ack, nil
		}
		if !wait(ctx, again) {
			return harness.Ack{}, errGone
		}
	}
}

// passes reports whether a refusal is one for the moment.
func passes(ack harness.Ack) bool {
	return ack.Status != "ok" && (ack.Code == "unavailable" || ack.Code == "rate_limited")
}

// wait reports whether a time has passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func isOpen(c <-chan struct{}) bool {
	select {
	case <-c:
		return false
	default:
		return true
	}
}
