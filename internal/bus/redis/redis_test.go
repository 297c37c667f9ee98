package redis_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/test/servers"
	"rolecall/test/socketstest"
)

func TestEventsReachEveryNode(t *testing.T) {
	server := servers.StartRedis(t)
	a, b := start(t, quick(server.URL)), start(t, quick(server.URL))
	amy, bob, cy := a.dial("user:amy", "company:acme"), b.dial("user:bob", "company:acme", "role:vendor"), b.dial("user:cy", "role:vendor")

	a.say("to all", roles.CompanyRoom("acme"), roles.RoleRoom(roles.Vendor))
	for _, client := range []*socketstest.Client{amy, bob, cy} {
		if got := client.Hears("said"); got != `"to all"` {
			t.Errorf("heard %s", got)
		}
	}
	// Whoever stands in two of the rooms heard it once: the next they hear is the next that is said. The markup stays as it is.
	a.Emitter("/").Emit(t.Context(), "said", map[string]string{"a": "<b>"}, []roles.Room{roles.CompanyRoom("acme")}, roles.UserRoom("bob"))
	a.say("again", roles.CompanyRoom("acme"))
	if got := bob.Hears("said"); got != `"again"` {
		t.Errorf("bob heard %s", got)
	}
	for _, want := range []string{`{"a":"<b>"}`, `"again"`} {
		if got := amy.Hears("said"); got != want {
			t.Errorf("amy heard %s, want %s", got, want)
		}
	}

	b.Emitter("/").EmitNewest(t.Context(), "newest", bus.Newest{
		Fields: json.RawMessage(`{"at":5}`), Member: "list", Values: []bus.Value{{Key: "a", JSON: json.RawMessage("1")}},
	}, roles.CompanyRoom("acme"))
	if got := amy.Hears("newest"); got != `{"at":5,"list":[1]}` {
		t.Errorf("amy heard %s", got)
	}

	b.LocalEmitter("/").Emit(t.Context(), "said", "here", []roles.Room{roles.CompanyRoom("acme")})
	b.say("everywhere", roles.CompanyRoom("acme"))
	if got := amy.Hears("said"); got != `"everywhere"` {
		t.Errorf("amy heard %s", got)
	}

	if err := a.Disconnect(t.Context(), roles.UserRoom("bob")); err != nil {
		t.Error(err)
	}
	bob.Ended()
}

func TestMessagesOfServices(t *testing.T) {
	server := servers.StartRedis(t)
	a, b, c := start(t, quick(server.URL)), start(t, quick(server.URL)), start(t, quick(server.URL))
	b.dial("user:bob", "role:vendor")
	c.dial("user:cy")
	heard := make(chan string, 10)
	for name, n := range map[string]*node{"a": a, "b": b, "c": c} {
		n.Handle("hint", func(_ context.Context, m bus.Message) {
			heard <- fmt.Sprintf("%s %s %t", name, m.Body, m.Node == a.Node())
		})
	}
	a.Publish(t.Context(), bus.Message{Kind: "hint", Rooms: []roles.Room{roles.UserRoom("bob"), roles.RoleRoom(roles.Vendor)}, Body: []byte("1")})
	if got := receive(t, heard); got != "b 1 true" {
		t.Errorf("heard %q", got)
	}
	a.Publish(t.Context(), bus.Message{Kind: "hint", Body: []byte("2")})
	got := []string{receive(t, heard), receive(t, heard)}
	slices.Sort(got)
	if !slices.Equal(got, []string{"b 2 true", "c 2 true"}) {
		t.Errorf("heard %q", got)
	}
	a.Publish(t.Context(), bus.Message{Kind: "disconnect", Rooms: []roles.Room{roles.UserRoom("bob")}})
	if !strings.Contains(a.log.String(), "one of the bus's own") {
		t.Error("a service disconnected somebody by a message of its own")
	}
}

