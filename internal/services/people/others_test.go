package people_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

// relay is the other nodes. What they tell comes when the test says so.
type relay struct {
	*recorder
	handle func(ctx context.Context, message bus.Message)
}

func (r *relay) Handle(_ string, handler func(ctx context.Context, message bus.Message)) {
	r.handle = handler
}

// Publish writes it down between the events.
func (r *relay) Publish(ctx context.Context, message bus.Message) {
	r.Emit(ctx, "to nodes: "+message.Kind, nil, nil)
}

// tells has another node tell somebody to have come or gone.
func (r *relay) tells() { r.handle(context.Background(), bus.Message{Kind: "people"}) }

// asking is sockets of which something becomes known while they are asked for.
type asking struct {
	sockets
	meanwhile func()
}

func (a *asking) UsersIn(ctx context.Context, limit int, rooms ...roles.Room) ([]string, error) {
	users, err := a.sockets.UsersIn(ctx, limit, rooms...)
	if a.meanwhile != nil {
		a.meanwhile()
	}
	return users, err
}

// TestGreetingsTakeAccountOfOtherNodes: nobody is lacking in a list who was told by another node to have come before, or while
// it was made; and nobody is told to others before other nodes know of it.
func TestGreetingsTakeAccountOfOtherNodes(t *testing.T) {
	t.Parallel()
	opened := sqlitetest.Open(t)
	others, there := &relay{recorder: &recorder{}}, &asking{}
	service := people.New(opened.People, opened.Conversations, others, there, people.Options{
		Now: servicetest.AtNoon, Logger: slog.New(slog.DiscardHandler), Every: time.Hour, SaveDelay: -1, Nodes: others,
	})
	t.Cleanup(func() { servicetest.Close(t, service) })
	boss, far, other := person("boss", roles.Admin, ""), person("far", roles.Driver, "acme"), person("other", roles.Driver, "acme")
	if err := service.Introduce(t.Context(), []auth.Identity{boss, far, other}); err != nil {
		t.Fatal(err)
	}
	greet := func() (lists [][]string, err error) {
		err = service.Greet(t.Context(), boss, func(_ string, payload any) error {
			encoded, err := json.Marshal(payload)
			if err != nil {
				return err
			}
			var list []people.Person
			if err := json.Unmarshal(encoded, &list); err != nil {
				return err
			}
			lists = append(lists, ids(list))
			return nil
		})
		return lists, err
	}
	want := func(what string, want ...[]string) {
		t.Helper()
		if lists, err := greet(); err != nil || !slices.EqualFunc(lists, want, slices.Equal) {
			t.Errorf("%s: %v, %v, want %v", what, lists, err, want)
		}
	}
	want("at first", []string{"boss"})
	there.add(far, 1)
	others.tells()
	want("when another node has told somebody to be there", []string{"boss", "far"})
	there.meanwhile = func() {
		there.meanwhile = nil
		there.add(other, 1)
		others.tells()
	}
	others.tells()
	want("when another node tells meanwhile", []string{"boss", "far"}, []string{"boss", "far", "other"})
	there.meanwhile = others.tells
	others.tells()
	if _, err := greet(); err == nil {
		t.Error("a list that never becomes right is taken for right")
	}

	others.take()
	there.add(boss, 1)
	service.Came(t.Context(), boss)
	deadline := time.Now().Add(servicetest.Deadline)
	var told []emission
	for ; len(told) < 2 && time.Now().Before(deadline); <-time.After(time.Millisecond) {
		more, _ := others.take()
		told = append(told, more...)
	}
	if len(told) < 2 || told[0].Event != "to nodes: people" || told[1].Event != people.EventOnline {
		t.Errorf("told %+v", told)
	}
}
