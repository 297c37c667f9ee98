package chat_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/test/servicetest"
)

// TestAudiences looks at who hears what in each kind of room.
func TestAudiences(t *testing.T) {
	t.Parallel()
	amy, bob, eve := person("amy", roles.Driver), person("bob", roles.Vendor), person("eve", roles.Admin)
	for _, kind := range []string{"open", "direct", "group"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := &hub{}
			service := newService(t, openStore(t), h, nil, nil)
			roomID := map[string]string{"open": "lobby", "direct": "dm:amy:bob"}[kind]
			if kind == "group" {
				roomID = group(t, service, amy, "bob")
			}
			amys, amysPhone, bobs, bobsTab, eves := h.connect(amy), h.connect(amy), h.connect(bob), h.connect(bob), h.connect(eve)
			if kind == "open" { // heard by who has joined, on the socket that has
				enter(t, service, amy, roomID, amys)
				enter(t, service, bob, roomID, bobs)
				for _, s := range []*socket{amys, bobs} {
					s.take()
				}
			}
			expect := func(event string, toActor, toActorsPhone, toBobs, toBobsTab bool) {
				t.Helper()
				for _, test := range []struct {
					name  string
					s     *socket
					hears bool
				}{
					{"the actor", amys, toActor}, {"the actor's phone", amysPhone, toActorsPhone},
					{"the other", bobs, toBobs}, {"the other's tab", bobsTab, toBobsTab}, {"a stranger", eves, false},
				} {
					want := []string{}
					if test.hears {
						want = []string{event}
					}
					if got := test.s.heardNames(); !slices.Equal(got, want) {
						t.Errorf("%s: %s heard %v, want %v", event, test.name, got, want)
					}
				}
			}
			receipt := send(t, service, amy, chat.Outgoing{RoomID: roomID, Text: "hello"})
			expect(chat.EventMessage, true, true, true, kind != "open")
			before := amys.Rooms()
			if err := service.Typing(t.Context(), amy, typing(roomID, true), amys); err != nil {
				t.Fatal(err)
			}
			expect(chat.EventTyping, false, true, true, kind != "open")
			if _, err := service.MarkRead(t.Context(), amy, chat.ReadUpTo{RoomID: roomID, MessageID: receipt.MessageID}, amys); err != nil {
				t.Fatal(err)
			}
			expect(chat.EventRead, false, true, true, kind != "open")
			if after := amys.Rooms(); !slices.Equal(before, after) {
				t.Errorf("the actor's socket stood in %v and stands in %v", before, after)
			}
		})
	}
}