// Whoever has listened before hears all that is said from then on, whichever node says it: many come to rooms of which
// none was heard, and are told at once.
func TestNothingIsLostToWhoeverHasJustCome(t *testing.T) {
	server := servers.StartRedis(t)
	options := quick(server.URL)
	options.Lease, options.Patience = socketstest.Deadline, socketstest.Deadline // however busy the machine is
	a, b := start(t, options), start(t, options)
	b.dial("user:other")
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			room := roles.UserRoom(fmt.Sprint("u", i))
			client := b.dial(string(room))
			a.say(i, room)
			if got := client.Hears("said"); got != fmt.Sprint(i) {
				t.Errorf("%s heard %s", room, got)
			}
		})
	}
	all.Wait()
	if s := b.Stats(); s.Subscribes > 150 {
		t.Errorf("%d commands to hear 200 rooms", s.Subscribes)
	}
	if s := a.Stats().Lost + b.Stats().Lost; s > 0 {
		t.Errorf("something was missed:\n%s\n%s", a.log, b.log)
	}
}

// A room that nobody stands in any more is not heard, and heard again when somebody comes.
func TestRoomsAreLeft(t *testing.T) {
	server := servers.StartRedis(t)
	a, b := start(t, quick(server.URL)), start(t, quick(server.URL))
	amy, bob := b.dial("user:amy", "company:acme"), b.dial("user:bob", "company:acme")
	numsub := func(room string) string { return server.Ask("PUBLISH rolecall:{0}:room:" + room + " x") }
	if got := numsub("company:acme"); got != ":1" {
		t.Errorf("%s nodes hear of acme, want 1", got)
	}
	amy.Close()
	eventually(t, "amy's room is left", func() bool { return numsub("user:amy") == ":0" })
	if got := numsub("company:acme"); got != ":1" {
		t.Errorf("%s nodes hear of acme, want 1", got)
	}
	bob.Close()
	eventually(t, "the company's room is left", func() bool { return numsub("company:acme") == ":0" })
	eventually(t, "no room is known", func() bool { return b.Stats().Topics == 0 })
	again := b.dial("user:amy")
	a.say("back", roles.UserRoom("amy"))
	if got := again.Hears("said"); got != `"back"` {
		t.Errorf("heard %s", got)
	}
}

func TestWhoIsOnlineAnywhere(t *testing.T) {
	server := servers.StartRedis(t)
	a, b, c := start(t, quick(server.URL)), start(t, quick(server.URL)), start(t, quick(server.URL))
	a.dial("user:amy", "company:acme")
	b.dial("user:amy", "company:acme")
	b.dial("user:bob", "company:acme", "role:vendor")
	c.dial("user:cy", "role:vendor")
	ctx := t.Context()
	for _, n := range []*node{a, b, c} {
		acme, vendors := roles.CompanyRoom("acme"), roles.RoleRoom(roles.Vendor)
		if _, done, err := n.Settle(ctx, bus.Settling{UserID: "amy", As: "amy", Rooms: []roles.Room{acme}},
			bus.Settling{UserID: "bob", As: "bob", Rooms: []roles.Room{acme, vendors}},
			bus.Settling{UserID: "cy", As: "cy", Rooms: []roles.Room{vendors}}); err != nil {
			t.Fatal(err)
		} else {
			done()
		}
	}
	eventually(t, "the leases of all are known", func() bool {
		online, err := a.Online(ctx, "amy", "bob", "cy")
		return err == nil && len(online) == 3
	})
	online, err := a.Online(ctx, "amy", "bob", "cy", "dan")
	if err != nil || !online["amy"] || !online["bob"] || !online["cy"] || online["dan"] {
		t.Errorf("online: %v, %v", online, err)
	}
	if n, err := a.SocketCount(ctx, roles.CompanyRoom("acme")); n != 3 || err != nil {
		t.Errorf("%d sockets in acme, %v; want 3", n, err)
	}
	if n, err := c.SocketCount(ctx, roles.UserRoom("amy"), roles.CompanyRoom("acme")); n != 2 || err != nil {
		t.Errorf("%d sockets of amy in acme, %v; want 2", n, err)
	}
	for _, tc := range []struct {
		limit int
		rooms []roles.Room
		want  []string
	}{
		{10, []roles.Room{roles.CompanyRoom("acme")}, []string{"amy", "bob"}},
		{10, []roles.Room{roles.CompanyRoom("acme"), roles.RoleRoom(roles.Vendor)}, []string{"amy", "bob", "cy"}},
		{10, []roles.Room{roles.RoleRoom(roles.Vendor)}, []string{"bob", "cy"}},
		{10, []roles.Room{roles.RoleRoom(roles.Driver)}, nil},
		{10, []roles.Room{roles.UserRoom("bob"), roles.UserRoom("dan"), roles.RoleRoom(roles.Driver)}, []string{"bob"}},
	} {
		users, err := a.UsersIn(ctx, tc.limit, tc.rooms...)
		slices.Sort(users)
		if !slices.Equal(users, tc.want) || err != nil {
			t.Errorf("in %v: %v, %v; want %v", tc.rooms, users, err, tc.want)
		}
	}
	if users, err := a.UsersIn(ctx, 2, roles.Everyone()...); len(users) > 2 || err != nil {
		t.Errorf("at most 2: %v, %v", users, err)
	}
}

