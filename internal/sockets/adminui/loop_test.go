package adminui

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
	"rolecall/test/wiretest"
)

// stage is an engine without sockets, and the other nodes, who hear what is published.
type stage struct {
	realtime.Engine
	mu        sync.Mutex
	watcher   realtime.Watcher
	published []figuresMessage
	handler   func(context.Context, bus.Message)
}

func (s *stage) Namespace(string, realtime.Handler) {}
func (s *stage) OpenSockets(string) iter.Seq[realtime.Socket] {
	return slices.Values([]realtime.Socket(nil))
}
func (s *stage) Handle(_ string, heard func(context.Context, bus.Message)) { s.handler = heard }
func (s *stage) Who(realtime.Socket) (auth.Identity, time.Time, bool) {
	return auth.Identity{}, time.Time{}, false
}
func (s *stage) Traffic() realtime.Traffic { return realtime.Traffic{Connections: 7, Polling: 2} }

func (s *stage) Watch(watcher realtime.Watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watcher = watcher
}

func (s *stage) isWatched() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watcher != nil
}

func (s *stage) Publish(_ context.Context, message bus.Message) {
	var told figuresMessage
	_ = json.Unmarshal(message.Body, &told)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published = append(s.published, told)
}

// tells counts what was published that is so.
func (s *stage) tells(is func(figuresMessage) bool) (count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, message := range s.published {
		if is(message) {
			count++
		}
	}
	return count
}

func asks(message figuresMessage) bool { return message.Ask }
func told(message figuresMessage) bool { return message.Stats != nil }

// seat is the socket of an admin, which notes the names of what it is sent.
type seat struct {
	realtime.Socket
	who  *entrant
	mu   sync.Mutex
	sent []string
}

func (s *seat) Namespace() string        { return Namespace }
func (s *seat) Data() any                { return s.who }
func (s *seat) Context() context.Context { return context.Background() }
func (s *seat) Rooms() []string          { return nil }
func (s *seat) Connection() realtime.Connection {
	return realtime.Connection{ID: "abcdefghijkl", Transport: "websocket"}
}

func (s *seat) Emit(event string, payload any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stats, ok := payload.(realtime.Arguments)[0].(serverStats); ok {
		event += " of " + stats.ServerID
	}
	s.sent = append(s.sent, event)
	return nil
}

func (s *seat) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

// TestNobodyWatchesForNobody: the engine is watched while somebody looks, here or on another node, and only then.
func TestNobodyWatchesForNobody(t *testing.T) {
	t.Parallel()
	s := &stage{}
	c := &clock{now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	door := New(Options{
		ShowSockets: true, Engine: s, Nodes: s, People: s, Verifier: &tokens{}, NodeName: "one", Now: c.Now, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { door.Run(ctx) })
	defer running.Wait()
	defer stop()

	admin := &seat{who: &entrant{newSession: "s", identity: auth.Identity{UserID: "root", Role: roles.Admin, ExpiresAt: c.Now().Add(time.Hour)}}}
	door.Connected(admin)
	want := []string{"session", "config", "server_stats of one", "all_sockets"}
	wiretest.Eventually(t, "an admin is told what there is", func() bool { return len(admin.heard()) >= len(want) })
	if diff := cmp.Diff(want, admin.heard()[:len(want)]); diff != "" {
		t.Errorf("told at first (-want +got):\n%s", diff)
	}
	if !s.isWatched() {
		t.Error("an admin looks, and nothing is watched")
	}
	wiretest.Eventually(t, "the other nodes are asked", func() bool { return s.tells(asks) > 0 })
	body, _ := json.Marshal(figuresMessage{Version: figuresVersion, Stats: &serverStats{ServerID: "two"}})
	s.handler(ctx, bus.Message{Kind: kindFigures, Body: body, Node: "two"})
	wiretest.Eventually(t, "another node's figures are told", func() bool { return slices.Contains(admin.heard(), "server_stats of two") })
	door.Disconnected(admin, "transport close")
	wiretest.Eventually(t, "nothing is watched for nobody", func() bool { return !s.isWatched() })
	if s.tells(told) > 0 {
		t.Error("figures are told that nobody has asked for")
	}

	for _, bad := range []string{"", "{", `{"v":2,"ask":true}`} {
		s.handler(ctx, bus.Message{Kind: kindFigures, Body: []byte(bad)})
	}
	if door.isWanted() {
		t.Error("what is not understood is taken for a question")
	}
	s.handler(ctx, bus.Message{Kind: kindFigures, Body: []byte(`{"v":1,"ask":true}`)})
	wiretest.Eventually(t, "figures are told to who has asked", func() bool { return s.tells(told) > 0 })
	c.pass(interest)
	wiretest.Eventually(t, "nothing is watched for who asks no more", func() bool { return !s.isWatched() })
}
