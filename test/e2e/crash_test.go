package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

// kills is how often the server is killed, in full or in a small part of it.
func kills() int {
	if os.Getenv("SOAK") != "" {
		return 1000
	}
	return 50
}

// ledger is what the server has acknowledged, and therefore must still have after any crash.
type ledger struct {
	mu        sync.Mutex
	messages  map[string]receipt // by clientId
	positions map[string][]int64 // ts by driver
	notices   map[string]bool
}

// Fifty times, and with SOAK=1 a thousand times, the server is killed at a random moment under load and started again. Every acknowledged message,
// position and notice is there in the end; every room's sequence is whole; and a reader who resyncs after each kill has
// every message of its room once, in order.
func TestNothingAcknowledgedIsLostToKills(t *testing.T) {
	binary, dataDir := harness.Build(t), t.TempDir()
	kept := &ledger{messages: map[string]receipt{}, positions: map[string][]int64{}, notices: map[string]bool{}}
	follower := &follower{}
	random := rand.New(rand.NewPCG(20, 26))
	addr := "127.0.0.1:0"
	for round := range kills() {
		process := harness.Launch(t, binary, addr, dataDir)
		addr = strings.TrimPrefix(process.URL, "http://")
		ctx, stop := context.WithCancel(t.Context())
		var load sync.WaitGroup
		for i := range 4 {
			load.Go(func() { kept.chat(ctx, t, process.URL, round, i) })
			load.Go(func() { kept.drive(ctx, t, process.URL, i) })
		}
		load.Go(func() { kept.announce(ctx, t, process.URL) })
		load.Go(func() { follower.follow(ctx, t, process.URL) })
		kill := time.NewTimer(time.Duration(50+random.IntN(350)) * time.Millisecond)
		<-kill.C
		process.Kill()
		stop()
		load.Wait()
	}
	process := harness.Launch(t, binary, addr, dataDir)
	kept.check(t, process.URL)
	follower.check(t, process.URL)
	if code := process.Terminate(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}

func dialAs(ctx context.Context, t *testing.T, url string, who auth.Identity, namespace string) *sioclient.Client {
	client, err := sioclient.Dial(ctx, url, sioclient.Options{Namespace: namespace, Auth: map[string]string{"token": harness.Token(t, who)}})
	if err != nil {
		return nil // the server was killed meanwhile
	}
	return client
}

// ask returns false once the server is gone.
func ask(ctx context.Context, t *testing.T, client *sioclient.Client, event string, payload, answer any) bool {
	raw, err := client.Call(ctx, event, payload)
	if err != nil {
		return false
	}
	if ack := harness.Decode[harness.Ack](t, raw); ack.Status != "ok" {
		t.Errorf("%s: %s", event, raw)
		return false
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		t.Errorf("%s: %v", event, err)
	}
	return true
}

func (l *ledger) chat(ctx context.Context, t *testing.T, url string, round, i int) {
	client := dialAs(ctx, t, url, harness.Person(fmt.Sprintf("writer-%d", i), roles.Vendor, ""), "/chat")
	if client == nil {
		return
	}
	defer client.Abort()
	for n := 0; ; n++ {
		clientID := fmt.Sprintf("%d-%d-%d", round, i, n)
		var sent receipt
		if !ask(ctx, t, client, "chat:message", map[string]any{"roomId": "crash", "text": clientID, "clientId": clientID}, &sent) {
			return
		}
		l.mu.Lock()
		l.messages[clientID] = sent
		l.mu.Unlock()
	}
}

func (l *ledger) drive(ctx context.Context, t *testing.T, url string, i int) {
	id := fmt.Sprintf("driver-%d", i)
	client := dialAs(ctx, t, url, harness.Person(id, roles.Driver, "acme"), "/tracking")
	if client == nil {
		return
	}
	defer client.Abort()
	ts := time.Now().UnixMilli()
	for {
		var batch []map[string]any
		var sent []int64
		for range 5 {
			ts++
			batch = append(batch, map[string]any{"lat": float64(ts%9000) / 100, "lng": 1.5, "ts": ts})
			sent = append(sent, ts)
		}
		var verdict struct{ Accepted int }
		if !ask(ctx, t, client, "tracking:update", batch, &verdict) {
			return
		}
		if verdict.Accepted != len(batch) {
			t.Errorf("%d of %d accepted", verdict.Accepted, len(batch))
		}
		l.mu.Lock()
		l.positions[id] = append(l.positions[id], sent...)
		l.mu.Unlock()
	}
}

func (l *ledger) announce(ctx context.Context, t *testing.T, url string) {
	client := dialAs(ctx, t, url, harness.Person("root", roles.Admin, ""), "/system")
	if client == nil {
		return
	}
	defer client.Abort()
	for {
		var sent struct{ Notice notice }
		payload := map[string]any{"title": "t", "audience": map[string]any{"users": []string{"nobody"}}}
		if !ask(ctx, t, client, "system:broadcast", payload, &sent) {
			return
		}
		l.mu.Lock()
		l.notices[sent.Notice.ID] = true
		l.mu.Unlock()
	}
}

// follower is a reader of one room that comes back after each kill.
type follower struct{ messages []message }

func (f *follower) follow(ctx context.Context, t *testing.T, url string) {
	client := dialAs(ctx, t, url, harness.Person("follower", roles.Provider, ""), "/chat")
	if client == nil {
		return
	}
	defer client.Abort()
	var joined struct{ LastSeq int64 }
	if !ask(ctx, t, client, "room:join", map[string]any{"roomId": "crash", "after": f.last(), "limit": 200}, &joined) {
		return
	}
	raw, err := client.Wait(ctx, "room:history")
	if err != nil {
		return
	}
	f.messages = append(f.messages, harness.Decode[history](t, raw).Messages...)
	for f.last() < joined.LastSeq {
		var page history
		if !ask(ctx, t, client, "chat:history", map[string]any{"roomId": "crash", "after": f.last(), "limit": 200}, &page) {
			return
		}
		for _, m := range page.Messages {
			if m.Seq <= joined.LastSeq {
				f.messages = append(f.messages, m)
			}
		}
	}
	for {
		raw, err := client.Wait(ctx, "chat:message")
		if err != nil {
			return
		}
		f.messages = append(f.messages, harness.Decode[message](t, raw))
	}
}

func (f *follower) last() int64 {
	if len(f.messages) == 0 {
		return 0
	}
	return f.messages[len(f.messages)-1].Seq
}

func (f *follower) check(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Deadline)
	defer cancel()
	stored := allMessages(ctx, t, url)
	for i, m := range f.messages {
		if m.Seq != int64(i+1) || m.ID != stored[i].ID {
			t.Fatalf("the follower's message %d is seq %d, id %s; on disk it is %s", i+1, m.Seq, m.ID, stored[i].ID)
		}
	}
	if len(f.messages) == 0 {
		t.Error("the follower has heard nothing")
	}
	t.Logf("the follower has %d of %d messages, in order, each once", len(f.messages), len(stored))
}

