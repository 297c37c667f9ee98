package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/bench/process"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

// regulars are many people at a server, who do what people do.
type regulars struct {
	t       *testing.T
	url     string
	mu      sync.Mutex
	clients []*sioclient.Client
	next    int
}

// come connects so many more.
func (c *regulars) come(many int) {
	c.t.Helper()
	var all sync.WaitGroup
	turns := make(chan struct{}, 32)
	for range many {
		turns <- struct{}{}
		c.next++
		token := harness.Token(c.t, harness.Person(fmt.Sprint("u", c.next), roles.Vendor, ""))
		all.Go(func() {
			defer func() { <-turns }()
			ctx, cancel := context.WithTimeout(context.Background(), harness.Deadline)
			defer cancel()
			client, err := sioclient.Dial(ctx, c.url, sioclient.Options{
				Namespace: "/system", Auth: map[string]string{"token": token}, OnlyEvents: []string{}, MaxMessage: 1 << 16,
			})
			if err != nil {
				c.t.Errorf("connect: %v", err)
				return
			}
			c.mu.Lock()
			c.clients = append(c.clients, client)
			c.mu.Unlock()
		})
	}
	all.Wait()
}

// leave has so many leave, who have been here for longest.
func (c *regulars) leave(many int) {
	c.mu.Lock()
	leaving := c.clients[:min(many, len(c.clients))]
	c.clients = c.clients[len(leaving):]
	c.mu.Unlock()
	var all sync.WaitGroup
	for _, client := range leaving {
		all.Go(client.Abort)
	}
	all.Wait()
}

// live is a while among them: each second 20 leave and others come, 100 send an event, and every other second all are told
// of a notice. It returns what part of a processor the server took.
func (c *regulars) live(server *harness.Process, lasting time.Duration) float64 {
	c.t.Helper()
	before, err := process.CPU(server.PID())
	begun := time.Now()
	if err != nil {
		c.t.Fatal(err)
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for second := 0; time.Since(begun) < lasting-time.Second/2; second++ {
		c.leave(20)
		c.come(20)
		for _, client := range c.clients[len(c.clients)/2:][:100] {
			_ = client.Emit(context.Background(), "system:inbox", map[string]any{})
		}
		if second%2 == 0 {
			c.notice(fmt.Sprint(begun.UnixNano(), second))
		}
		<-tick.C
	}
	after, err := process.CPU(server.PID())
	if err != nil {
		c.t.Fatal(err)
	}
	return (after - before).Seconds() / time.Since(begun).Seconds()
}

func (c *regulars) notice(title string) {
	c.t.Helper()
	body := strings.NewReader(`{"title":"` + title + `","body":"b","audience":{"roles":["vendor"]}}`)
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.url+"/api/v1/notices", body)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+harness.Token(c.t, harness.Person("sender", roles.Admin, "")))
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		c.t.Errorf("notice: %s", answer.Status)
	}
}

// With 10,000 sockets that come, go, send and are told, an admin at the Admin UI costs no more than a twentieth of a
// processor. Whiles with an admin there and without take turns, so that whatever else changes meanwhile changes for both.
func TestAdminUICost(t *testing.T) {
	if os.Getenv("SOAK") == "" {
		t.Skip("measured on a machine that has nothing else to do: SOAK=1")
	}
	const sockets, turns, lasting = 10_000, 5, 10 * time.Second
	server := harness.Launch(t, harness.Build(t), "127.0.0.1:0", t.TempDir(), "ROLECALL_MAX_SOCKETS_PER_USER=1000")
	defer server.Terminate()
	people := &regulars{t: t, url: server.URL}
	people.come(sockets)
	defer people.leave(sockets)
	http.DefaultClient.CloseIdleConnections()
	people.live(server, lasting/2) // until all is warm
	var without, with float64
	told := 0
	for turn := range turns {
		alone := people.live(server, lasting)
		o := mustLookOn(t, server.URL, byToken(t, "root", roles.Admin))
		taking := make(chan int)
		go func() { // as fast as a page does
			count := 0
			for {
				if _, err := o.Next(context.Background()); err != nil {
					taking <- count
					return
				}
				count++
			}
		}()
		looked := people.live(server, lasting)
		o.Close()
		told += <-taking
		t.Logf("turn %d: %.1f %% of a processor without an admin, %.1f %% with one", turn, 100*alone, 100*looked)
		without, with = without+alone/turns, with+looked/turns
	}
	http.DefaultClient.CloseIdleConnections()
	t.Logf("%d sockets: %.1f %% without, %.1f %% with an admin, who was told %d things: %.1f %% for the Admin UI",
		sockets, 100*without, 100*with, told, 100*(with-without))
	if told < turns*10 {
		t.Errorf("the admin was told %d things: nothing was measured", told)
	}
	if with-without > 0.05 {
		t.Errorf("the Admin UI costs %.1f %% of a processor", 100*(with-without))
	}
}
