package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"time"

	"rolecall/internal/simulation/sioclient"
)

const (
	updateEvent = "tracking:update"
	namespace   = "/tracking"
	// sendInterval keeps a driver under the server's default of ten updates a second.
	sendInterval = 125 * time.Millisecond
	// maxBatch is the most positions the server takes in one update.
	maxBatch = 500
	// ackTimeout is how long an update may take before its connection is given up.
	ackTimeout = 15 * time.Second
	// The wait before a connection is tried again doubles from shortestBackoff to longestBackoff.
	shortestBackoff = 100 * time.Millisecond
	longestBackoff  = 5 * time.Second
)

// car is one driver on a route.
type car struct {
	id    string
	token string
	route source
	// fleet is what it belongs to, and score where it counts.
	fleet Config
	score *score
	// index numbers the positions sent.
	index   int
	client  *sioclient.Client
	dialled bool
}

// drive sends each position when it is due, those due together in one update, until the end of the route or of ctx.
func (c *car) drive(ctx context.Context, begin time.Time) error {
	defer c.hangUp()
	for {
		due, more := c.route.due()
		if !more {
			return nil
		}
		if !sleep(ctx, time.Until(begin.Add(due))) {
			return nil
		}
		var batch []Position
		for due, more := c.route.due(); more && due <= time.Since(begin) && len(batch) < maxBatch; due, more = c.route.due() {
			batch = append(batch, c.route.take(begin))
		}
		sent := time.Now()
		if err := c.deliver(ctx, batch); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("driver %s: %w", c.id, err)
		}
		if !sleep(ctx, time.Until(sent.Add(sendInterval))) {
			return nil
		}
	}
}

// find connects before the fleet drives, so that an address without a server is told of and not tried for ever. A server that
// is there and has no time yet is another matter.
func (c *car) find(ctx context.Context) error {
	if err := c.call(ctx); ctx.Err() == nil && !busy(err) {
		return c.unfound(err)
	}
	return nil
}

// unfound says why there is no server; nil is no reason.
func (c *car) unfound(err error) error {
	if err == nil {
		return nil
	}
	if isRefusal(err) {
		return fmt.Errorf("driver %s: %w", c.id, err)
	}
	if dial, failed := errors.AsType[*net.OpError](err); failed {
		err = dial // without what was tried on the way
	}
	return fmt.Errorf("%w at %s: %w", ErrNoServer, c.fleet.URL, err)
}

// busy reports whether a server has answered that has no time at the moment.
func busy(err error) bool {
	if answered, byHTTP := errors.AsType[*sioclient.HandshakeError](err); byHTTP {
		return answered.Status == http.StatusTooManyRequests || answered.Status >= http.StatusInternalServerError
	}
	_, refused := errors.AsType[*sioclient.ConnectError](err)
	return refused && !isRefusal(err)
}

// deliver sends a batch until the server has judged it.
func (c *car) deliver(ctx context.Context, batch []Position) error {
	c.score.add(&c.score.sent, len(batch))
	backoff := shortestBackoff
	for {
		answer, err := c.ask(ctx, batch)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case isRefusal(err):
			return err
		case err != nil:
			c.fleet.Logger.DebugContext(ctx, "update not answered, sending again", "driver", c.id, "error", err)
			c.score.fail(err)
			c.hangUp()
		case answer.again():
			backoff = max(backoff, time.Duration(answer.RetryAfterMs)*time.Millisecond)
		default:
			c.settle(batch, answer)
			return nil
		}
		if !sleep(ctx, backoff/2+rand.N(backoff)) {
			return ctx.Err()
		}
		backoff = min(2*backoff, longestBackoff)
	}
}

// answer is the ack of an update.
type answer struct {
	Status       string
	Code         string
	Field        string
	RetryAfterMs int64
	Rejected     []struct {
		Index int
		Code  string
		Field string
	}
}

// again reports whether the same update may succeed later.
func (a *answer) again() bool {
	return a.Status != "ok" && (a.Code == "rate_limited" || a.Code == "unavailable")
}

func (c *car) ask(ctx context.Context, batch []Position) (*answer, error) {
	if err := c.call(ctx); err != nil {
		return nil, err
	}
	var payload any = batch
	if len(batch) == 1 {
		payload = batch[0]
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	raw, err := c.client.Call(ctx, updateEvent, payload)
	if err != nil {
		return nil, err
	}
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return nil, fmt.Errorf("decode ack: %w", err)
	}
	return &a, nil
}

// call connects where there is no connection.
func (c *car) call(ctx context.Context) error {
	if c.client != nil && c.client.Err() == nil {
		return nil
	}
	c.hangUp()
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	client, err := sioclient.Dial(ctx, c.fleet.URL, sioclient.Options{
		Namespace: namespace, Auth: map[string]string{"token": c.token}, OnlyEvents: []string{},
	})
	if err != nil {
		return err
	}
	if c.dialled {
		c.score.add(&c.score.reconnects, 1)
	}
	c.client, c.dialled = client, true
	return nil
}

func (c *car) hangUp() {
	if c.client != nil {
		c.client.Close()
		c.client = nil
	}
}

// settle counts what became of each position of a batch.
func (c *car) settle(batch []Position, a *answer) {
	type verdict struct{ code, reason string }
	verdicts := make([]verdict, len(batch))
	if a.Status != "ok" {
		verdicts = slices.Repeat([]verdict{{a.Code, reason(a.Code, a.Field)}}, len(batch))
	}
	for _, rejected := range a.Rejected {
		if rejected.Index >= 0 && rejected.Index < len(verdicts) {
			verdicts[rejected.Index] = verdict{rejected.Code, reason(rejected.Code, rejected.Field)}
		}
	}
	for i, position := range batch {
		c.score.judge(verdicts[i].reason)
		if c.fleet.OnVerdict != nil {
			c.fleet.OnVerdict(c.id, c.index, position, verdicts[i].code)
		}
		c.index++
	}
}

func reason(code, field string) string {
	if field == "" {
		return code
	}
	return code + " " + field
}

// isRefusal reports whether the server will not have this driver, however often it knocks.
func isRefusal(err error) bool {
	var refused *sioclient.ConnectError
	return errors.As(err, &refused) && !slices.Contains([]string{"unavailable", "rate_limited", "too_many_connections"}, refused.Code)
}

// sleep waits; it reports false where ctx ends first.
func sleep(ctx context.Context, wait time.Duration) bool {
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
