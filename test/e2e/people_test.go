package e2e

import (
	"fmt"
	"sync"
	"testing"

	"rolecall/internal/roles"
	"rolecall/test/harness"
)

type changes struct{ Online, Offline []struct{ UserID string } }

// A crowd of one company comes and goes at once: each of them is told of once each time, and all in a few events. Who comes
// in the midst of it is told of everybody as well, by the list or by an event behind it.
func TestCrowdOfOneCompany(t *testing.T) {
	const crowd = 60
	server := harness.Start(t, nil)
	mate := server.Dial(harness.Person("mate", roles.Company, "acme"), "/")
	stranger := server.Dial(harness.Person("stranger", roles.Company, "globex"), "/")
	sockets := make([]*harness.Socket, crowd)
	var together sync.WaitGroup
	for i := range sockets {
		together.Go(func() {
			socket, err := server.TryDial(harness.Person(fmt.Sprintf("d%d", i), roles.Driver, "acme"), "/")
			if err != nil {
				t.Errorf("d%d: %v", i, err)
			}
			sockets[i] = socket
		})
	}
	late := server.Dial(harness.Person("late", roles.Company, "acme"), "/")
	together.Wait()
	if t.Failed() {
		return
	}
	online, events := map[string]int{}, 0
	for len(online) < crowd+1 { // the late one as well
		events += hear(t, mate, online, nil)
	}
	if events > crowd/2 {
		t.Errorf("%d people were told of in %d events", len(online), events)
	}
	seen := map[string]int{}
	for _, there := range harness.Heard[[]struct{ UserID string }](late, "presence:list") {
		seen[there.UserID]++
	}
	if seen["late"] != 1 {
		t.Errorf("the list has oneself %d times", seen["late"])
	}
	for len(seen) < crowd+2 {
		hear(t, late, seen, nil)
	}
	for _, socket := range sockets {
		socket.Close()
	}
	offline := map[string]int{}
	for len(offline) < crowd {
		hear(t, mate, online, offline)
	}
	for i := range sockets {
		if id := fmt.Sprintf("d%d", i); online[id] != 1 || offline[id] != 1 {
			t.Errorf("%s was told to have come %d times and to have gone %d times", id, online[id], offline[id])
		}
	}
	for _, event := range []string{"presence:online", "presence:offline", "presence:changes"} {
		stranger.HeardNothing(event)
	}
}

// hear counts whom the next event about presence tells to have come and gone, and returns how many events that were.
func hear(t *testing.T, socket *harness.Socket, online, offline map[string]int) int {
	t.Helper()
	event := next(t, socket)
	switch event.Name {
	case "presence:online":
		online[harness.Decode[struct{ UserID string }](t, event.Args[0]).UserID]++
	case "presence:offline":
		offline[harness.Decode[struct{ UserID string }](t, event.Args[0]).UserID]++
	case "presence:changes":
		told := harness.Decode[changes](t, event.Args[0])
		for _, person := range told.Online {
			online[person.UserID]++
		}
		for _, person := range told.Offline {
			offline[person.UserID]++
		}
	default:
		return 0
	}
	return 1
}

// A stranger who writes, or wants to make a group, hears nothing of whom they write to, until those have answered.
func TestStrangersHearNothing(t *testing.T) {
	server := harness.Start(t, nil)
	stranger := server.Dial(harness.Person("stranger", roles.Vendor, ""), "/")
	victim := harness.Person("victim", roles.Driver, "acme")
	first := server.Dial(victim, "/")
	harness.Must[receipt](stranger, "chat:message", map[string]any{"to": "victim", "text": "hello"})
	group := map[string]any{"name": "mine", "members": []string{"victim"}}
	if ack := stranger.Ask("room:create", group); ack.Code != "not_found" {
		t.Errorf("a group with a stranger: %s", ack.Raw)
	}
	witness := server.Dial(harness.Person("witness", roles.Admin, ""), "/")
	first.Close()
	waitFor(t, witness, "victim", false)
	again := server.Dial(victim, "/")
	waitFor(t, witness, "victim", true)
	for _, event := range []string{"presence:online", "presence:offline", "presence:changes"} {
		stranger.HeardNothing(event)
	}
	harness.Must[receipt](again, "chat:message", map[string]any{"to": "stranger", "text": "who are you?"})
	again.Close()
	waitFor(t, stranger, "victim", false)
	harness.Must[struct{ RoomID string }](stranger, "room:create", group)
}

// waitFor waits until a socket is told that somebody has come, or gone.
func waitFor(t *testing.T, socket *harness.Socket, userID string, comes bool) {
	t.Helper()
	online, offline := map[string]int{}, map[string]int{}
	told := offline
	if comes {
		told = online
	}
	for told[userID] == 0 {
		hear(t, socket, online, offline)
	}
}

// TestPeopleWhoMeetSeeEachOther: two who are there, and have nothing else in common, see each other from the first answer on, and
// hear when the other has gone.
func TestPeopleWhoMeetSeeEachOther(t *testing.T) {
	server := harness.Start(t, nil)
	vendor := server.Dial(harness.Person("val", roles.Vendor, ""), "/")
	provider := server.Dial(harness.Person("pru", roles.Provider, ""), "/")
	server.Dial(harness.Person("ned", roles.Vendor, ""), "/")
	harness.Must[struct{}](vendor, "chat:message", map[string]any{"to": "pru", "text": "Have you got any?"})
	harness.Heard[struct{}](provider, "chat:message")
	harness.Must[struct{}](provider, "chat:message", map[string]any{"to": "val", "text": "Some are left."})
	type person struct{ UserID, Username string }
	for socket, other := range map[*harness.Socket]string{vendor: "pru", provider: "val"} {
		if heard := harness.Heard[person](socket, "presence:online"); heard.UserID != other || heard.Username == "" {
			t.Errorf("heard %v, want of %s", heard, other)
		}
	}
	provider.Close()
	if heard := harness.Heard[person](vendor, "presence:offline"); heard.UserID != "pru" {
		t.Errorf("%v has gone", heard)
	}
}
