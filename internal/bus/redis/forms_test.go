package redis_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"rolecall/internal/bus"
	"rolecall/internal/bus/redis"
	"rolecall/internal/limit"
	"rolecall/internal/redisurl"
	"rolecall/internal/roles"
	"rolecall/test/servers"
)

// meet starts two nodes and waits until they hear each other.
func meet(t *testing.T, o redis.Options) (a, b *node) {
	t.Helper()
	a, b = start(t, o), start(t, o)
	for _, each := range []*node{a, b} {
		eventually(t, "the nodes hear each other", func() bool { return each.Stats().Peers == 1 && each.Degraded() == nil })
	}
	return a, b
}

// works has two nodes do everything that goes over Redis, for users of many lanes.
func works(t *testing.T, a, b *node, round string) {
	t.Helper()
	b.Answer("who", func(context.Context, bus.Message) ([]byte, error) { return []byte("b"), nil })
	for i := range 40 {
		user := fmt.Sprintf("%s%d", round, i)
		client := b.dial(string(roles.UserRoom(user)), "company:acme")
		if i == 0 { // once the room is heard a says something of each kind
			a.say("to all", roles.CompanyRoom("acme"))
			if got := client.Hears("said"); got != `"to all"` {
				t.Errorf("heard %s", got)
			}
		}
		a.say(user, roles.UserRoom(user))
		if got := client.Hears("said"); got != `"`+user+`"` {
			t.Errorf("%s heard %s", user, got)
		}
		// A node knows the sessions of others as of its last beat, and has one of its own again at its next.
		eventually(t, user+" is online for all", func() bool {
			settled, done, err := b.Settle(t.Context(), bus.Settling{UserID: user, As: "x"})
			if err != nil {
				t.Fatal(err)
			}
			done()
			online, err := a.Online(t.Context(), user)
			return settled[0].Online && settled[0].Shared && err == nil && online[user]
		})
		eventually(t, "the socket of "+user+" is counted", func() bool {
			n, err := a.SocketCount(t.Context(), roles.UserRoom(user))
			if n > 1 {
				t.Errorf("a counts %d sockets of %s", n, user)
			}
			return n == 1 && err == nil
		})
		eventually(t, user+" answers", func() bool { // a server that has come back may be lost once more
			answers := 0
			missing, err := a.Ask(t.Context(), bus.Message{Kind: "who", Rooms: []roles.Room{roles.UserRoom(user)}}, func(bus.Message) bool {
				answers++
				return true
			})
			if answers > 1 {
				t.Errorf("%d answers of %s", answers, user)
			}
			return answers == 1 && missing == 0 && err == nil
		})
		spending := limit.Spending{User: user, Kind: limit.Chat, Rate: limit.Defaults()[limit.Chat], Wanted: 1}
		eventually(t, user+" is granted something", func() bool {
			spent, err := a.Spend(t.Context(), []limit.Spending{spending})
			return err == nil && spent[0].OK
		})
		client.Close()
	}
}

// TestCluster: a cluster is used by sharded channels alone; when slots move, and when a server is gone and comes back, the nodes are
// whole again by themselves, and know that they may have missed something.
func TestCluster(t *testing.T) {
	t.Parallel()
	keys := []string{"rolecall:{0}:nodes", "rolecall:{3}:nodes", "rolecall:{11}:nodes"}
	cluster := servers.StartRedisCluster(t, keys...)
	o := quick(cluster.URL)
	o.Lease = 2 * time.Second // sixteen connections each on a busy machine
	a, b := meet(t, o)
	works(t, a, b, "first")
	client := b.dial("user:amy")
	for i, server := range cluster.Servers {
		if n := server.Ask("PUBSUB NUMPAT"); n != ":0" {
			t.Errorf("server %d has patterns: %s", i, n)
		}
		if answer := server.Ask("PUBSUB CHANNELS"); answer != "*0" {
			t.Errorf("server %d has channels of the whole cluster: %s", i, answer)
		}
		if answer := server.Ask("PUBSUB SHARDCHANNELS"); answer == "*0" {
			t.Errorf("server %d has no sharded channels", i)
		}
	}

	lost := len(b.lost)
	cluster.Empty(t, len(keys))
	eventually(t, "what was missed is read again", func() bool { return len(b.lost) > lost })
	for _, each := range []*node{a, b} {
		eventually(t, "the nodes are whole where slots have moved", func() bool { return each.Degraded() == nil && each.Stats().Peers == 1 })
	}
	works(t, a, b, "moved")

	cluster.Servers[1].Kill()
	eventually(t, "a missing server is noticed", func() bool { return a.Degraded() != nil && b.Degraded() != nil })
	cluster.Servers[1].Start()
	for _, each := range []*node{a, b} {
		eventually(t, "the nodes are whole with all servers", func() bool { return each.Degraded() == nil && each.Stats().Peers == 1 })
	}
	works(t, a, b, "back")
	a.say("still there", roles.UserRoom("amy"))
	if got := client.Hears("said"); got != `"still there"` {
		t.Errorf("heard %s", got)
	}
}

