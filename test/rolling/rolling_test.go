//go:build unix

// Package rolling tests that three servers behind the proxy of deploy/ are stopped and started again, one after the other, without
// anybody losing anything: thousands of clients, in processes of their own, write, report and ask all the while.
//
// SOAK=1 in the environment asks for 3,000 clients and the times of deploy/, which takes two minutes.
package rolling

import (
	"encoding/csv"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/internal/services/administration"
	"rolecall/test/harness"
	"rolecall/test/servers"
)

func TestMain(m *testing.M) {
	if order := os.Getenv(orderVariable); order != "" { // this process is a crowd
		os.Exit(crowdMain(order))
	}
	goleak.VerifyTestMain(m)
}

// scale is how many clients there are, in how many processes, and how a node goes.
type scale struct {
	crowds, each  int
	delay, period time.Duration
}

func sizeOf() scale {
	if os.Getenv("SOAK") == "1" {
		return scale{crowds: 3, each: 1000, delay: 5 * time.Second, period: 15 * time.Second} // as compose.yaml has them
	}
	return scale{crowds: 2, each: 300, delay: 3 * time.Second, period: 8 * time.Second}
}

func (s scale) clients() int { return s.crowds * s.each }

// nodes are three servers behind the proxy.
type nodes struct {
	t        *testing.T
	binary   string
	database string
	settings []string
	running  []*harness.Process
	proxy    *servers.HAProxy
}

func startNodes(t *testing.T, size scale) *nodes {
	t.Helper()
	n := &nodes{t: t, binary: harness.Build(t), database: harness.NewDatabase(t)}
	n.settings = []string{
		config.Variable("database-url") + "=" + n.database,
		config.Variable("redis-url") + "=" + servers.StartRedis(t).URL,
		config.Variable("trusted-proxies") + "=" + servers.ProxyAddress,
		config.Variable("drain-delay") + "=" + size.delay.String(),
		config.Variable("drain-period") + "=" + size.period.String(),
		config.Variable("shutdown-timeout") + "=" + (size.delay + size.period + 10*time.Second).String(),
	}
	addresses := make([]string, len(servers.NodeNames()))
	n.running = make([]*harness.Process, len(addresses))
	for i := range addresses {
		n.launch(i, "127.0.0.1:0")
		addresses[i] = strings.TrimPrefix(n.running[i].URL, "http://")
	}
	t.Cleanup(func() {
		for _, node := range n.running {
			node.Kill()
		}
	})
	n.proxy = servers.StartHAProxy(t, addresses)
	return n
}

func (n *nodes) launch(i int, address string) {
	n.t.Helper()
	own := append(slices.Clone(n.settings), config.Variable("node-name")+"="+servers.NodeNames()[i])
	n.running[i] = harness.Launch(n.t, n.binary, address, n.t.TempDir(), own...)
}

// roll stops a node as an operator does, starts it again, and waits until the proxy leads to it.
func (n *nodes) roll(i int) {
	n.t.Helper()
	begun := time.Now()
	if code := n.running[i].Terminate(); code != 0 {
		n.t.Errorf("node %d: exit code %d", i, code)
	}
	stopped := time.Since(begun)
	n.launch(i, strings.TrimPrefix(n.running[i].URL, "http://"))
	harness.Eventually(n.t, "the proxy leads to the node again", func() bool {
		return strings.HasPrefix(n.stats()["requests/"+servers.NodeNames()[i]]["status"], "UP")
	})
	n.t.Logf("node %s was stopped in %s, and the proxy led to it again after %s",
		servers.NodeNames()[i], stopped.Round(10*time.Millisecond), time.Since(begun).Round(10*time.Millisecond))
}

// stats are the proxy's own figures, by the names of a frontend, backend or server and of a column.
// https://docs.haproxy.org/2.6/management.html#9.1
func (n *nodes) stats() map[string]map[string]string {
	n.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(n.proxy.Ask("show stat"), "# "))).ReadAll()
	if err != nil || len(rows) < 2 {
		n.t.Fatalf("the proxy's figures: %v", err)
	}
	all := make(map[string]map[string]string)
	for _, row := range rows[1:] {
		figures := make(map[string]string, len(row))
		for i, name := range rows[0] {
			figures[name] = row[i]
		}
		all[figures["pxname"]+"/"+figures["svname"]] = figures
	}
	return all
}

// connections is how many all nodes have, as one says.
func (n *nodes) connections() int {
	n.t.Helper()
	request, err := http.NewRequestWithContext(n.t.Context(), http.MethodGet, n.running[0].URL+"/api/v1/stats", http.NoBody)
	if err != nil {
		n.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+harness.Token(n.t, harness.Person("root", roles.Admin, "")))
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		n.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	return harness.Decode[administration.Stats](n.t, read(n.t, response.Body)).Connections
}