func (l *ledger) check(t *testing.T, url string) {
	t.Helper()
	ctx := t.Context()
	stored := allMessages(ctx, t, url)
	byID := make(map[string]message, len(stored))
	for i, m := range stored {
		byID[m.ID] = m
		if m.Seq != int64(i+1) {
			t.Fatalf("the sequence has a gap: message %d is seq %d", i+1, m.Seq)
		}
	}
	for clientID, sent := range l.messages {
		if m, ok := byID[sent.MessageID]; !ok || m.Seq != sent.Seq || m.Text != clientID {
			t.Errorf("acknowledged message %s is lost: %+v", clientID, sent)
		}
	}
	positions := 0
	for driver, acknowledged := range l.positions {
		there := make(map[int64]bool)
		for _, ts := range allTimestamps(ctx, t, url, driver) {
			there[ts] = true
		}
		for _, ts := range acknowledged {
			if positions++; !there[ts] {
				t.Errorf("acknowledged position of %s at %d is lost", driver, ts)
			}
		}
	}
	listed := allNotices(ctx, t, url)
	for id := range l.notices {
		if !listed[id] {
			t.Errorf("acknowledged notice %s is lost", id)
		}
	}
	if len(l.messages) == 0 || positions == 0 || len(l.notices) == 0 {
		t.Errorf("the load was too light to show anything: %d messages, %d positions, %d notices", len(l.messages), positions, len(l.notices))
	}
	t.Logf("%d kills: all of %d messages, %d positions, %d notices are there", kills(), len(l.messages), positions, len(l.notices))
}

// get reads every page of a list, whose path has a query.
func get[T any](ctx context.Context, t *testing.T, url string, who auth.Identity, path string) []T {
	t.Helper()
	var all []T
	cursor := ""
	for {
		page := struct {
			Items      []T
			NextCursor string
		}{}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+path+cursor, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+harness.Token(t, who))
		request.Close = true
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: %d %s %v", path+cursor, response.StatusCode, body, err)
		}
		if err := json.Unmarshal(body, &page); err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Items...)
		if page.NextCursor == "" {
			return all
		}
		cursor = "&cursor=" + page.NextCursor
	}
}

func allMessages(ctx context.Context, t *testing.T, url string) []message {
	t.Helper()
	return get[message](ctx, t, url, harness.Person("checker", roles.Vendor, ""), "/api/v1/rooms/crash/messages?limit=200&after=0")
}

func allTimestamps(ctx context.Context, t *testing.T, url, driver string) []int64 {
	t.Helper()
	var all []int64
	for _, p := range get[struct{ TS int64 }](ctx, t, url, harness.Person("root", roles.Admin, ""), "/api/v1/drivers/"+driver+"/positions?limit=1000") {
		all = append(all, p.TS)
	}
	return all
}

func allNotices(ctx context.Context, t *testing.T, url string) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	for _, n := range get[notice](ctx, t, url, harness.Person("root", roles.Admin, ""), "/api/v1/notices?limit=200") {
		all[n.ID] = true
	}
	return all
}