// TestMessageOnTheWire compares what is delivered, what is acknowledged and what is read back.
func TestMessageOnTheWire(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy := person("amy", roles.Driver)
	bobs := h.connect(person("bob", roles.Vendor))
	receipt := send(t, service, amy, chat.Outgoing{To: "bob", Text: "<b>&\x00\u2028</b>"})
	want := chat.Message{
		ID: receipt.MessageID, Room: servicetest.Room("dm:amy:bob"), Seq: 1, Revision: 1, UserID: "amy", Username: "name of amy", Role: roles.Driver,
		Text: "<b>&\x00\u2028</b>", Timestamp: instant.Stamp(noon), ReadBy: []string{"amy"},
	}
	if diff := differs(chat.Receipt{MessageID: want.ID, Room: want.Room, Seq: 1, Timestamp: instant.Stamp(noon)}, receipt); diff != "" || receipt.MessageID == "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
	heard := bobs.take()
	if len(heard) != 1 {
		t.Fatalf("heard %v", heard)
	}
	if diff := differs(want, decode[chat.Message](t, heard[0].Payload)); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
	history, err := service.History(t.Context(), amy, chat.HistoryQuery{RoomID: want.Room.String()})
	if diff := differs([]chat.Message{want}, history.Messages); diff != "" || err != nil {
		t.Errorf("%v, read back (-want +got):\n%s", err, diff)
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	h := &hub{}
	now := atNoon()
	var clock sync.Mutex
	service := newService(t, openStore(t), h, nil, func(o *settings) {
		o.Now = func() time.Time {
			clock.Lock()
			defer clock.Unlock()
			now = now.Add(time.Second)
			return now
		}
	})
	amy := person("amy", roles.Driver)
	bobs := h.connect(person("bob", roles.Vendor))
	first := send(t, service, amy, chat.Outgoing{To: "bob", Text: "once", ClientID: "c1"})
	bobs.take()
	again := send(t, service, amy, chat.Outgoing{RoomID: "dm:bob:amy", Text: " once\n", ClientID: "c1"})
	first.Replayed = true
	if diff := differs(first, again); diff != "" {
		t.Errorf("the second receipt (-first +second):\n%s", diff)
	}
	if heard := bobs.take(); len(heard) > 0 {
		t.Errorf("delivered twice: %v", heard)
	}
	for name, next := range map[string]func() chat.Receipt{
		"another id": func() chat.Receipt { return send(t, service, amy, chat.Outgoing{To: "bob", Text: "x", ClientID: "c2"}) },
		"another sender": func() chat.Receipt {
			return send(t, service, person("bob", roles.Vendor), chat.Outgoing{To: "amy", Text: "x", ClientID: "c1"})
		},
		"no id":               func() chat.Receipt { return send(t, service, amy, chat.Outgoing{To: "bob", Text: "x"}) },
		"no id a second time": func() chat.Receipt { return send(t, service, amy, chat.Outgoing{To: "bob", Text: "x"}) },
	} {
		if got := next(); got.Replayed || got.MessageID == first.MessageID {
			t.Errorf("%s: taken for the first message", name)
		}
	}
	for name, other := range map[string]chat.Outgoing{
		"another text":  {To: "bob", Text: "twice"},
		"another room":  {RoomID: "lobby", Text: "once"},
		"another reply": {To: "bob", Text: "once", ReplyTo: first.MessageID},
	} {
		bobs.take()
		other.ClientID = "c1"
		_, err := service.Send(t.Context(), amy, other)
		if !fault.Is(err, fault.Conflict) || fault.From(err).Field != "clientId" || len(bobs.take()) > 0 {
			t.Errorf("%s under the same id: %v, want conflict at clientId and nothing delivered", name, err)
		}
	}
	if head, err := service.History(t.Context(), amy, chat.HistoryQuery{RoomID: "lobby"}); err != nil || len(head.Messages) > 0 {
		t.Errorf("the lobby has %v, %v", head.Messages, err)
	}
	// The same message from many sockets at once, as after a reconnect: one of them is the first.
	h2 := h.connect(person("cem", roles.Vendor))
	var together sync.WaitGroup
	receipts := make([]chat.Receipt, 20)
	for i := range receipts {
		together.Go(func() { receipts[i] = send(t, service, amy, chat.Outgoing{To: "cem", Text: "x", ClientID: "c3"}) })
	}
	together.Wait()
	originals := 0
	for _, receipt := range receipts {
		if !receipt.Replayed {
			originals++
		}
		if receipt.MessageID != receipts[0].MessageID || receipt.Seq != 1 || receipt.Timestamp != receipts[0].Timestamp {
			t.Errorf("receipts differ: %+v and %+v", receipts[0], receipt)
		}
	}
	if heard := h2.take(); originals != 1 || len(heard) != 1 {
		t.Errorf("%d originals, delivered %d times", originals, len(heard))
	}
}

func TestReplyTo(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy := person("amy", roles.Driver)
	bobs := h.connect(person("bob", roles.Vendor))
	here := send(t, service, amy, chat.Outgoing{To: "bob", Text: "x"})
	elsewhere := send(t, service, amy, chat.Outgoing{To: "cem", Text: "x"})
	bobs.take()
	send(t, service, amy, chat.Outgoing{To: "bob", Text: "y", ReplyTo: here.MessageID})
	if got := decode[chat.Message](t, bobs.take()[0].Payload); got.ReplyTo != here.MessageID {
		t.Errorf("delivered as a reply to %q", got.ReplyTo)
	}
	for _, id := range []string{elsewhere.MessageID, "nonsense"} {
		_, err := service.Send(t.Context(), amy, chat.Outgoing{To: "bob", Text: "y", ReplyTo: id})
		if !fault.Is(err, fault.NotFound) || fault.From(err).Field != "replyTo" {
			t.Errorf("a reply to %s: %v, want not_found at replyTo", id, err)
		}
	}
}

func TestMarkRead(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy, bob := person("amy", roles.Driver), person("bob", roles.Vendor)
	var sent []chat.Receipt
	for range 4 {
		sent = append(sent, send(t, service, amy, chat.Outgoing{To: "bob", Text: "x"}))
	}
	send(t, service, bob, chat.Outgoing{To: "amy", Text: "own messages are never unread"})
	elsewhere := send(t, service, amy, chat.Outgoing{To: "cem", Text: "x"})
	amys, bobs, phone := h.connect(amy), h.connect(bob), h.connect(bob)
	for _, test := range []struct {
		at, unread int
	}{{0, 3}, {2, 1}, {1, 1}, {3, 0}, {3, 0}} { // also of what the mark has passed the others are told
		left, err := service.MarkRead(t.Context(), bob, chat.ReadUpTo{RoomID: "dm:bob:amy", MessageID: sent[test.at].MessageID}, bobs)
		if err != nil || left.Unread != test.unread {
			t.Errorf("read up to %d: %d unread, %v; want %d", test.at+1, left.Unread, err, test.unread)
		}
		want := []event{{chat.EventRead, fmt.Sprintf(`{"roomId":"dm:amy:bob","userId":"bob","messageId":%q,"seq":%d}`,
			sent[test.at].MessageID, test.at+1)}}
		for name, s := range map[string]*socket{"the sender": amys, "the reader's phone": phone} {
			if heard := s.take(); !slices.Equal(heard, want) {
				t.Errorf("read up to %d: %s heard %v, want %v", test.at+1, name, heard, want)
			}
		}
		if heard := bobs.take(); len(heard) > 0 {
			t.Errorf("read up to %d: the socket that has read heard %v", test.at+1, heard)
		}
	}
	history, err := service.History(t.Context(), amy, chat.HistoryQuery{RoomID: "dm:amy:bob"})
	if err != nil || !slices.Equal(history.Messages[3].ReadBy, []string{"amy", "bob"}) || !slices.Equal(history.Messages[4].ReadBy, []string{"bob"}) {
		t.Errorf("the history does not show who has read: %+v, %v", history.Messages, err)
	}
	for _, id := range []string{elsewhere.MessageID, "nonsense"} {
		if _, err := service.MarkRead(t.Context(), bob, chat.ReadUpTo{RoomID: "dm:amy:bob", MessageID: id}, bobs); !fault.Is(err, fault.NotFound) {
			t.Errorf("reading %s: %v, want not_found", id, err)
		}
	}
}

// TestOrder sends from many people into few rooms: each room's messages are delivered in the order of seq, without a
// gap, and each sender's own in the order they were submitted.
func TestOrder(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	watcher := h.connect(person("watcher", roles.Admin))
	const rooms, senders, each = 3, 6, 20
	for r := range rooms {
		enter(t, service, person("watcher", roles.Admin), fmt.Sprintf("room-%d", r), watcher)
	}
	watcher.take()
	var busy sync.WaitGroup
	for i := range senders {
		busy.Go(func() {
			who := person(fmt.Sprintf("sender-%d", i), roles.Driver)
			var pending []*chat.Pending
			for n := range each {
				p, err := service.Submit(context.Background(), who, chat.Outgoing{RoomID: fmt.Sprintf("room-%d", n%rooms), Text: fmt.Sprintf("%03d", n)})
				if err != nil {
					t.Errorf("submit: %v", err)
					return
				}
				pending = append(pending, p)
			}
			for _, p := range pending {
				if _, err := p.Wait(context.Background()); err != nil {
					t.Errorf("wait: %v", err)
				}
			}
		})
	}
	busy.Wait()
	next := make(map[string]int64)
	said := make(map[string]string)
	total := 0
	for _, e := range watcher.take() {
		m := decode[chat.Message](t, e.Payload)
		if next[m.Room.String()]++; m.Seq != next[m.Room.String()] || m.Revision != m.Seq {
			t.Fatalf("%s: seq %d at revision %d where %d was due", m.Room, m.Seq, m.Revision, next[m.Room.String()])
		}
		if before := said[m.Room.String()+m.UserID]; before >= m.Text && before != "" {
			t.Fatalf("%s: %s was delivered behind %s of the same sender", m.Room.String(), m.Text, before)
		}
		said[m.Room.String()+m.UserID] = m.Text
		total++
	}
	if total != senders*each {
		t.Errorf("delivered %d of %d messages", total, senders*each)
	}
}

// TestClientIDIsTheSendersAlone: the sender's sockets are told of it, live and in the history, in the order of the room;
// nobody else is, and everybody hears a message once.
func TestClientIDIsTheSendersAlone(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy, bob := person("amy", roles.Driver), person("bob", roles.Vendor)
	amys, phone, bobs := h.connect(amy), h.connect(amy), h.connect(bob)
	for _, s := range []*socket{amys, bobs} {
		enter(t, service, map[*socket]auth.Identity{amys: amy, bobs: bob}[s], "lobby", s)
	}
	sent := []string{"c1", "", "c2"}
	for _, roomID := range []string{"lobby", "dm:amy:bob"} {
		for _, s := range []*socket{amys, phone, bobs} {
			s.take()
		}
		for _, id := range sent {
			clientID := id
			if id != "" {
				clientID += roomID
			}
			send(t, service, amy, chat.Outgoing{RoomID: roomID, Text: "x", ClientID: clientID})
		}
		hidden, told := []string{"", "", ""}, []string{"c1" + roomID, "", "c2" + roomID}
		for name, test := range map[string]struct {
			s    *socket
			want []string
		}{"the sender": {amys, told}, "the sender's phone": {phone, told}, "the other": {bobs, hidden}} {
			got := []string{}
			for i, e := range test.s.take() {
				m := decode[chat.Message](t, e.Payload)
				if got = append(got, m.ClientID); m.Seq != int64(i+1) || !slices.Equal(m.ReadBy, []string{"amy"}) {
					t.Errorf("%s, %s: message %d is %+v", roomID, name, i+1, m)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%s: %s heard the ids %q, want %q", roomID, name, got, test.want)
			}
		}
		for _, test := range []struct {
			who  auth.Identity
			want []string
		}{{amy, told}, {bob, hidden}} {
			page, err := service.History(t.Context(), test.who, chat.HistoryQuery{RoomID: roomID})
			got := []string{}
			for _, m := range page.Messages {
				got = append(got, m.ClientID)
			}
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%s: %s reads the ids %q, %v", roomID, test.who.UserID, got, err)
			}
		}
	}
}

// TestQuotes: a reply has the message that it replies to, as that is by now, told and read.
func TestQuotes(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy := person("amy", roles.Driver)
	bobs := h.connect(person("bob", roles.Vendor))
	long := strings.Repeat("𝄞", chat.MaxQuote+1)
	first := send(t, service, amy, chat.Outgoing{To: "bob", Text: long})
	roomID := first.Room.String()
	bobs.take()
	quoted := func(text string, deleted bool) *chat.Quote {
		return &chat.Quote{Seq: first.Seq, MessageID: first.MessageID, UserID: "amy", Username: "name of amy", Text: text, Deleted: deleted}
	}
	check := func(when string, want *chat.Quote) {
		t.Helper()
		reply := send(t, service, amy, chat.Outgoing{To: "bob", Text: "y", ReplyTo: first.MessageID})
		heard := bobs.take()
		told := decode[chat.Message](t, heard[len(heard)-1].Payload).Quoted
		told.Seq = want.Seq // which is not told
		if diff := differs(want, told); diff != "" {
			t.Errorf("%s, told (-want +got):\n%s", when, diff)
		}
		history, err := service.History(t.Context(), amy, chat.HistoryQuery{RoomID: roomID})
		if last := history.Messages[len(history.Messages)-1]; err != nil || differs(want, last.Quoted) != "" {
			t.Errorf("%s, read: %v, %+v", when, err, last.Quoted)
		}
		synced, err := service.Sync(t.Context(), amy, chat.SyncQuery{Rooms: map[string]int64{roomID: 1}})
		changes := synced.Rooms[roomID].Changes
		if last := changes[len(changes)-1].Message; err != nil || last.ID != reply.MessageID || differs(want, last.Quoted) != "" {
			t.Errorf("%s, missed: %v, %+v", when, err, last.Quoted)
		}
	}
	check("as it was said", quoted(strings.Repeat("𝄞", chat.MaxQuote), false))
	if _, err := edit(t, service, amy, roomID, first.MessageID, "short"); err != nil {
		t.Fatal(err)
	}
	check("once it was edited", quoted("short", false))
	if _, err := remove(t, service, amy, roomID, first.MessageID); err != nil {
		t.Fatal(err)
	}
	check("once it was deleted", quoted("", true))
	reply := send(t, service, amy, chat.Outgoing{To: "bob", Text: "z", ReplyTo: first.MessageID})
	if _, err := remove(t, service, amy, roomID, reply.MessageID); err != nil {
		t.Fatal(err)
	}
	history, err := service.History(t.Context(), amy, chat.HistoryQuery{RoomID: roomID, Limit: 1})
	if err != nil || history.Messages[0].Quoted != nil {
		t.Errorf("a deleted reply quotes: %+v, %v", history.Messages, err)
	}
}