// TestRollingRestartUnderLoad: three nodes are rolled one after the other, while thousands of clients are connected through the
// proxy, some of whom write and report, and others ask by REST. Nothing that was acknowledged is lost, no request fails, and in
// no second more than a fifth of all clients connect.
func TestRollingRestartUnderLoad(t *testing.T) {
	size := sizeOf()
	n := startNodes(t, size)
	crowds := startCrowds(t, n.proxy.URL, size)
	for _, c := range crowds {
		c.awaitReady(t)
	}
	harness.Eventually(t, "all are connected", func() bool { return n.connections() == size.clients() })
	began := time.Now()
	for i := range n.running {
		n.roll(i)
		harness.Eventually(t, "all are back", func() bool { return n.connections() == size.clients() })
	}
	t.Logf("three nodes were rolled in %s", time.Since(began).Round(time.Second))
	total := report{Connects: map[int64]int{}, Positions: map[string][]int64{}, Messages: map[string]string{}}
	for _, c := range crowds {
		total.add(c.finish(t))
	}
	checkConnects(t, &total, began, size.clients())
	checkRequests(t, n, &total)
	checkStore(t, n.database, &total)
}

func checkConnects(t *testing.T, total *report, began time.Time, clients int) {
	t.Helper()
	most, sum := 0, 0
	for second, count := range total.Connects {
		if second > began.Unix() {
			most, sum = max(most, count), sum+count
		}
	}
	t.Logf("%d clients connected %d times again, at most %d in a second", clients, sum, most)
	if most > clients/5 || sum < clients*2/3 {
		t.Errorf("in a second up to %d of %d clients connected, and %d in all", most, clients, sum)
	}
}

// checkRequests: no request has failed for those who asked, nor as the proxy counts.
func checkRequests(t *testing.T, n *nodes, total *report) {
	t.Helper()
	for i, failure := range total.Failures {
		if i == 10 {
			t.Errorf("and %d more", len(total.Failures)-i)
			break
		}
		t.Errorf("failed: %s", failure)
	}
	stats := n.stats()
	public := stats["public/FRONTEND"]
	t.Logf("the proxy: %s requests, answered with 1xx %s, 2xx %s, 4xx %s, 5xx %s; clients: %d requests by REST, %d WebSockets",
		public["req_tot"], public["hrsp_1xx"], public["hrsp_2xx"], public["hrsp_4xx"], public["hrsp_5xx"], total.Asked, total.connected())
	for _, name := range []string{"hrsp_4xx", "hrsp_5xx", "ereq", "dreq"} {
		if public[name] != "0" {
			t.Errorf("the proxy counts %s of %s", public[name], name)
		}
	}
	for _, backend := range []string{"websockets", "sessions", "requests"} {
		of := stats[backend+"/BACKEND"]
		t.Logf("%s: %s retried, %s sent elsewhere, %s connections failed, %s answers failed, %s ended by a node, %s by a client",
			backend, of["wretr"], of["wredis"], of["econ"], of["eresp"], of["srv_abrt"], of["cli_abrt"])
	}
	if got, err := strconv.Atoi(public["req_tot"]); err != nil || got < total.Asked+total.connected() {
		t.Errorf("the proxy has seen %d requests of %d", got, total.Asked+total.connected())
	}
	if total.Asked < 100 {
		t.Errorf("%d requests show nothing", total.Asked)
	}
}

// checkStore: what was acknowledged is in the database, once.
func checkStore(t *testing.T, database string, total *report) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var id, text, driver string
	var ts int64
	messages, said := map[string]string{}, map[string]int{}
	rows, err := conn.Query(t.Context(), "SELECT message_id, convert_from(text, 'UTF8') FROM messages")
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&id, &text}, func() error { messages[id] = text; said[text]++; return nil })
	}
	positions := map[string]int{}
	if err == nil {
		rows, err = conn.Query(t.Context(), "SELECT driver_id, ts FROM positions JOIN drivers ON drivers.number = driver")
	}
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&driver, &ts}, func() error { positions[fmt.Sprint(driver, " ", ts)]++; return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	for clientID, messageID := range total.Messages {
		if messages[messageID] != clientID || said[clientID] != 1 {
			t.Errorf("message %s, acknowledged as %s, is stored as %q, %d times", clientID, messageID, messages[messageID], said[clientID])
		}
	}
	acked := 0
	for _, driver := range slices.Sorted(maps.Keys(total.Positions)) {
		for _, ts := range total.Positions[driver] {
			if acked++; positions[fmt.Sprint(driver, " ", ts)] != 1 {
				t.Errorf("the position of %s at %d is stored %d times", driver, ts, positions[fmt.Sprint(driver, " ", ts)])
			}
		}
	}
	t.Logf("%d acknowledged messages and %d positions are there, each once", len(total.Messages), acked)
	if len(total.Messages) < 100 || acked < 100 {
		t.Error("that is too little to show anything")
	}
}
