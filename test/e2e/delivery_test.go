package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

type message struct {
	ID     string `json:"id"`
	RoomID string `json:"roomId"`
	Seq    int64  `json:"seq"`
	UserID string `json:"userId"`
	Text   string `json:"text"`
}

type receipt struct {
	MessageID string `json:"messageId"`
	RoomID    string `json:"roomId"`
	Seq       int64  `json:"seq"`
}

type history struct {
	RoomID   string    `json:"roomId"`
	Messages []message `json:"messages"`
	HasMore  bool      `json:"hasMore"`
}

type notice struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// Two tabs and a phone of one user all get a direct message and a notice, each exactly once.
func TestEverySocketOfAUserHears(t *testing.T) {
	server := harness.Start(t, nil)
	anna := harness.Person("anna", roles.Vendor, "")
	boss := harness.Person("boss", roles.Admin, "")
	tabs := []*harness.Socket{server.Dial(anna, "/"), server.Dial(anna, "/"), server.Dial(anna, "/chat")}
	sender := server.Dial(boss, "/")

	sent := harness.Must[receipt](sender, "chat:message", map[string]any{"to": "anna", "text": "are you there?"})
	if sent.RoomID != "dm:anna:boss" || sent.Seq != 1 {
		t.Errorf("receipt: %+v", sent)
	}
	want := message{ID: sent.MessageID, RoomID: "dm:anna:boss", Seq: 1, UserID: "boss", Text: "are you there?"}
	for i, socket := range append(tabs, sender) {
		if diff := cmp.Diff(want, harness.Heard[message](socket, "chat:message")); diff != "" {
			t.Errorf("socket %d: %s", i, diff)
		}
		socket.HeardNothing("chat:message")
	}

	// Anna matches in three ways and hears the notice once a socket.
	audience := map[string]any{"users": []string{"anna"}, "roles": []string{"vendor", "driver"}}
	answer := server.REST("POST", "/api/v1/notices", boss, map[string]any{"title": "Closing early", "audience": audience})
	if answer.Status != 201 {
		t.Fatalf("notice: %s", answer.Body)
	}
	tabs[2] = server.Dial(anna, "/system") // a phone that connects afterwards finds it in the inbox
	inbox := harness.Heard[struct{ Notices []notice }](tabs[2], "system:inbox")
	if len(inbox.Notices) != 1 || inbox.Notices[0].Title != "Closing early" {
		t.Errorf("inbox: %+v", inbox)
	}
	for _, socket := range tabs[:2] {
		if heard := harness.Heard[notice](socket, "system:notice"); heard.Title != "Closing early" {
			t.Errorf("heard %+v", heard)
		}
		socket.HeardNothing("system:notice")
	}
	sender.HeardNothing("system:notice") // the admin is not among the audience
}

// A client that was away asks for what it missed and then hears on, in order, without a gap or a double, while others
// keep writing.
func TestResyncWhileOthersWrite(t *testing.T) {
	server := harness.Start(t, nil)
	writer := server.Dial(harness.Person("writer", roles.Provider, ""), "/")
	reader := harness.Person("reader", roles.Company, "acme")
	const total = 400
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; i <= total; i++ {
			harness.Must[receipt](writer, "chat:message", map[string]any{"roomId": "busy", "text": fmt.Sprint(i)})
		}
	}()
	var last int64
	for visit := 0; last < total; visit++ {
		socket := server.Dial(reader, "/chat")
		last = catchUp(t, socket, last)
		for live := 0; live < 20 && last < total; live++ {
			heard := harness.Heard[message](socket, "chat:message")
			if heard.Seq != last+1 {
				t.Fatalf("visit %d: heard seq %d after %d", visit, heard.Seq, last)
			}
			last = heard.Seq
		}
		socket.Abort()
	}
	<-done
}

