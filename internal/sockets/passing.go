package sockets

import (
	"context"
	"math/rand/v2"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/realtime"
)

// A CONNECT_ERROR is final for official clients: they stay away until their app calls connect
// (https://socket.io/docs/v4/client-socket-instance/#socketactive). So whoever is refused for something that passes is not
// answered. It waits for a while, here and not in its app, and then its connection is closed: the client comes back by
// itself, and asks its auth callback for a token anew.

// DefaultPatience is how long a CONNECT waits that comes too soon, or cannot be judged yet.
const DefaultPatience = 10 * time.Second

// awaitTurn waits until the user may connect once more. Whose turn does not come in time is refused for now.
func (n *namespace) awaitTurn(ctx context.Context, userID string) error {
	for end := time.Now().Add(n.patience); ; {
		ok, retryAfter := n.buckets.Admit(userID, limit.Connect, 1)
		if ok {
			return nil
		}
		if left := time.Until(end); retryAfter > left {
			n.log.InfoContext(ctx, "user connects too often", "user", userID)
			n.meter.Refused(string(fault.RateLimited))
			if err := pause(ctx, left); err != nil {
				return err
			}
			return realtime.ErrLater
		}
		if err := pause(ctx, retryAfter); err != nil {
			return err
		}
	}
}

// orLater is how a socket is refused: for what passes without an answer. Those who came together, as after a restart, do not
// come back together.
func (n *namespace) orLater(ctx context.Context, refused *realtime.Refusal) error {
	if fault.Code(refused.Code) != fault.Unavailable {
		return refused
	}
	if err := pause(ctx, rand.N(n.patience/2)); err != nil {
		return err
	}
	return realtime.ErrLater
}

// pause waits, and fails where ctx ends meanwhile.
func pause(ctx context.Context, d time.Duration) error {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
