//go:build unix

// Package cluster tests several servers, processes of their own, that share a PostgreSQL database and meet in Redis.
package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
	"rolecall/test/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster is three servers.
type cluster struct {
	t        *testing.T
	redis    *servers.Redis
	binary   string
	settings []string

	mu    sync.Mutex
	nodes []*harness.Process
}

func start(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, redis: servers.StartRedis(t), binary: harness.Build(t), nodes: make([]*harness.Process, 3)}
	c.settings = []string{
		config.Variable("redis-url") + "=" + c.redis.URL,
		config.Variable("database-url") + "=" + servers.Database(t),
	}
	for i := range c.nodes {
		c.launch(i, "127.0.0.1:0")
	}
	t.Cleanup(func() {
		for i := range c.nodes {
			c.node(i).Kill()
		}
	})
	return c
}

func (c *cluster) launch(i int, addr string) {
	c.t.Helper()
	made := harness.Launch(c.t, c.binary, addr, c.t.TempDir(), c.settings...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[i] = made
}

func (c *cluster) node(i int) *harness.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[i]
}

// dial connects to some node, whichever answers, until ctx ends.
func (c *cluster) dial(ctx context.Context, who auth.Identity, observe func(sioclient.Event)) *sioclient.Client {
	options := sioclient.Options{
		Namespace: "/tracking", Auth: map[string]string{"token": harness.Token(c.t, who)}, Observe: observe, OnlyEvents: []string{},
	}
	for ctx.Err() == nil {
		connecting, cancel := context.WithTimeout(ctx, 5*time.Second)
		client, err := sioclient.Dial(connecting, c.node(rand.IntN(len(c.nodes))).URL, options)
		cancel()
		if err == nil {
			return client
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// picture is what one connection of a watcher has been shown.
type picture struct {
	mu       sync.Mutex
	at       map[string]float64
	statuses map[string]tracking.Status
}

func (p *picture) observe(event sioclient.Event) {
	var shown struct {
		Positions []tracking.Position `json:"positions"`
		Statuses  []driverStatus      `json:"statuses"`
		driverStatus
	}
	if len(event.Args) == 0 || json.Unmarshal(event.Args[0], &shown) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range shown.Positions {
		p.at[shown.Positions[i].DriverID] = shown.Positions[i].Lat
	}
	if event.Name == tracking.EventStatus {
		shown.Statuses = append(shown.Statuses, shown.driverStatus)
	}
	for _, s := range shown.Statuses {
		p.statuses[s.DriverID] = s.Status
	}
}

type driverStatus struct {
	DriverID string          `json:"driverId"`
	Status   tracking.Status `json:"status"`
}

func (p *picture) shows(at map[string]float64, status tracking.Status) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range at {
		if p.statuses[id] != status {
			return false
		}
	}
	return maps.Equal(p.at, at)
}

// watcher watches all fleets, by one connection after the other.
type watcher struct {
	mu      sync.Mutex
	picture *picture
}

func (w *watcher) run(ctx context.Context, c *cluster, who auth.Identity) {
	for ctx.Err() == nil {
		shown := &picture{at: make(map[string]float64), statuses: make(map[string]tracking.Status)}
		client := c.dial(ctx, who, shown.observe)
		if client == nil {
			return
		}
		w.mu.Lock()
		w.picture = shown
		w.mu.Unlock()
		select {
		case <-client.Done():
		case <-ctx.Done():
			client.Close()
		}
		client.Abort()
	}
}

func (w *watcher) now() *picture {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.picture
}

// drive sends positions until stop is closed, changing nodes now and then, and then a last one that is acknowledged. It
// returns that, and stays connected until ctx ends.
func drive(ctx context.Context, c *cluster, who auth.Identity, seed uint64, stop <-chan struct{}, last func(lat float64)) {
	random := rand.New(rand.NewPCG(seed, 1))
	lat, done := 0.0, false
	for ctx.Err() == nil {
		client := c.dial(ctx, who, nil)
		if client == nil {
			return
		}
		for ctx.Err() == nil && (done || random.IntN(40) > 0) {
			if done {
				select {
				case <-client.Done():
				case <-ctx.Done():
				}
				break
			}
			select {
			case <-stop:
				done = true
			case <-time.After(time.Duration(random.IntN(100)) * time.Millisecond):
			}
			lat += 0.001
			calling, cancel := context.WithTimeout(ctx, 5*time.Second)
			answer, err := client.Call(calling, "tracking:update", map[string]float64{"lat": lat, "lng": 8})
			cancel()
			var ack harness.Ack
			if err != nil || json.Unmarshal(answer, &ack) != nil || ack.Status != "ok" {
				done = false
				break
			}
			if done {
				last(lat)
			}
		}
		client.Abort()
	}
}

func TestWatchersOfAllNodesSeeWhereTheDriversAre(t *testing.T) {
	const drivers, watchers = 24, 6
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := start(t)
	ctx, end := context.WithCancel(context.Background())
	var everybody sync.WaitGroup
	defer everybody.Wait()
	defer end()
	stop := make(chan struct{})
	var mu sync.Mutex
	want := make(map[string]float64)
	for i := range drivers {
		who := harness.Person(fmt.Sprintf("driver-%d", i), roles.Driver, fmt.Sprintf("company-%d", i%3))
		everybody.Go(func() {
			drive(ctx, c, who, seed+uint64(i), stop, func(lat float64) {
				mu.Lock()
				defer mu.Unlock()
				want[who.UserID] = lat
			})
		})
	}
	watching := make([]watcher, watchers)
	for i := range watching {
		everybody.Go(func() { watching[i].run(ctx, c, harness.Person(fmt.Sprintf("admin-%d", i), roles.Admin, "")) })
	}

	pass(3 * time.Second)
	t.Log("a node is killed, and starts again")
	addr := c.node(0).URL[len("http://"):]
	c.node(0).Kill()
	pass(2 * time.Second)
	c.launch(0, addr)
	t.Log("Redis is frozen")
	c.redis.Freeze()
	pass(6 * time.Second)
	c.redis.Thaw()
	pass(2 * time.Second)
	t.Log("Redis is stopped")
	c.redis.Kill()
	pass(3 * time.Second)
	c.redis.Start()
	pass(time.Second)
	close(stop)

	harness.Eventually(t, "every driver has sent a last position", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(want) == drivers
	})
	for i := range watching {
		harness.Eventually(t, fmt.Sprintf("watcher %d sees where the drivers are", i), func() bool {
			mu.Lock()
			defer mu.Unlock()
			shown := watching[i].now()
			return shown != nil && shown.shows(want, tracking.Online)
		})
	}
	for i := range c.nodes {
		if listed := c.drivers(i); !slices.Equal(slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(want))) {
			t.Errorf("node %d lists %v, want %v", i, listed, want)
		} else if !maps.Equal(listed, want) {
			t.Errorf("node %d lists them at %v, want %v", i, listed, want)
		}
	}
}

// drivers is where GET /drivers of a node has the drivers that are online.
func (c *cluster) drivers(i int) map[string]float64 {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.node(i).URL+"/api/v1/drivers?limit=1000", http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+harness.Token(c.t, harness.Person("root", roles.Admin, "")))
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var page struct {
		Items []tracking.DriverView `json:"items"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&page); err != nil {
		c.t.Fatal(err)
	}
	listed := make(map[string]float64)
	for _, d := range page.Items {
		if d.Status == tracking.Online && d.Position != nil {
			listed[d.DriverID] = d.Position.Lat
		}
	}
	return listed
}

// pass lets faults last: what the test waits for is that time itself.
func pass(d time.Duration) { <-time.After(d) }