// catchUp joins with what is missing and returns the newest seq in hand.
func catchUp(t *testing.T, socket *harness.Socket, last int64) int64 {
	t.Helper()
	joined := harness.Must[struct{ LastSeq int64 }](socket, "room:join", map[string]any{"roomId": "busy", "after": last, "limit": 200})
	missed := harness.Heard[history](socket, "room:history")
	for {
		for _, m := range missed.Messages {
			if m.Seq != last+1 {
				t.Fatalf("history jumps from %d to %d", last, m.Seq)
			}
			last = m.Seq
		}
		if last >= joined.LastSeq {
			return last
		}
		missed = harness.Must[history](socket, "chat:history", map[string]any{"roomId": "busy", "after": last, "limit": 200})
		for len(missed.Messages) > 0 && missed.Messages[len(missed.Messages)-1].Seq > joined.LastSeq {
			missed.Messages = missed.Messages[:len(missed.Messages)-1] // heard live
		}
	}
}

// Sent again under the same clientId, a message keeps its first place and is delivered once.
func TestClientIDIsIdempotent(t *testing.T) {
	server := harness.Start(t, nil)
	who := harness.Person("u1", roles.Driver, "acme")
	socket := server.Dial(who, "/")
	payload := map[string]any{"roomId": "orders", "text": "once", "clientId": "c-1"}
	first := harness.Must[receipt](socket, "chat:message", payload)
	again := harness.Must[receipt](socket, "chat:message", payload)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the second ack differs: %s", diff)
	}
	replayed := server.REST("POST", harness.Path("rooms", "orders", "messages"), who, map[string]any{"text": "once", "clientId": "c-1"})
	if replayed.Status != 200 {
		t.Errorf("replay by REST: %d %s", replayed.Status, replayed.Body)
	}
	next := harness.Must[receipt](socket, "chat:message", map[string]any{"roomId": "orders", "text": "twice", "clientId": "c-2"})
	if next.Seq != first.Seq+1 {
		t.Errorf("the repeats used up a seq: %d after %d", next.Seq, first.Seq)
	}
	harness.Heard[message](socket, "chat:message")
	if heard := harness.Heard[message](socket, "chat:message"); heard.Text != "twice" {
		t.Errorf("delivered twice: %+v", heard)
	}
}

// An open room's comings and goings are told once a person, however many sockets the person has there.
func TestUserJoinedAndLeft(t *testing.T) {
	server := harness.Start(t, nil)
	watcher := server.Dial(harness.Person("watcher", roles.Vendor, ""), "/")
	harness.Must[struct{}](watcher, "room:join", "lobby")
	guest := harness.Person("guest", roles.Provider, "")
	tab, phone := server.Dial(guest, "/"), server.Dial(guest, "/chat")
	harness.Must[struct{}](tab, "room:join", "lobby")
	harness.Must[struct{}](phone, "room:join", map[string]any{"roomId": "lobby"})
	type user struct{ RoomID, UserID string }
	want := user{RoomID: "lobby", UserID: "guest"}
	if diff := cmp.Diff(want, harness.Heard[user](watcher, "room:user-joined")); diff != "" {
		t.Error(diff)
	}
	watcher.HeardNothing("room:user-joined")
	tab.Abort()
	harness.Eventually(t, "the tab is gone", func() bool { return server.SocketCount("user:guest") == 1 })
	watcher.HeardNothing("room:user-left")
	harness.Must[struct{}](phone, "room:leave", "lobby")
	if diff := cmp.Diff(want, harness.Heard[user](watcher, "room:user-left")); diff != "" {
		t.Error(diff)
	}
}

