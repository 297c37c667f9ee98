package redis_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/test/servers"
)

// What a message costs the node that sends it, when another is there and has nobody in the room, and when one is alone.
func BenchmarkEmit(b *testing.B) {
	for _, others := range []int{0, 1} {
		b.Run("others="+strconv.Itoa(others), func(b *testing.B) {
			server := servers.StartRedis(b)
			a := start(b, quick(server.URL))
			for range others {
				start(b, quick(server.URL))
			}
			eventually(b, "a knows who is there", func() bool { return a.Alone() == (others == 0) })
			emitter := a.Emitter("/")
			payload := json.RawMessage(`"` + strings.Repeat("x", 300) + `"`)
			b.ReportAllocs()
			for b.Loop() {
				emitter.Emit(b.Context(), "said", payload, []roles.Room{roles.UserRoom("amy"), roles.UserRoom("bob")})
				for a.Waiting() > 4<<20 { // as fast as Redis takes them, else they would be given up
					<-a.Drained()
				}
			}
		})
	}
}

// What a message to a group costs the node that sends it, whose members are all on another.
func BenchmarkEmitToGroup(b *testing.B) {
	for _, members := range []int{4, 50} {
		b.Run("members="+strconv.Itoa(members), func(b *testing.B) {
			server := servers.StartRedis(b)
			a, other := start(b, quick(server.URL)), start(b, quick(server.URL))
			rooms := make([]roles.Room, members)
			clients := make([]interface{ Hears(event string) string }, members)
			for i := range rooms {
				rooms[i] = roles.UserRoom("u" + strconv.Itoa(i))
				clients[i] = other.dial(string(rooms[i]))
			}
			emitter := a.Emitter("/")
			payload := json.RawMessage(`"` + strings.Repeat("x", 300) + `"`)
			b.ReportAllocs()
			before := a.Stats().Published
			for b.Loop() {
				emitter.Emit(b.Context(), "said", payload, rooms)
				for _, client := range clients {
					client.Hears("said")
				}
			}
			b.ReportMetric(float64(a.Stats().Published-before)/float64(b.N), "published/op")
		})
	}
}

// What a message costs from one node to a client of another, most of which is waiting.
func BenchmarkAcross(b *testing.B) {
	server := servers.StartRedis(b)
	a, other := start(b, quick(server.URL)), start(b, quick(server.URL))
	client := other.dial("user:amy")
	b.ReportAllocs()
	for b.Loop() {
		a.say("x", roles.UserRoom("amy"))
		client.Hears("said")
	}
}

// What a flush of a fleet costs the node that sends it.
func BenchmarkEmitNewest(b *testing.B) {
	server := servers.StartRedis(b)
	a := start(b, quick(server.URL))
	start(b, quick(server.URL))
	eventually(b, "a knows who is there", func() bool { return !a.Alone() })
	newest := bus.Newest{Fields: json.RawMessage(`{"at":1}`), Member: "positions"}
	for i := range 100 {
		newest.Values = append(newest.Values, bus.Value{Key: "acme/d" + strconv.Itoa(i), JSON: json.RawMessage(strings.Repeat("1", 150))})
	}
	emitter := a.Emitter("/", "/tracking")
	b.ReportAllocs()
	for b.Loop() {
		emitter.EmitNewest(b.Context(), "tracking:positions", newest, roles.FleetRoom("acme"))
		for a.Waiting() > 4<<20 {
			<-a.Drained()
		}
	}
}

// What an event to fifty clients costs a node that is alone, with Redis configured and without.
func BenchmarkFanOutAlone(b *testing.B) {
	server := servers.StartRedis(b)
	a := start(b, quick(server.URL))
	clients := make([]interface{ Hears(event string) string }, 50)
	for i := range clients {
		clients[i] = a.dial("user:u"+strconv.Itoa(i), "company:acme")
	}
	eventually(b, "a knows that it is alone", a.Alone)
	payload := json.RawMessage(`"` + strings.Repeat("x", 300) + `"`)
	for name, emitter := range map[string]bus.Emitter{"without": a.LocalEmitter("/"), "redis": a.Emitter("/")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				emitter.Emit(b.Context(), "said", payload, []roles.Room{roles.CompanyRoom("acme")})
				for _, client := range clients {
					client.Hears("said")
				}
			}
		})
	}
}

// What a question costs who waits for its answers: of a room that nobody else listens to, and of one that another node does.
func BenchmarkAsk(b *testing.B) {
	server := servers.StartRedis(b)
	a, other := start(b, quick(server.URL)), start(b, quick(server.URL))
	eventually(b, "a knows who is there", func() bool { return !a.Alone() })
	other.Answer("greeting", func(context.Context, bus.Message) ([]byte, error) { return []byte("hello"), nil })
	other.dial("user:amy")
	for name, asked := range map[string]struct {
		room    roles.Room
		answers int
	}{"nobody": {roles.UserRoom("bob"), 0}, "another": {roles.UserRoom("amy"), 1}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				answers := 0
				missing, err := a.Ask(b.Context(), bus.Message{Kind: "greeting", Rooms: []roles.Room{asked.room}}, func(bus.Message) bool {
					answers++
					return true
				})
				if answers != asked.answers || missing != 0 || err != nil {
					b.Fatalf("%d answers, %d missing, %v", answers, missing, err)
				}
			}
		})
	}
}
