package redis_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/test/servers"
	"rolecall/test/socketstest"
)

// whole waits until events of each node reach the other one's client again.
func whole(t *testing.T, a, b *node, ofA, ofB *socketstest.Client) {
	t.Helper()
	eventually(t, "redis delivers", func() bool {
		return a.Degraded() == nil && b.Degraded() == nil && a.Stats().Peers == 1 && b.Stats().Peers == 1
	})
	a.say("whole", roles.CompanyRoom("acme"))
	b.say("whole", roles.CompanyRoom("acme"))
	for _, client := range []*socketstest.Client{ofA, ofB} {
		for range 2 {
			for client.Hears("said") != `"whole"` {
			}
		}
	}
}

func TestTrouble(t *testing.T) {
	for name, trouble := range map[string]struct{ begin, end func(*servers.Redis) }{
		"stopped": {(*servers.Redis).Kill, (*servers.Redis).Start},
		"frozen":  {(*servers.Redis).Freeze, (*servers.Redis).Thaw},
	} {
		t.Run(name, func(t *testing.T) {
			server := servers.StartRedis(t)
			a, b := start(t, quick(server.URL)), start(t, quick(server.URL))
			amy, bob := a.dial("user:amy", "company:acme"), b.dial("user:bob", "company:acme")
			whole(t, a, b, amy, bob)

			trouble.begin(server)
			began := time.Now()
			a.say("here", roles.UserRoom("amy"))
			if got := amy.Hears("said"); got != `"here"` || time.Since(began) > time.Second {
				t.Errorf("heard %s after %v", got, time.Since(began))
			}
			eventually(t, "it is noticed", func() bool { return a.Degraded() != nil && b.Degraded() != nil })
			began = time.Now()
			cy := a.dial("user:cy") // a room that cannot be heard of is entered all the same
			for i := range 100 {
				a.say(i, roles.UserRoom("cy"), roles.CompanyRoom("acme"))
				if got := cy.Hears("said"); got != fmt.Sprint(i) {
					t.Errorf("heard %s, want %d", got, i)
				}
			}
			online, err := a.Online(t.Context(), "amy", "bob")
			if !online["amy"] || online["bob"] || err != nil {
				t.Errorf("online: %v, %v", online, err)
			}
			settled, done, err := a.Settle(t.Context(), bus.Settling{UserID: "amy", As: "amy"})
			if err != nil || !settled[0].Online || settled[0].Shared {
				t.Errorf("settled: %+v, %v", settled, err)
			} else {
				done()
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("without redis it took %v", took)
			}
			for len(a.lost)+len(b.lost) > 0 {
				select {
				case <-a.lost:
				case <-b.lost:
				}
			}
			trouble.end(server)
			receive(t, a.lost)
			receive(t, b.lost)
			whole(t, a, b, amy, bob)
			b.say("to who came meanwhile", roles.UserRoom("cy"))
			if got := cy.Hears("said"); got != `"to who came meanwhile"` && got != "0" {
				t.Errorf("heard %s", got)
			}
		})
	}
}

// A connection that is up and delivers nothing is noticed by the node that has it, and by nobody else.
func TestOneNodeCutOff(t *testing.T) {
	server := servers.StartRedis(t)
	proxy := servers.StartProxy(t, server.Address)
	a, b := start(t, quick(server.URL)), start(t, quick("redis://"+proxy.Address))
	amy, bob := a.dial("user:amy", "company:acme"), b.dial("user:bob", "company:acme")
	whole(t, a, b, amy, bob)
	proxy.Freeze()
	eventually(t, "it is noticed", func() bool { return b.Degraded() != nil })
	if err := a.Degraded(); err != nil {
		t.Errorf("the other node: %v", err)
	}
	b.say("missed", roles.CompanyRoom("acme"))
	eventually(t, "b has given up what it could not send", func() bool { return b.Stats().Dropped > 0 })
	proxy.Thaw()
	receive(t, b.lost) // since it has heard nothing
	receive(t, a.lost) // since it has not heard b
	whole(t, a, b, amy, bob)
}

// A node that reads too slowly is cut off by Redis, and knows that it has missed something.
func TestSlowNode(t *testing.T) {
	server := servers.StartRedis(t, "--client-output-buffer-limit", "pubsub 262144 262144 1")
	proxy := servers.StartProxy(t, server.Address)
	options := quick("redis://" + proxy.Address)
	options.Lease = time.Minute // what cuts it off is not this
	a, b := start(t, quick(server.URL)), start(t, options)
	amy, bob := a.dial("user:amy", "company:acme"), b.dial("user:bob", "company:acme")
	whole(t, a, b, amy, bob)
	proxy.Freeze()
	for range 1000 { // more than sockets have room for
		a.say(strings.Repeat("x", 64<<10), roles.UserRoom("bob"))
		if a.Stats().Dropped > 0 {
			t.Fatal("a has given up messages of which b is to hear too late")
		}
		if strings.Contains(server.Log(), "closed ASAP") {
			break
		}
		<-time.After(time.Millisecond)
	}
	proxy.Thaw()
	receive(t, b.lost)
	eventually(t, "b hears again", func() bool { return b.Degraded() == nil })
}

