//go:build unix

package servers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/test/servers/launch"
)

// RedisCluster is three Redis servers that share the slots.
type RedisCluster struct {
	// URL leads to it.
	URL     string
	Servers []*Redis
	// ids are those of the servers, in their order.
	ids []string
}

// StartRedisCluster starts a cluster until the end of t. The last server has the slots of these keys alone; the others share
// the rest.
func StartRedisCluster(t testing.TB, last ...string) *RedisCluster {
	t.Helper()
	const slots, number = 16384, 3
	c := &RedisCluster{}
	for range number {
		c.Servers = append(c.Servers, StartRedis(t, "--cluster-enabled", "yes", "--cluster-port", freePort(t), "--cluster-node-timeout", "2000"))
	}
	its := make(map[int]bool)
	for _, key := range last {
		its[integer(t, c.Servers[0].Ask("CLUSTER KEYSLOT "+key))] = true
	}
	owned := make([][]string, number)
	for slot := range slots {
		owner := slot * (number - 1) / slots
		if its[slot] {
			owner = number - 1
		}
		owned[owner] = append(owned[owner], fmt.Sprint(slot))
	}
	for i, server := range c.Servers {
		c.ids = append(c.ids, server.Ask("CLUSTER MYID"))
		for _, command := range []string{fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1), "CLUSTER ADDSLOTS " + strings.Join(owned[i], " ")} {
			if answer := server.Ask(command); answer != "+OK" {
				t.Fatalf("%.60s: %s", command, answer)
			}
		}
		if i > 0 {
			host, port, _ := net.SplitHostPort(c.Servers[0].Address)
			meet := fmt.Sprintf("CLUSTER MEET %s %s %s", host, port, c.Servers[0].settings[3])
			if answer := server.Ask(meet); answer != "+OK" {
				t.Fatalf("%s: %s", meet, answer)
			}
		}
	}
	for _, server := range c.Servers {
		server.await("the cluster is whole", func() bool {
			info := server.Ask("CLUSTER INFO")
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3") &&
				strings.Contains(info, "cluster_slots_ok:16384")
		})
	}
	c.URL = fmt.Sprintf("redis://%s?cluster=true&addr=%s&addr=%s", c.Servers[0].Address, c.Servers[1].Address, c.Servers[2].Address)
	return c
}

// Empty moves all slots of the last server, with their keys, to the first.
func (c *RedisCluster) Empty(t testing.TB, slots int) {
	t.Helper()
	Install(t, "command -v redis-cli", "redis-tools")
	last := len(c.ids) - 1
	command := exec.CommandContext(t.Context(), "redis-cli", "--cluster", "reshard", c.Servers[0].Address, "--cluster-from", c.ids[last],
		"--cluster-to", c.ids[0], "--cluster-slots", fmt.Sprint(slots), "--cluster-yes")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("move slots: %v\n%s", err, output)
	}
}

// RedisSentinel is a primary, its replica, and a Sentinel that has the replica take over.
type RedisSentinel struct {
	// URL leads to whoever is the primary.
	URL     string
	Primary *Redis
	Replica *Redis
}

// StartRedisSentinel starts them until the end of t.
func StartRedisSentinel(t testing.TB) *RedisSentinel {
	t.Helper()
	primary := StartRedis(t)
	host, port, err := net.SplitHostPort(primary.Address)
	if err != nil {
		t.Fatal(err)
	}
	replica := StartRedis(t, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	replica.await("the replica follows", func() bool { return strings.Contains(replica.Ask("INFO replication"), "master_link_status:up") })
	folder := t.TempDir()
	listen := freePort(t)
	settings := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nlogfile %s\nsentinel monitor main %s %s 1\n"+
		"sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n", listen, folder, filepath.Join(folder, "log"), host, port)
	file := filepath.Join(folder, "sentinel.conf")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := &Redis{t: t, Address: "127.0.0.1:" + listen, folder: folder}
	t.Cleanup(sentinel.Kill)
	sentinel.running = exec.Command(installed(t, launch.RedisProgram), file, "--sentinel")
	if err := sentinel.running.Start(); err != nil {
		t.Fatal(err)
	}
	sentinel.await("the Sentinel knows both", func() bool {
		answer, err := sentinel.ask("INFO sentinel")
		return err == nil && strings.Contains(answer, "status=ok") && strings.Contains(answer, "slaves=1")
	})
	return &RedisSentinel{URL: "redis://" + sentinel.Address + "?master_set=main", Primary: primary, Replica: replica}
}

// await waits until something is true of the server.
func (r *Redis) await(what string, is func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(redisPatience); !is(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("not in time: %s\n%s", what, r.Log())
		}
	}
}

// freePort is one that nobody listens on now.
func freePort(t testing.TB) string {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// integer reads the answer of a command that tells a number.
func integer(t testing.TB, answer string) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscanf(answer, ":%d", &n); err != nil {
		t.Fatalf("%q: %v", answer, err)
	}
	return n
}
