package redis_test

import (
	"fmt"
	"testing"

	"rolecall/internal/roles"
	"rolecall/test/servers"
)

// What is said to many rooms is published once, and heard once by each who stands in one or several of them, in the order in
// which it was said to few and to many.
func TestManyRoomsAreToldByOneMessage(t *testing.T) {
	const members, said = 30, 50
	server := servers.StartRedis(t)
	a, b, c := start(t, quick(server.URL)), start(t, quick(server.URL)), start(t, quick(server.URL))
	rooms := make([]roles.Room, members)
	for i := range rooms {
		rooms[i] = roles.UserRoom(fmt.Sprint("u", i))
	}
	one := b.dial(string(rooms[0]), string(rooms[members-1]))
	other := c.dial(string(rooms[1]))
	stranger := c.dial("user:stranger")
	before := a.Stats().Published
	for i := range said {
		a.say(fmt.Sprint("all ", i), rooms...)
		a.say(fmt.Sprint("two ", i), rooms[0], rooms[1])
	}
	for i := range said {
		for _, client := range []interface{ Hears(event string) string }{one, other} {
			for _, want := range []string{fmt.Sprintf(`"all %d"`, i), fmt.Sprintf(`"two %d"`, i)} {
				if got := client.Hears("said"); got != want {
					t.Fatalf("heard %s, want %s", got, want)
				}
			}
		}
	}
	a.say("the stranger", roles.UserRoom("stranger"))
	if got := stranger.Hears("said"); got != `"the stranger"` {
		t.Errorf("who is no member heard %s", got)
	}
	const copies, beats = said + 2*said + 1, 60 // signs of life, some of which come early
	if got := a.Stats().Published - before; got < copies || got > copies+beats {
		t.Errorf("%d messages were published, %d were to be", got, copies)
	}
}
