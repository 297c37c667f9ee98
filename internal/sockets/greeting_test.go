package sockets_test

import (
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"rolecall/internal/roles"
	"rolecall/internal/sockets/event"
	"rolecall/test/wiretest"
)

// TestGreetingsTakeTurns: while the greetings of a company take their time, no more than a few of them are at work,
// somebody else is greeted beside them, and whoever goes before their turn costs none.
func TestGreetingsTakeTurns(t *testing.T) {
	t.Parallel()
	s, d := withDiary(t)
	slow := make(chan struct{})
	var at atomic.Int32
	d.onWelcome = func(caller *event.Caller) {
		if caller.Who.CompanyID == "acme" {
			at.Add(1)
			<-slow
			at.Add(-1)
		}
	}
	var staff []*client
	for i := range 12 {
		who := person("staff-"+string(rune('a'+i)), roles.Company)
		who.CompanyID = "acme"
		staff = append(staff, s.dial(who))
		if i < 4 {
			wiretest.Eventually(t, "the first are greeted", func() bool { return at.Load() == int32(i)+1 })
		}
	}
	ben := person("ben", roles.Driver)
	ben.CompanyID = "bolt"
	s.dial(ben).ask("test:who") // which waits for the greeting
	if n := at.Load(); n != 4 {
		t.Errorf("%d of one company are greeted at a time", n)
	}
	for _, c := range staff[4:] {
		c.Abort()
	}
	for i := range staff[4:] {
		d.waitFor(t, "staff-"+string(rune('e'+i)), "went staff-"+string(rune('e'+i)))
	}
	close(slow)
	for i, c := range staff[:4] {
		c.ask("test:who")
		d.waitFor(t, "staff-"+string(rune('a'+i)), "came staff-"+string(rune('a'+i)))
	}
	for i := range staff[4:] {
		id := "staff-" + string(rune('e'+i))
		if got := d.about(id); !slices.Equal(got, []string{"went " + id}) {
			t.Errorf("of one who went before: %v", got)
		}
	}
}

// TestWhoReadsSlowlyHoldsNoTurn: while a client is waited for that has much to read, others are greeted in its place.
func TestWhoReadsSlowlyHoldsNoTurn(t *testing.T) {
	t.Parallel()
	s, d := withDiary(t)
	part := make([]string, 50_000)
	var waiting, ended atomic.Int32
	d.onWelcome = func(caller *event.Caller) {
		if caller.Who.UserID == "ben" {
			return
		}
		for {
			waiting.Add(1)
			err := caller.AwaitRoom(caller.Context())
			waiting.Add(-1)
			if err != nil || caller.Emit("part", part) != nil {
				ended.Add(1)
				return
			}
		}
	}
	const readers = 8
	for range readers { // of one company, which has four turns
		who := person("amy", roles.Company)
		who.CompanyID = "acme"
		phone := wiretest.Dial(t, s.url+"/socket.io/?EIO=4&transport=websocket")
		phone.Send("40" + `{"token":` + strconv.Quote(token(t, who)) + `}`) // and reads nothing
	}
	wiretest.Eventually(t, "all wait for who does not read", func() bool { return waiting.Load() == readers })
	ben := person("ben", roles.Company)
	ben.CompanyID = "acme"
	s.dial(ben).ask("test:who")
}

// TestWhoComesDuringAnOutageIsGreetedBehindIt: what a socket could not be told when it came is told once it can be; meanwhile
// it is answered, and others hear of it. Who leaves before is not waited for.
func TestWhoComesDuringAnOutageIsGreetedBehindIt(t *testing.T) {
	t.Parallel()
	s, d := withDiary(t)
	d.failing.Store(true)
	amy, ben := s.dial(person("amy", roles.Driver)), s.dial(person("ben", roles.Driver))
	amy.ask("test:who")
	d.waitFor(t, "amy", "came amy")
	ben.Close()
	d.waitFor(t, "ben", "went ben")
	d.failing.Store(false)
	if got := d.waitFor(t, "amy", "welcome amy"); got[0] != "unwelcome amy" {
		t.Errorf("the diary has %v", got)
	}
	if got := d.about("ben"); slices.Contains(got, "welcome ben") {
		t.Errorf("who has left is greeted: %v", got)
	}
}

// TestWhatCannotBeToldAnewIsToldLater: it is as when a socket comes.
func TestWhatCannotBeToldAnewIsToldLater(t *testing.T) {
	t.Parallel()
	s, d := withDiary(t)
	s.dial(person("amy", roles.Driver)).ask("test:who")
	d.failing.Store(true)
	s.mount.Renew(t.Context())
	d.failing.Store(false)
	want := []string{"welcome amy", "unwelcome amy", "welcome amy"}
	is := func() bool {
		told := slices.DeleteFunc(d.about("amy"), func(entry string) bool { return entry == "came amy" })
		return slices.Equal(told, want)
	}
	wiretest.Eventually(t, "amy is told anew", is)
}