// Who was told to be online by one node is not told again by another, and is told to be offline once, when they are gone
// everywhere.
func TestOneNodeTells(t *testing.T) {
	server := servers.StartRedis(t)
	a, b := start(t, quick(server.URL)), start(t, quick(server.URL))
	settle := func(n *node, as string) bus.Settled {
		t.Helper()
		settled, done, err := n.Settle(t.Context(), bus.Settling{UserID: "amy", As: as, Keep: as == ""})
		if err != nil {
			t.Fatal(err)
		}
		done()
		return settled[0]
	}
	here, there := a.dial("user:amy"), b.dial("user:amy")
	if got := settle(a, "amy of acme"); !got.Online || got.Was != "" || !got.Here || !got.Shared || got.Busy {
		t.Errorf("came: %+v", got)
	}
	eventually(t, "another node may tell", func() bool { return !settle(b, "").Busy })
	if got := settle(b, ""); !got.Online || got.Was != "amy of acme" {
		t.Errorf("came to another node: %+v", got)
	}
	here.Close()
	eventually(t, "amy has left", func() bool { return !settle(a, "").Here })
	if got := settle(a, ""); !got.Online || got.Was != "amy of acme" {
		t.Errorf("left one of two nodes: %+v", got)
	}
	there.Close()
	eventually(t, "amy has left", func() bool { n, _ := b.SocketCount(t.Context(), roles.UserRoom("amy")); return n == 0 })
	if got := settle(b, ""); got.Online || got.Was != "amy of acme" {
		t.Errorf("left: %+v", got)
	}
	eventually(t, "another node may tell", func() bool { return !settle(a, "").Busy })
	if got := settle(a, ""); got.Online || got.Was != "" {
		t.Errorf("has been told to be gone: %+v", got)
	}
}