// What is none of ours is named, counted and left, and all goes on.
func TestGarbage(t *testing.T) {
	server := servers.StartRedis(t)
	a, b := start(t, quick(server.URL)), start(t, quick(server.URL))
	amy, bob := a.dial("user:amy", "company:acme"), b.dial("user:bob", "company:acme")
	whole(t, a, b, amy, bob)
	for i, garbage := range []string{"garbage", "{type:2}", "RC", "RC\x7fxxxxxxxxxxxxxxxxxxxxxxxxxxx", "RC\x01xxxxxxxxxxxxxxxxxxxxxxxxxxx"} {
		for _, channel := range []string{"all", "room:company:acme", "node:" + b.Node()} {
			server.Ask("PUBLISH rolecall:{0}:" + channel + " " + garbage)
		}
		eventually(t, "it is counted", func() bool { return b.Stats().Refused >= int64(3*(i+1)) })
	}
	a.Publish(t.Context(), bus.Message{Kind: "unheard of"})
	eventually(t, "it is counted", func() bool { return b.Stats().Refused >= 16 })
	for _, want := range []string{"no message of this program", "another version: 127", "broken message", "nobody knows messages of this kind"} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("the log does not say: %s", want)
		}
	}
	whole(t, a, b, amy, bob)
}

// A server that wants a user and password gets them, and neither is logged; one that gets others is not heard, which is said.
func TestPassword(t *testing.T) {
	server := servers.StartRedis(t, "--requirepass", "hunter2")
	good := start(t, quick(strings.Replace(server.URL, "redis://", "redis://:hunter2@", 1)))
	if err := good.Degraded(); err != nil {
		t.Error(err)
	}
	bad := start(t, quick(strings.Replace(server.URL, "redis://", "redis://:hunter3@", 1)))
	if bad.Degraded() == nil || !strings.Contains(bad.log.String(), "WRONGPASS") {
		t.Errorf("a wrong password: %s", bad.log)
	}
	if strings.Contains(good.log.String()+bad.log.String(), "hunter") {
		t.Error("the password is logged")
	}
}

// A node that is alone publishes nothing but its signs of life, and what it says once another has come is heard by that.
func TestAlone(t *testing.T) {
	server := servers.StartRedis(t)
	a := start(t, quick(server.URL))
	amy := a.dial("user:amy")
	beats := func() int64 { return a.Stats().Published }
	eventually(t, "a knows that it is alone", func() bool {
		before := beats()
		for range 1000 {
			a.say("x", roles.UserRoom("amy"))
			amy.Hears("said")
		}
		return beats()-before < 100
	})
	for i := range 20 {
		b := start(t, quick(server.URL))
		bob := b.dial("user:bob")
		a.say(i, roles.UserRoom("bob"))
		if got := bob.Hears("said"); got != fmt.Sprint(i) {
			t.Errorf("heard %s", got)
		}
		bob.Close()
		b.stop()
	}
}

// What is said to who is on one node does not come to another.
func TestNothingComesToWhoHasNoListeners(t *testing.T) {
	server := servers.StartRedis(t)
	a, b, c := start(t, quick(server.URL)), start(t, quick(server.URL)), start(t, quick(server.URL))
	watcher := b.dial("user:amy", "fleet:acme")
	c.dial("user:bob", "fleet:umbra")
	for i := range 100 {
		a.Emitter("/").EmitNewest(t.Context(), "newest", bus.Newest{
			Member: "list", Values: []bus.Value{{Key: "d", JSON: []byte(fmt.Sprint(i))}},
		}, roles.FleetRoom("acme"))
		watcher.Hears("newest")
	}
	if got := b.Stats().Received; got < 100 {
		t.Errorf("%d messages came to who watches", got)
	}
	if got := c.Stats().Received; got != 0 {
		t.Errorf("%d messages came to who watches another fleet", got)
	}
}

// Who was told to be there is listed also while their node does not answer, and until it is told that they have gone.
func TestUsersOfWhoDoesNotAnswer(t *testing.T) {
	server := servers.StartRedis(t)
	proxy := servers.StartProxy(t, server.Address)
	a, b := start(t, quick(server.URL)), start(t, quick("redis://"+proxy.Address))
	gone := make(chan string, 10)
	a.Gone(func(_ context.Context, users []string) { gone <- strings.Join(users, " ") })
	acme := []roles.Room{roles.CompanyRoom("acme")}
	amy, bob := a.dial("user:amy", "company:acme"), b.dial("user:bob", "company:acme")
	whole(t, a, b, amy, bob)
	list := func() []string {
		t.Helper()
		users, err := a.UsersIn(t.Context(), 10, acme...)
		if slices.Sort(users); err != nil {
			t.Error(err)
		}
		return users
	}
	settle := func(n *node) {
		t.Helper()
		_, done, err := n.Settle(t.Context(), bus.Settling{UserID: "bob", As: "bob", Rooms: acme})
		if err != nil {
			t.Fatal(err)
		}
		done()
	}
	settle(b)
	if users := list(); !slices.Equal(users, []string{"amy", "bob"}) {
		t.Errorf("in quiet times: %v", users)
	}
	proxy.Freeze()
	if users := list(); !slices.Equal(users, []string{"amy", "bob"}) {
		t.Errorf("while b does not answer: %v", users)
	}
	if got := receive(t, gone); got != "bob" {
		t.Errorf("gone: %q", got)
	}
	settle(a)
	if users := list(); !slices.Equal(users, []string{"amy"}) {
		t.Errorf("when it is told that bob has gone: %v", users)
	}
	proxy.Thaw()
}

