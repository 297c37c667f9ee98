// Package bigrooms measures what the size of a room, and the number of somebody's rooms, has people wait for.
package bigrooms

import (
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/instant"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/store"
	"rolecall/test/harness"
	"rolecall/test/servicetest"
)

const (
	small, big = 1_000, 1_000_000
	// contacts is how many people somebody has conversations with.
	contacts = 5_000
	rounds   = 200
)

func ada() auth.Identity { return harness.Person("ada", roles.Admin, "") }

// batch is how many messages are stored in one transaction.
const batch = 2_000

// fill has a room of so many messages: of a vocabulary as people use one, with a word that one in ten has and one that four
// have, whatever their number.
func fill(t *testing.T, s *store.Store, messages int) {
	t.Helper()
	random := rand.New(rand.NewSource(1))
	words := rand.NewZipf(random, 1.1, 4, 50_000)
	room := servicetest.Room("group:big")
	changes := make([]chat.Change, 0, batch)
	for n := range messages {
		var text strings.Builder
		for range 4 + random.Intn(8) {
			fmt.Fprintf(&text, "w%d ", words.Uint64())
		}
		if n%10 == 3 {
			text.WriteString("bridge ")
		}
		if n%(messages/4) == messages/8 {
			text.WriteString("xylophone ")
		}
		changes = append(changes, chat.Append{Message: chat.Message{
			ID: fmt.Sprintf("m%07d", n), Room: room, UserID: []string{"ada", "ben", "cem"}[n%3], Username: "Somebody", Role: roles.Admin,
			Text: text.String(), Timestamp: instant.Stamp(1_700_000_000_000 + int64(n)*1000),
		}})
		if len(changes) == batch || n == messages-1 {
			apply(t, s, changes)
			changes = changes[:0]
		}
	}
}

