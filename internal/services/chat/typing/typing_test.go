package typing_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/typing"
	"rolecall/test/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sign(userID string) typing.Sign {
	return typing.Sign{
		Key:   typing.Key{Room: servicetest.Room("lobby"), UserID: userID},
		Event: "chat:typing", Ended: map[string]any{"userId": userID, "isTyping": false}, To: []roles.Room{"chat:lobby"},
	}
}

// ended are the people whose signs were told to have ended, in order.
func ended(told *servicetest.Recorder) (userIDs []string) {
	for _, emission := range told.Take() {
		var userID string
		if _, err := fmt.Sscanf(emission.Payload, `{"isTyping":false,"userId":%q}`, &userID); err != nil {
			userID = emission.Payload
		}
		userIDs = append(userIDs, userID)
	}
	return userIDs
}

func expect(t *testing.T, what string, told *servicetest.Recorder, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := ended(told); !slices.Equal(got, want) {
		t.Errorf("%s: ended are %v, want %v", what, got, want)
	}
}

// TestSignsEnd five seconds after they were given last, unless it was said before that they have ended.
func TestSignsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := &servicetest.Recorder{}
		board := typing.New(told)
		defer board.Close()
		ctx := t.Context()
		board.Begin(ctx, sign("amy"))
		time.Sleep(2 * time.Second)
		board.Begin(ctx, sign("bob"))
		board.Begin(ctx, sign("cem"))
		time.Sleep(2 * time.Second)
		board.Begin(ctx, sign("amy")) // goes on
		board.End(ctx, sign("cem"))
		expect(t, "after 4 s", told)
		time.Sleep(3 * time.Second)
		expect(t, "after 7 s", told, "bob")
		if _, shown := board.Shown(sign("amy").Key); !shown {
			t.Error("amy's sign is not shown")
		}
		time.Sleep(2 * time.Second)
		expect(t, "after 9 s", told, "amy")
		if _, shown := board.Shown(sign("amy").Key); shown {
			t.Error("amy's sign is shown")
		}
		board.Begin(ctx, sign("dan"))
		board.Close()
		time.Sleep(time.Minute)
		expect(t, "once it is closed", told)
	})
}

// TestSignsAreBounded: of too many the oldest end at once.
func TestSignsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := &servicetest.Recorder{}
		board := typing.New(told)
		defer board.Close()
		for n := range 20_003 {
			board.Begin(t.Context(), sign(fmt.Sprint("u", n)))
		}
		expect(t, "those too many", told, "u0", "u1", "u2")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := ended(told); len(got) != 20_000 {
			t.Errorf("%d have ended", len(got))
		}
	})
}

// nodes are buses of a cluster, of which each tells the others at once; one that is down tells nobody.
type nodes struct {
	handlers []func(context.Context, bus.Message)
}

type node struct {
	all  *nodes
	at   int
	down bool
}

func (n *node) Publish(ctx context.Context, message bus.Message) {
	for i, hear := range n.all.handlers {
		if i != n.at && !n.down {
			hear(ctx, message)
		}
	}
}

func (n *node) Handle(_ string, handler func(context.Context, bus.Message)) {
	n.at = len(n.all.handlers)
	n.all.handlers = append(n.all.handlers, handler)
}

// TestSignsOfOtherNodesEnd: by the word of the node on which they were given, or, should it have died, a little later by each.
func TestSignsOfOtherNodesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := &nodes{}
		first, second := &node{all: all}, &node{all: all}
		everywhere, here := &servicetest.Recorder{}, &servicetest.Recorder{}
		log := slog.New(slog.DiscardHandler)
		one := typing.NewOfNodes(everywhere, &servicetest.Recorder{}, first, log)
		defer one.Close()
		other := typing.NewOfNodes(&servicetest.Recorder{}, here, second, log)
		defer other.Close()
		ctx := t.Context()
		one.Begin(ctx, sign("amy"))
		one.Begin(ctx, sign("bob"))
		one.End(ctx, sign("bob"))
		time.Sleep(10 * time.Second)
		expect(t, "by the node itself", everywhere, "amy")
		expect(t, "by the other", here)

		one.Begin(ctx, sign("cem"))
		first.down = true
		one.Close() // dies
		time.Sleep(5 * time.Second)
		expect(t, "of the dead one, at first", here)
		time.Sleep(2 * time.Second)
		expect(t, "of the dead one", here, "cem")
		all.handlers[second.at](ctx, bus.Message{Body: []byte(`{"room":"user:amy"}`)})
		all.handlers[second.at](ctx, bus.Message{Body: []byte(`no JSON`)})
		time.Sleep(10 * time.Second)
		expect(t, "of what is no sign", here)
	})
}