// Presence goes to the company, to admins and to conversation partners, once a change, and to nobody else.
func TestPresence(t *testing.T) {
	server := harness.Start(t, nil)
	mate := server.Dial(harness.Person("mate", roles.Company, "acme"), "/")
	peer := server.Dial(harness.Person("peer", roles.Vendor, ""), "/")
	stranger := server.Dial(harness.Person("stranger", roles.Vendor, ""), "/")
	driver := harness.Person("d1", roles.Driver, "acme")
	if said := server.REST("POST", harness.Path("rooms", "dm:d1:peer", "messages"), driver, map[string]any{"text": "hello"}); said.Status != 201 {
		t.Fatalf("a message by REST: %s", said.Body)
	}
	for _, socket := range []*harness.Socket{peer, stranger} { // who answers, and who writes without being answered
		harness.Eventually(t, "every node knows who has spoken", func() bool {
			ack := socket.Ask("chat:message", map[string]any{"to": "d1", "text": "hello"})
			return ack.Status == "ok"
		})
	}
	first, second := server.Dial(driver, "/"), server.Dial(driver, "/tracking")
	type user struct{ UserID string }
	type status struct{ DriverID, Status string }
	for _, socket := range []*harness.Socket{mate, peer} {
		if heard := harness.Heard[user](socket, "presence:online"); heard.UserID != "d1" {
			t.Errorf("heard %+v", heard)
		}
	}
	if heard := harness.Heard[status](mate, "tracking:status"); heard != (status{"d1", "online"}) {
		t.Errorf("heard %+v", heard)
	}
	first.Close()
	harness.Eventually(t, "one socket is left", func() bool { return server.SocketCount("user:d1") == 1 })
	mate.HeardNothing("presence:offline")
	second.Close()
	for _, socket := range []*harness.Socket{mate, peer} {
		if heard := harness.Heard[user](socket, "presence:offline"); heard.UserID != "d1" {
			t.Errorf("heard %+v", heard)
		}
	}
	if heard := harness.Heard[status](mate, "tracking:status"); heard != (status{"d1", "offline"}) {
		t.Errorf("heard %+v", heard)
	}
	stranger.HeardNothing("presence:online")
	stranger.HeardNothing("presence:offline")
}

// One who connects and disconnects all the time is told of once a second, and in the end as what holds.
func TestPresenceOfWhoFlaps(t *testing.T) {
	server := harness.Start(t, nil)
	admin := server.Dial(harness.Person("root", roles.Admin, ""), "/")
	driver := harness.Person("d1", roles.Driver, "acme")
	begin := time.Now()
	for range 50 {
		socket := server.Dial(driver, "/")
		socket.Fence() // the server has made it known by now
		socket.Close()
		harness.Eventually(t, "the driver is gone", func() bool { return server.SocketCount("user:d1") == 0 })
	}
	// Who comes behind the last of the driver's turns is told of behind it.
	server.Dial(harness.Person("other", roles.Vendor, ""), "/")
	var presence, status []string
	// Nothing is said of the status of a driver who has come and gone before it was told: it is offline, as it was.
	for other := false; !other || len(status) > 0 && status[len(status)-1] != "offline"; {
		event := next(t, admin)
		if event.Name == "tracking:status" {
			status = append(status, harness.Decode[struct{ Status string }](t, event.Args[0]).Status)
			continue
		}
		if event.Name != "presence:online" && event.Name != "presence:offline" {
			continue
		}
		switch harness.Decode[struct{ UserID string }](t, event.Args[0]).UserID {
		case "d1":
			presence = append(presence, event.Name)
		case "other":
			other = true
		}
	}
	if n := len(presence); n > 0 && presence[n-1] != "presence:offline" {
		t.Errorf("in the end the admin has heard %v", presence)
	}
	most := 2 + int(time.Since(begin)/time.Second)
	if len(presence) > most || len(status) > most {
		t.Errorf("in %s the admin heard %v and %v", time.Since(begin), presence, status)
	}
	t.Logf("50 turns: in %s the admin heard %v", time.Since(begin).Round(time.Millisecond), presence)
}

// next is the next event that a socket hears.
func next(t *testing.T, socket *harness.Socket) sioclient.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Deadline)
	defer cancel()
	event, err := socket.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return event
}
