package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

// crowd is how many clients a stop sends away, and how many seconds it takes.
func crowd() (clients, seconds int) {
	if os.Getenv("SOAK") != "" {
		return 3000, 10
	}
	return 200, 5
}

// TestWavesOfAStop: from SIGTERM on the server is not ready, and lets people in and works until the drain delay is over.
// Then nobody comes in any more, and those who are here are sent away evenly over the drain period; whoever is still here can
// do everything. What was acknowledged is there afterwards.
func TestWavesOfAStop(t *testing.T) {
	harness.RunsOnce(t)
	const delay = 2 * time.Second
	count, seconds := crowd()
	binary, folder := harness.Build(t), t.TempDir()
	process := harness.Launch(t, binary, "127.0.0.1:0", folder, "ROLECALL_DRAIN_DELAY="+delay.String(),
		fmt.Sprintf("ROLECALL_DRAIN_PERIOD=%ds", seconds))
	crowd := newLeaving(t, process.URL, count)

	stopped := time.Now()
	process.Signal(syscall.SIGTERM)
	harness.Eventually(t, "/readyz is red", func() bool { return status(t, process.URL+"/readyz") == http.StatusServiceUnavailable })
	if late := dialAs(t.Context(), t, process.URL, harness.Person("late", roles.Vendor, ""), "/chat"); late == nil {
		t.Error("not let in before the delay is over")
	} else {
		defer late.Abort()
	}
	harness.Eventually(t, "newcomers are refused", func() bool {
		return status(t, process.URL+pollingHandshake) == http.StatusServiceUnavailable
	})
	if passed := time.Since(stopped); passed < delay {
		t.Errorf("newcomers are refused after %s", passed)
	}
	if got := process.Wait(); got != 0 {
		t.Errorf("exit code %d", got)
	}
	if took := time.Since(stopped); took < delay+time.Duration(seconds-1)*time.Second || took > 20*time.Second {
		t.Errorf("the stop took %s", took)
	}
	crowd.check(stopped.Add(delay), seconds)

	process = harness.Launch(t, binary, "127.0.0.1:0", folder)
	stored := map[string]bool{}
	for _, m := range allMessages(t.Context(), t, process.URL) {
		stored[m.ID] = true
	}
	for id := range crowd.acked {
		if !stored[id] {
			t.Errorf("acknowledged message %s is lost", id)
		}
	}
	t.Logf("%d acknowledged messages are there", len(crowd.acked))
	if code := process.Terminate(); code != 0 {
		t.Errorf("exit code %d without a drain", code)
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// leaving is clients that write messages for as long as they are connected.
type leaving struct {
	t     *testing.T
	count int
	all   sync.WaitGroup

	mu    sync.Mutex
	acked map[string]bool // ids of messages
	gone  []time.Time     // when each was sent away
}

func newLeaving(t *testing.T, url string, count int) *leaving {
	t.Helper()
	l := &leaving{t: t, count: count, acked: map[string]bool{}}
	clients := make(chan *sioclient.Client, count)
	var dialling sync.WaitGroup
	for worker := range 8 {
		dialling.Go(func() {
			for i := worker; i < count; i += 8 {
				clients <- dialAs(t.Context(), t, url, harness.Person(fmt.Sprintf("leaver-%d", i), roles.Vendor, ""), "/chat")
			}
		})
	}
	dialling.Wait()
	close(clients)
	i := 0
	for client := range clients {
		if client == nil {
			t.Fatal("a client was not let in")
		}
		if i++; i <= 20 { // so many write
			l.all.Go(func() { l.write(client) })
		}
		l.all.Go(func() {
			<-client.Done()
			l.mu.Lock()
			defer l.mu.Unlock()
			l.gone = append(l.gone, time.Now())
		})
	}
	return l
}

// write sends one message after the other until the client is sent away; none is refused.
func (l *leaving) write(client *sioclient.Client) {
	for n := 0; ; n++ {
		raw, err := client.Call(context.Background(), "chat:message", map[string]any{"roomId": "crash", "text": "still here"})
		if err != nil {
			return
		}
		ack := harness.Decode[harness.Ack](l.t, raw)
		if ack.Status != "ok" {
			l.t.Errorf("refused while connected: %s", raw)
			return
		}
		l.mu.Lock()
		l.acked[harness.Decode[receipt](l.t, raw).MessageID] = true
		l.mu.Unlock()
	}
}

// check holds the times at which clients were sent away against the waves.
func (l *leaving) check(begin time.Time, seconds int) {
	l.t.Helper()
	l.all.Wait()
	inSecond := make([]int, seconds+1)
	for _, at := range l.gone {
		second := at.Sub(begin)
		if second < -50*time.Millisecond || second > time.Duration(seconds+1)*time.Second {
			l.t.Errorf("a client was sent away after %s", second)
			continue
		}
		inSecond[max(0, int(second/time.Second))]++
	}
	most := 0
	for _, count := range inSecond {
		most = max(most, count)
	}
	l.t.Logf("%d clients sent away, by the second: %v", len(l.gone), inSecond)
	if len(l.gone) != l.count || most > l.count*13/10/seconds {
		l.t.Errorf("%d of %d went, up to %d in a second", len(l.gone), l.count, most)
	}
}

// TestNodeName: the ids of a node's sessions begin with its name, however they are opened.
func TestNodeName(t *testing.T) {
	harness.NeedsOneNode(t, "its name")
	if harness.Engine() == "zishang520" {
		t.Skip("this engine makes its ids itself, and says so in the log")
	}
	server := harness.Start(t, func(c *config.Config) { c.NodeName = "one-1" })
	if id := poll(t, server, ""); !strings.HasPrefix(id, "one-1.") || len(id) != len("one-1.")+22 {
		t.Errorf("a session is called %q", id)
	}
	socket := server.Dial(harness.Person("amy", roles.Vendor, ""), "/chat")
	socket.Fence()
}

// TestSecondSignal ends the server at once, whatever the first has begun.
func TestSecondSignal(t *testing.T) {
	harness.RunsOnce(t)
	binary := harness.Build(t)
	for _, second := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		process := harness.Launch(t, binary, "127.0.0.1:0", t.TempDir(), "ROLECALL_DRAIN_DELAY=1m", "ROLECALL_SHUTDOWN_TIMEOUT=2m")
		client := dialAs(t.Context(), t, process.URL, harness.Person("amy", roles.Vendor, ""), "/chat")
		process.Signal(syscall.SIGTERM)
		harness.Eventually(t, "/readyz is red", func() bool { return status(t, process.URL+"/readyz") == http.StatusServiceUnavailable })
		begun := time.Now()
		process.Signal(second)
		if code := process.Wait(); code == 0 || time.Since(begun) > 10*time.Second {
			t.Errorf("%v: exit code %d after %s", second, code, time.Since(begun))
		}
		<-client.Done()
	}
}

// TestProxiesLeaveToo: once clients are sent away, each answer ends its connection, so that whoever keeps some open for
// further requests opens the next one elsewhere.
func TestProxiesLeaveToo(t *testing.T) {
	harness.RunsOnce(t)
	process := harness.Launch(t, harness.Build(t), "127.0.0.1:0", t.TempDir(), "ROLECALL_DRAIN_PERIOD=3s")
	clients := []*sioclient.Client{}
	for i := range 10 {
		clients = append(clients, dialAs(t.Context(), t, process.URL, harness.Person(fmt.Sprint("amy", i), roles.Vendor, ""), "/chat"))
	}
	closes := func(path string) (refused bool, closed bool) {
		response, err := http.Get(process.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusServiceUnavailable, response.Close
	}
	if refused, closed := closes("/healthz"); refused || closed {
		t.Error("connections are not kept while the server serves")
	}
	process.Signal(syscall.SIGTERM)
	harness.Eventually(t, "newcomers are refused", func() bool { refused, _ := closes(pollingHandshake); return refused })
	for _, path := range []string{pollingHandshake, "/healthz", "/api/v1/me"} {
		if _, closed := closes(path); !closed {
			t.Errorf("%s: the connection is kept", path)
		}
	}
	if code := process.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, client := range clients {
		if <-client.Done(); !strings.Contains(fmt.Sprint(client.Err()), "StatusGoingAway") && harness.Engine() == "native" {
			t.Errorf("a client was told %v", client.Err())
		}
	}
}