// Nobody is forgotten: of whom a node was telling when it died, and who was told to be there and is on no node's account.
func TestNobodyIsForgotten(t *testing.T) {
	server := servers.StartRedis(t)
	proxy, before := servers.StartProxy(t, server.Address), servers.StartProxy(t, server.Address)
	a, b := start(t, quick("redis://"+before.Address)), start(t, quick("redis://"+proxy.Address))
	gone := make(chan string, 10)
	a.Gone(func(_ context.Context, users []string) {
		gone <- strings.Join(users, " ")
	})
	bob := b.dial("user:bob")
	b.dial("user:cy")
	settle := func(end bool, userIDs ...string) {
		t.Helper()
		for _, userID := range userIDs {
			settled, done, err := b.Settle(t.Context(), bus.Settling{UserID: userID, As: userID})
			if err != nil || !settled[0].Shared {
				t.Fatalf("%+v, %v", settled, err)
			}
			if end {
				done()
			}
		}
	}
	settle(true, "bob", "cy")
	eventually(t, "that is told", func() bool {
		settled, done, err := b.Settle(t.Context(), bus.Settling{UserID: "bob", As: "bob"})
		done()
		return err == nil && settled[0].Was == "bob" && !settled[0].Unsure
	})
	bob.Close()
	eventually(t, "bob has left", func() bool { n, _ := b.SocketCount(t.Context(), roles.UserRoom("bob")); return n == 0 })
	settle(false, "bob")
	proxy.Freeze() // as dead as can be seen from elsewhere
	if got := receive(t, gone); got != "bob cy" {
		t.Errorf("gone: %q", got)
	}
	// This node does nothing about it, as if it had died as well; and comes back.
	before.Freeze()
	eventually(t, "Redis is missed", func() bool { return a.Degraded() != nil })
	before.Thaw()
	found := ""
	for found != "cy" { // before it, of whom b was telling
		if found = receive(t, gone); found != "bob" && found != "cy" {
			t.Fatalf("found later: %q", found)
		}
	}
}

// Who has come is online to others before it is told, and nobody is enlisted who has gone since, nor by a node that has died.
func TestEnlisted(t *testing.T) {
	server := servers.StartRedis(t)
	proxy := servers.StartProxy(t, server.Address)
	a, b := start(t, quick(server.URL)), start(t, quick("redis://"+proxy.Address))
	gone := make(chan string, 10)
	a.Gone(func(_ context.Context, users []string) { gone <- strings.Join(users, " ") })
	acme := []roles.Room{roles.CompanyRoom("acme")}
	people := make([]bus.Settling, 0, 450) // more than one script takes
	for i := range cap(people) {
		people = append(people, bus.Settling{UserID: fmt.Sprintf("p%03d", i), As: "somebody", Rooms: acme})
	}
	found := func(n *node) int {
		t.Helper()
		users, err := n.UsersIn(t.Context(), len(people), acme...)
		if err != nil {
			t.Error(err)
		}
		return len(users)
	}
	b.Enlist(people...)
	eventually(t, "all are found elsewhere", func() bool { return found(a) == len(people) })
	if online, err := a.Online(t.Context(), "p007", "p449", "p450"); err != nil || !online["p007"] || !online["p449"] || online["p450"] {
		t.Errorf("online: %v, %v", online, err)
	}
	if told, err := a.ToldAs(t.Context(), "p007"); err != nil || len(told) > 0 {
		t.Errorf("told: %v, %v", told, err)
	}
	settle := func(n *node, people ...bus.Settling) []bus.Settled {
		t.Helper()
		settled, done, err := n.Settle(t.Context(), people...)
		if err != nil {
			t.Fatal(err)
		}
		done()
		return settled
	}
	b.Enlist(people[:300]...)
	settle(b, people[:300]...) // they have no sockets: it is settled that they have gone
	if n := found(a); n != 150 {
		t.Errorf("%d are found when 300 have gone", n)
	}
	if elsewhere := settle(a, people[449])[0]; !elsewhere.Online || elsewhere.Here {
		t.Errorf("who has come to another node: %+v", elsewhere)
	}
	proxy.Freeze() // as dead as can be seen from elsewhere
	if got := receive(t, gone); len(strings.Fields(got)) != 150 {
		t.Errorf("gone: %s", got)
	}
	settle(a, people[300:]...)
	if n := found(a); n != 0 {
		t.Errorf("%d are found when all have gone", n)
	}
}
