package administration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
)

// A revocation is in the store before anybody is told. The node that was asked has it stand at once and tells all others,
// whose sockets may be of that user at any time; a node that may have missed something reads them all.

// kindRevocation is the kind of message by which nodes tell each other of a revocation.
const kindRevocation = "revocation"

// revocationVersion is that of the message's form. A node that does not know it reads the store.
const revocationVersion = 1

type revocationMessage struct {
	Version int    `json:"v"`
	UserID  string `json:"userId"`
	At      int64  `json:"at"`
}

// Nodes are the others, and what they tell.
type Nodes interface {
	Publish(ctx context.Context, message bus.Message)
	Handle(kind string, handler func(ctx context.Context, message bus.Message))
	Lost(f func(ctx context.Context))
	// Ask asks all other nodes, and calls each with their answers. It fails where they cannot be asked.
	Ask(ctx context.Context, question bus.Message, each func(answer bus.Message) (more bool)) (missing int, err error)
	// Answer has questions of a kind answered that other nodes ask.
	Answer(kind string, answer func(ctx context.Context, question bus.Message) ([]byte, error))
	// Others lists the other nodes that are there, where that is known.
	Others() (nodes []string, known bool)
}

// listen hears of revocations by other nodes.
func (s *Service) listen() {
	s.Nodes.Handle(kindRevocation, s.hear)
	s.Nodes.Lost(s.reread)
	s.answerOthers()
	s.rereadSoon()
}

// Refuse has the tokens of a user that were issued up to a time, Unix milliseconds, refused on every node, and ends the sockets that
// came with one. That it is so is kept by who asks for it.
func (s *Service) Refuse(ctx context.Context, userID string, at int64) {
	revocation := auth.Revocation{UserID: userID, At: at}
	s.stand(revocation)
	s.tell(ctx, revocation)
	if s.Beyond != nil {
		s.Beyond(ctx, Revoked{UserID: userID, RevokedAt: instant.Stamp(at)})
	}
}

// tell tells the other nodes.
func (s *Service) tell(ctx context.Context, revocation auth.Revocation) {
	body, err := json.Marshal(revocationMessage{Version: revocationVersion, UserID: revocation.UserID, At: revocation.At})
	if err != nil { // numbers and text always can be encoded
		s.log.ErrorContext(ctx, "revocation not told", "error", err)
		return
	}
	s.Nodes.Publish(ctx, bus.Message{Kind: kindRevocation, Body: body})
}

// hear has a revocation stand that another node tells of.
func (s *Service) hear(ctx context.Context, message bus.Message) {
	revocation, err := parseRevocation(message.Body)
	if err != nil {
		s.log.WarnContext(ctx, "message of another node not understood", "kind", message.Kind, "node", message.Node, "error", err)
		s.rereadSoon()
		return
	}
	s.stand(revocation)
}

var errNoRevocation = errors.New("no revocation of this version")

func parseRevocation(body []byte) (auth.Revocation, error) {
	var told revocationMessage
	if err := json.Unmarshal(body, &told); err != nil {
		return auth.Revocation{}, fmt.Errorf("%w: %w", errNoRevocation, err)
	}
	if told.Version != revocationVersion || !roles.ValidUserID(told.UserID) {
		return auth.Revocation{}, errNoRevocation
	}
	return auth.Revocation{UserID: told.UserID, At: told.At}, nil
}

// rereadSoon has Run read the store, for those who must not wait.
func (s *Service) rereadSoon() {
	select {
	case s.stale <- struct{}{}:
	default: // about to be done
	}
}

// Run counts, and keeps up with the other nodes, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { s.measure(ctx) })
	s.keepUp(ctx)
	both.Wait()
}

// keepUp reads what other nodes have revoked: once at the start, for what they told before anybody listened,
// whenever something of theirs was not understood, and every Options.Look.
func (s *Service) keepUp(ctx context.Context) {
	var look <-chan time.Time
	if s.options.Look > 0 {
		tick := time.NewTicker(s.options.Look)
		defer tick.Stop()
		look = tick.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.stale:
		case <-look:
		}
		s.reread(ctx)
	}
}

// reread has all stand that is stored.
func (s *Service) reread(ctx context.Context) {
	all, err := s.Store.Revocations(ctx, math.MinInt64)
	if err != nil {
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "revocations not read again", "error", err)
		}
		return
	}
	s.stand(all...)
}

// stand has revocations hold in this process. They are known before sockets are looked for: one that comes meanwhile finds
// out by itself.
func (s *Service) stand(all ...auth.Revocation) {
	for _, one := range s.Revocations.Add(all...) {
		s.sockets.EndRevoked(one.UserID)
	}
}