func apply(t *testing.T, s *store.Store, changes []chat.Change) {
	t.Helper()
	if _, err := s.Chat.Apply(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
}

// start is a server with a room of so many messages, and so many conversations of ada's.
func start(t *testing.T, messages, conversations int) *harness.Server {
	t.Helper()
	began := time.Now()
	folder := t.TempDir()
	opened := harness.OpenStore(t, folder)
	group := groups.Founding{Room: servicetest.Room("group:big"), Name: "big", History: groups.FromStart, CreatedBy: "ada", CreatedAt: 1, Members: []string{"ada", "ben", "cem"}}
	if err := opened.Groups.CreateGroup(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	fill(t, opened, messages)
	for first := 0; first < conversations; first += batch {
		changes := make([]chat.Change, 0, batch)
		for n := first; n < min(first+batch, conversations); n++ {
			peer := fmt.Sprintf("p%05d", n)
			changes = append(changes, chat.Append{Message: chat.Message{
				ID: "c" + peer, Room: servicetest.Room("dm:ada:" + peer), UserID: peer, Username: "Somebody else", Role: roles.Vendor,
				Text: "On my way, there in ten minutes", Timestamp: instant.Stamp(1_700_000_000_000 + int64(n)*1000),
			}})
		}
		apply(t, opened, changes)
	}
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages and %d conversations stored in %s", messages, conversations, time.Since(began).Round(time.Second))
	return harness.Start(t, func(c *config.Config) {
		c.DataDir = folder
		for kind := range c.Rates {
			c.Rates[kind] = limit.Rate{Requests: 1_000_000, Period: time.Second, Burst: 1_000_000}
		}
	})
}

// fetch asks by REST as a client does, without holding the answer against the contract.
func fetch(t *testing.T, server *harness.Server, client *http.Client, token, path string) (status int, body []byte) {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(request)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	defer func() { _ = answer.Body.Close() }()
	body, err = io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return answer.StatusCode, body
}

func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// median is that of rounds of a request.
func median(ask func()) time.Duration {
	ask()
	took := make([]time.Duration, rounds)
	for i := range took {
		began := time.Now()
		ask()
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[rounds/2]
}

func get(t *testing.T, server *harness.Server, path string, items int) func() {
	client, token := newClient(t), harness.Token(t, ada())
	return func() {
		status, body := fetch(t, server, client, token, path)
		if got := strings.Count(string(body), `"seq":`); status != http.StatusOK || got < items {
			t.Fatalf("%s: %d, %d items, want %d", path, status, got, items)
		}
	}
}

// What is asked of a room of a million messages takes no more than twice as long as of a thousand, and words five times.
func TestRoomOfAMillion(t *testing.T) {
	if os.Getenv("SOAK") == "" {
		t.Skip("it takes some minutes: SOAK=1")
	}
	servers := map[int]*harness.Server{small: start(t, small, 0), big: start(t, big, 0)}
	room := harness.Path("rooms", "group:big", "messages")
	for _, test := range []struct {
		name string
		most float64
		ask  func(messages int, server *harness.Server) func()
	}{
		{"newest page", 2, func(_ int, s *harness.Server) func() { return get(t, s, room+"?limit=50", 50) }},
		{"middle page", 2, func(n int, s *harness.Server) func() {
			return get(t, s, fmt.Sprintf("%s?limit=50&before=%d", room, n/2), 50)
		}},
		{"rare word in the room", 5, func(_ int, s *harness.Server) func() {
			return get(t, s, "/api/v1/search?q=xylophone&room=group:big", 4)
		}},
		{"frequent word in the room", 5, func(_ int, s *harness.Server) func() { return get(t, s, "/api/v1/search?q=bridge&room=group:big", 20) }},
		{"rare word anywhere", 5, func(_ int, s *harness.Server) func() { return get(t, s, "/api/v1/search?q=xylophone", 4) }},
		{"frequent word anywhere", 5, func(_ int, s *harness.Server) func() { return get(t, s, "/api/v1/search?q=bridge", 20) }},
		{"frequent words together", 5, func(_ int, s *harness.Server) func() { return get(t, s, "/api/v1/search?q=w0+bridge", 1) }},
		{"chat:sync of ten", 2, func(n int, s *harness.Server) func() {
			socket := s.Dial(ada(), "/")
			return func() {
				ack, err := socket.Call(t.Context(), "chat:sync", map[string]any{"rooms": map[string]int{"group:big": n - 10}})
				if got := strings.Count(string(ack), `"text":`); err != nil || got != 10 {
					t.Fatalf("sync: %d of 10, %v: %s", got, err, ack[:min(len(ack), 300)])
				}
			}
		}},
	} {
		of := map[int]time.Duration{}
		for _, n := range []int{small, big} {
			of[n] = median(test.ask(n, servers[n]))
		}
		ratio := float64(of[big]) / float64(of[small])
		t.Logf("%-28s %10s at %d, %10s at %d: %.2f times", test.name, of[small], small, of[big], big, ratio)
		if ratio > test.most {
			t.Errorf("%s: %.2f times, at most %v are promised", test.name, ratio, test.most)
		}
	}
}

// The list of somebody in 5,000 conversations, a hundred times a second.
func TestListOfThousands(t *testing.T) {
	if os.Getenv("SOAK") == "" {
		t.Skip("it takes a minute: SOAK=1")
	}
	server := start(t, small, contacts)
	const seconds, perSecond = 10, 100
	took := make([]time.Duration, seconds*perSecond)
	client, token := newClient(t), harness.Token(t, ada())
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	var asking sync.WaitGroup
	for i := range took {
		<-tick.C
		asking.Go(func() {
			began := time.Now()
			if status, _ := fetch(t, server, client, token, "/api/v1/rooms"); status != http.StatusOK {
				t.Errorf("list: %d", status)
			}
			took[i] = time.Since(began)
		})
	}
	asking.Wait()
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	t.Logf("list of %d conversations at %d/s: p50 %s, p99 %s", contacts, perSecond, took[len(took)/2], p99)
	if p99 > 50*time.Millisecond {
		t.Errorf("p99 %s, at most 50 ms are promised", p99)
	}
}
