package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
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
	// index numbers the positions sent.
	index   int
	client  *sioclient.Client
	dialled bool
}

// drive sends each position when it is due, those due together in one update, until the end of the route or of ctx.
func (c *car) drive(ctx context.Context, begin time.Time, config Config, score *score) error {
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
		if err := c.deliver(ctx, batch, config, score); err != nil {
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

// deliver sends a batch until the server has judged it.
func (c *car) deliver(ctx context.Context, batch []Position, config Config, score *score) error {
	score.add(&score.sent, len(batch))
	backoff := shortestBackoff
	for {
		answer, err := c.ask(ctx, batch, config, score)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case isRefusal(err):
			return err
		case err != nil:
			config.Logger.DebugContext(ctx, "update not answered, sending again", "driver", c.id, "error", err)
			c.hangUp()
		case answer.again():
			backoff = max(backoff, time.Duration(answer.RetryAfterMs)*time.Millisecond)
		default:
			c.settle(batch, answer, config, score)
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

func (c *car) ask(ctx context.Context, batch []Position, config Config, score *score) (*answer, error) {
	if err := c.call(ctx, config, score); err != nil {
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
func (c *car) call(ctx context.Context, config Config, score *score) error {
	if c.client != nil && c.client.Err() == nil {
		return nil
	}
	c.hangUp()
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	client, err := sioclient.Dial(ctx, config.URL, sioclient.Options{
		Namespace: namespace, Auth: map[string]string{"token": c.token}, OnlyEvents: []string{},
	})
	if err != nil {
		return err
	}
	if c.dialled {
		score.add(&score.reconnects, 1)
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
func (c *car) settle(batch []Position, a *answer, config Config, score *score) {
	codes := make([]string, len(batch))
	reasons := make([]string, len(batch))
	if a.Status != "ok" {
		for i := range codes {
			codes[i], reasons[i] = a.Code, reason(a.Code, a.Field)
		}
	}
	for _, rejected := range a.Rejected {
		if rejected.Index >= 0 && rejected.Index < len(codes) {
			codes[rejected.Index], reasons[rejected.Index] = rejected.Code, reason(rejected.Code, rejected.Field)
		}
	}
	for i, position := range batch {
		score.judge(reasons[i])
		if config.OnVerdict != nil {
			config.OnVerdict(c.id, c.index, position, codes[i])
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
	return errors.As(err, &refused) && refused.Code != "unavailable" && refused.Code != "too_many_connections"
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