// TestSentinel: when the primary is gone the nodes find the replica that takes its place.
func TestSentinel(t *testing.T) {
	t.Parallel()
	watched := servers.StartRedisSentinel(t)
	a, b := meet(t, quick(watched.URL))
	works(t, a, b, "first")
	client := b.dial("user:amy")
	watched.Primary.Kill()
	eventually(t, "the loss is noticed", func() bool { return a.Degraded() != nil && b.Degraded() != nil })
	for _, each := range []*node{a, b} {
		eventually(t, "the replica takes over", func() bool { return each.Degraded() == nil && each.Stats().Peers == 1 })
	}
	works(t, a, b, "after")
	a.say("still there", roles.UserRoom("amy"))
	if got := client.Hears("said"); got != `"still there"` {
		t.Errorf("heard %s", got)
	}
	if role := watched.Replica.Ask("INFO replication"); !strings.Contains(role, "role:master") {
		t.Errorf("the replica is none: %s", role)
	}
}

// TestTLS: the server is believed by its authority alone, and wants to see a certificate.
func TestTLS(t *testing.T) {
	t.Parallel()
	server := servers.StartRedisTLS(t)
	client := url.Values{"cert_file": {server.CertFile}, "key_file": {server.KeyFile}}
	with := func(name, value string) string {
		query := url.Values{name: {value}}
		for name, values := range client {
			query[name] = values
		}
		return server.URL + "?" + query.Encode()
	}
	a, b := meet(t, quick(with("ca_file", server.CAFile)))
	works(t, a, b, "one")
	unchecked := start(t, quick(with("skip_verify", "true")))
	eventually(t, "the third is heard", func() bool { return unchecked.Stats().Peers == 2 })
	works(t, a, unchecked, "two")
	for why, bad := range map[string]string{
		"an authority that is not believed": server.URL + "?" + client.Encode(),
		"another authority":                 with("ca_file", server.Others),
		"no certificate to show":            server.URL + "?" + url.Values{"ca_file": {server.CAFile}}.Encode(),
	} {
		options, _, err := redisurl.Parse(bad)
		if err != nil {
			t.Fatal(err)
		}
		if reached, err := rueidis.NewClient(options); err == nil {
			reached.Close()
			t.Errorf("reached with %s", why)
		}
	}
}

// TestLeastRights: a user of the rights that are named is allowed all that is done, and less is missed and named.
func TestLeastRights(t *testing.T) {
	t.Parallel()
	const prefix = "depot:one"
	docs, err := os.ReadFile("../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	if rights := redis.Rights("rolecall"); !strings.Contains(regexp.MustCompile(`\s+`).ReplaceAllString(string(docs), " "), rights) {
		t.Errorf("docs/operations.md does not name %s", rights)
	}
	var users []string
	for _, user := range []string{
		"default off", "node on >word " + redis.Rights(prefix), "elsewhere on >word " + redis.Rights("other"),
		"less on >word " + strings.NewReplacer(" +publish", "", " +hset", "", " +zadd", "").Replace(redis.Rights(prefix)),
	} {
		users = append(append(users, "--user"), strings.Fields(user)...)
	}
	server := servers.StartRedis(t, users...)
	address := func(user string) string { return "redis://" + user + ":word@" + server.Address }
	o := quick(address("node"))
	o.Prefix = prefix
	a, b := meet(t, o)
	works(t, a, b, "u")
	for _, each := range []*node{a, b} {
		if log := each.log.String(); strings.Contains(log, "NOPERM") {
			t.Errorf("something was not allowed: %s", log)
		}
	}
	for user, want := range map[string][]string{
		"node": {}, "less": {"publish", "hset", "zadd"},
		"elsewhere": nil, // not even the key by which they are asked for
	} {
		options, _, err := redisurl.Parse(address(user))
		if err != nil {
			t.Fatal(err)
		}
		client, err := rueidis.NewClient(options)
		if err != nil {
			t.Fatal(err)
		}
		missing, err := redis.MissingRights(t.Context(), client, prefix)
		if want == nil && err == nil || want != nil && (err != nil || !slices.Equal(missing, want)) {
			t.Errorf("%s lacks %q, %v; want %q", user, missing, err, want)
		}
		if user == "node" {
			nodes, err := redis.Present(t.Context(), client, prefix)
			ids := []string{a.Node(), b.Node()}
			slices.Sort(ids)
			if err != nil || !slices.Equal(nodes, ids) {
				t.Errorf("present are %q, %v; want %q", nodes, err, ids)
			}
		}
		client.Close()
	}
}