// The users of a node that has died are told of by one of the others, within a lease and a beat or two.
func TestDeadNode(t *testing.T) {
	server := servers.StartRedis(t)
	proxy := servers.StartProxy(t, server.Address)
	a, b := start(t, quick(server.URL)), start(t, quick(server.URL))
	c := start(t, quick("redis://"+proxy.Address))
	gone := make(chan string, 10)
	for _, n := range []*node{a, b} {
		n.Gone(func(_ context.Context, users []string) { gone <- strings.Join(users, " ") })
	}
	c.dial("user:cy")
	settle := func(n *node) bus.Settled {
		t.Helper()
		settled, done, err := n.Settle(t.Context(), bus.Settling{UserID: "cy", As: "cy"})
		if err != nil {
			t.Fatal(err)
		}
		done()
		return settled[0]
	}
	eventually(t, "redis knows of cy", func() bool { return settle(c).Shared })
	began := time.Now()
	proxy.Freeze() // as dead as can be seen from elsewhere
	if got := receive(t, gone); got != "cy" {
		t.Errorf("gone: %q", got)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if online, err := b.Online(t.Context(), "cy"); err != nil || !online["cy"] {
		t.Errorf("before it is told that cy has gone: %v, %v", online, err)
	}
	settle(a)
	if online, err := b.Online(t.Context(), "cy"); err != nil || online["cy"] {
		t.Errorf("when it is told that cy has gone: %v, %v", online, err)
	}
	proxy.Thaw()
	receive(t, c.lost) // it knows that others may have told anything
	eventually(t, "cy is online again", func() bool {
		settle(c)
		online, err := a.Online(t.Context(), "cy")
		return err == nil && online["cy"]
	})
	if len(gone) > 0 {
		t.Errorf("gone a second time: %q", <-gone)
	}
}

// TestAsk: who is asked are those who listen to the room, or all; who cannot answer is counted, and an answer that does not
// come is not waited for for ever.
func TestAsk(t *testing.T) {
	server := servers.StartRedis(t)
	a, b, c := start(t, quick(server.URL)), start(t, named(quick(server.URL), "two")), start(t, quick(server.URL))
	for _, each := range []*node{a, b, c} {
		eventually(t, "all are there", func() bool { return each.Stats().Peers == 2 })
	}
	b.dial("user:amy")
	for _, each := range []*node{b, c} {
		each.Answer("who", func(_ context.Context, question bus.Message) ([]byte, error) {
			return append([]byte("asked "), question.Body...), nil
		})
	}
	c.Answer("stuck", func(ctx context.Context, _ bus.Message) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ask := func(kind string, rooms ...roles.Room) (answers map[string]string, missing int) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		answers = make(map[string]string)
		missing, err := a.Ask(ctx, bus.Message{Kind: kind, Rooms: rooms, Body: []byte("whom")}, func(answer bus.Message) bool {
			answers[answer.Node] = string(answer.Body)
			return true
		})
		if err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		return answers, missing
	}
	if answers, missing := ask("who"); missing != 0 || len(answers) != 2 || answers[c.Node()] != "asked whom" {
		t.Errorf("all: %v, %d missing", answers, missing)
	}
	if answers, missing := ask("who", roles.UserRoom("amy")); missing != 0 || len(answers) != 1 || answers[b.Node()] != "asked whom" {
		t.Errorf("of a room: %v, %d missing", answers, missing)
	}
	if answers, missing := ask("who", roles.UserRoom("bob")); missing != 0 || len(answers) != 0 {
		t.Errorf("of an empty room: %v, %d missing", answers, missing)
	}
	if answers, missing := ask("stuck"); missing != 2 || len(answers) != 0 { // b does not know it, and c is not done in time
		t.Errorf("what cannot be answered: %v, %d missing", answers, missing)
	}
	if name := bus.NameOf(b.Node()); name != "two" {
		t.Errorf("b is called %s", name)
	}
	if name := bus.NameOf(c.Node()); name != c.Node() {
		t.Errorf("c is called %s", name)
	}
	server.Kill()
	eventually(t, "Redis is missed", func() bool { return a.Degraded() != nil })
	if _, err := a.Ask(t.Context(), bus.Message{Kind: "who"}, func(bus.Message) bool { return true }); err == nil {
		t.Error("nobody was asked, and nothing is said of it")
	}
}

// TestWhatWasNotToldIsTold: where a node has no answer to what it is to tell, and asks again, it is still to tell it.
func TestWhatWasNotToldIsTold(t *testing.T) {
	a := start(t, quick(servers.StartRedis(t).URL))
	settle := func(as string) (was string, done func()) {
		t.Helper()
		settled, done, err := a.Settle(t.Context(), bus.Settling{UserID: "amy", As: as})
		if err != nil || len(settled) != 1 || !settled[0].Shared {
			t.Fatalf("settled %+v, %v", settled, err)
		}
		return settled[0].Was, done
	}
	eventually(t, "the node has a lease", func() bool {
		settled, _, err := a.Settle(t.Context(), bus.Settling{UserID: "nobody"})
		return err == nil && settled[0].Shared
	})
	amy := a.dial("user:amy")
	for range 2 { // the first answer was lost
		if was, _ := settle("as amy"); was != "" {
			t.Errorf("online: it was told %q", was)
		}
	}
	if again, _, err := a.Settle(t.Context(), bus.Settling{UserID: "amy", As: "as amy"}); err != nil || !again[0].Unsure || again[0].Begun != "as amy" {
		t.Errorf("nobody knows whom it has reached: %+v, %v", again, err)
	}
	// told settles until a telling was done before the next one was begun.
	told := func(as string) func() bool {
		return func() bool {
			was, done := settle(as)
			done()
			return was == as
		}
	}
	eventually(t, "it is told", told("as amy"))
	amy.Close()
	eventually(t, "amy has gone", func() bool { n, err := a.SocketCount(t.Context(), "user:amy"); return err == nil && n == 0 })
	for range 2 {
		if was, _ := settle(""); was != "as amy" {
			t.Errorf("offline: it was told %q", was)
		}
	}
	eventually(t, "that is told", told(""))
}
