package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

// After 1,000 connects and disconnects in random order, by many users at once and in every way a connection can end,
// every room holds exactly the sockets that are still open: counted on the server, and heard by the sockets.
func TestRoomsAfterAThousandConnects(t *testing.T) {
	server := harness.Start(t, nil)
	const users, connects = 20, 1000
	var mu sync.Mutex
	open := make(map[string][]*harness.Socket, users)
	people := make([]auth.Identity, users)
	for i := range people {
		role := roles.All()[i%len(roles.All())]
		company := ""
		if role.HasTenant() {
			company = fmt.Sprintf("company-%d", i%3)
		}
		people[i] = harness.Person(fmt.Sprintf("u%d", i), role, company)
	}

	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(worker)))
			for range connects / 8 {
				who := people[random.IntN(users)]
				socket := connectOrVanish(t, server, who, random)
				mu.Lock()
				mine := open[who.UserID]
				if socket != nil {
					mine = append(mine, socket)
				}
				for len(mine) > 3 || len(mine) > 0 && random.IntN(3) > 0 {
					i := random.IntN(len(mine))
					leave(mine[i], random)
					mine = append(mine[:i:i], mine[i+1:]...)
				}
				open[who.UserID] = mine
				mu.Unlock()
			}
		})
	}
	workers.Wait()

	expected := make(map[roles.Room]int)
	for _, who := range people {
		for _, room := range who.Rooms() {
			expected[room] += len(open[who.UserID])
		}
	}
	for room, sockets := range expected {
		server.Eventually(fmt.Sprintf("%s holds %d sockets", room, sockets), func() bool {
			return server.SocketCount(room) == sockets
		})
	}
	hearOnceEach(t, server, people, open)
}

// connectOrVanish connects, or leaves in the middle of connecting.
func connectOrVanish(t *testing.T, server *harness.Server, who auth.Identity, random *rand.Rand) *harness.Socket {
	if random.IntN(4) > 0 {
		return server.Dial(who, []string{"/", "/chat", "/tracking", "/system"}[random.IntN(4)])
	}
	ctx, cancel := context.WithTimeout(t.Context(), harness.Deadline)
	defer cancel()
	engine, err := sioclient.OpenEngine(ctx, server.URL, sioclient.Options{})
	if err != nil {
		t.Errorf("open: %v", err)
		return nil
	}
	if err := engine.Send(ctx, fmt.Sprintf(`40{"token":%q}`, harness.Token(t, who))); err != nil {
		t.Errorf("send CONNECT: %v", err)
	}
	engine.Abort()
	return nil
}

func leave(socket *harness.Socket, random *rand.Rand) {
	if random.IntN(2) == 0 {
		socket.Close()
	} else {
		socket.Abort()
	}
}

// hearOnceEach sends every user a notice and expects it once on each open socket that hears notices.
func hearOnceEach(t *testing.T, server *harness.Server, people []auth.Identity, open map[string][]*harness.Socket) {
	t.Helper()
	admin := harness.Person("the-admin", roles.Admin, "")
	for _, who := range people {
		body := map[string]any{"title": "to " + who.UserID, "audience": map[string]any{
			"users": []string{who.UserID}, "roles": []string{string(who.Role)}}}
		if answer := server.REST("POST", "/api/v1/notices", admin, body); answer.Status != 201 {
			t.Fatalf("notice: %s", answer.Body)
		}
	}
	for i, who := range people {
		for _, socket := range open[who.UserID] {
			if namespace := socket.Namespace(); namespace != "/" && namespace != "/system" {
				continue
			}
			for j, sender := range people {
				if sender.Role != who.Role {
					continue
				}
				if heard := harness.Heard[notice](socket, "system:notice"); heard.Title != "to "+people[j].UserID {
					t.Errorf("u%d heard %q, want the one to %s", i, heard.Title, people[j].UserID)
				}
			}
			socket.HeardNothing("system:notice")
		}
	}
}

// The server keeps its limit of sockets a user however many knock at once, and forgets them when they go.
func TestSocketsPerUser(t *testing.T) {
	server := harness.Start(t, nil)
	who := harness.Person("many", roles.Vendor, "")
	var mu sync.Mutex
	var accepted []*harness.Socket
	refused := 0
	var knocking sync.WaitGroup
	for range 40 {
		knocking.Go(func() {
			socket, err := server.TryDial(who, "/")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				accepted = append(accepted, socket)
			case harness.IsRefused(err, "too_many_connections"):
				refused++
			default:
				t.Errorf("connect: %v", err)
			}
		})
	}
	knocking.Wait()
	if len(accepted) != 20 || refused != 20 {
		t.Errorf("%d sockets were let in and %d refused, want 20 and 20", len(accepted), refused)
	}
	for _, socket := range accepted {
		socket.Close()
	}
	server.Eventually("the user's room is empty", func() bool { return server.SocketCount("user:many") == 0 })
	server.Dial(who, "/")
}
