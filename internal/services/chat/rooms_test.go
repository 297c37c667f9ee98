package chat_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/test/servicetest"
)

// page is room:history.
type page struct {
	RoomID   string         `json:"roomId"`
	Messages []chat.Message `json:"messages"`
	HasMore  bool           `json:"hasMore"`
}

func seqs(messages []chat.Message) []int64 {
	found := []int64{}
	for _, m := range messages {
		found = append(found, m.Seq)
	}
	return found
}

// upTo lists first to last.
func upTo(first, last int64) []int64 {
	all := []int64{}
	for seq := first; seq <= last; seq++ {
		all = append(all, seq)
	}
	return all
}

func TestJoinSendsHistory(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy := person("amy", roles.Vendor)
	for i := range 60 {
		send(t, service, amy, chat.Outgoing{RoomID: "lobby", Text: fmt.Sprint(i)})
	}
	for name, test := range map[string]struct {
		entry chat.Entry
		want  []int64
		more  bool
	}{
		"newest, default limit":  {chat.Entry{RoomID: "lobby"}, upTo(11, 60), true},
		"newest, all":            {chat.Entry{RoomID: "lobby", Limit: 60}, upTo(1, 60), false},
		"newest, one":            {chat.Entry{RoomID: "lobby", Limit: 1}, upTo(60, 60), true},
		"from the start":         {chat.Entry{RoomID: "lobby", After: ptr(int64(0)), Limit: 10}, upTo(1, 10), true},
		"after 50":               {chat.Entry{RoomID: "lobby", After: ptr(int64(50))}, upTo(51, 60), false},
		"after 50, five":         {chat.Entry{RoomID: "lobby", After: ptr(int64(50)), Limit: 5}, upTo(51, 55), true},
		"after 50, ten":          {chat.Entry{RoomID: "lobby", After: ptr(int64(50)), Limit: 10}, upTo(51, 60), false},
		"after the last but one": {chat.Entry{RoomID: "lobby", After: ptr(int64(59))}, upTo(60, 60), false},
		"after the last":         {chat.Entry{RoomID: "lobby", After: ptr(int64(60))}, []int64{}, false},
		"after what is not yet":  {chat.Entry{RoomID: "lobby", After: ptr(int64(1) << 62)}, []int64{}, false},
		"more than the maximum":  {chat.Entry{RoomID: "lobby", Limit: 100_000}, upTo(1, 60), false},
		"empty room":             {chat.Entry{RoomID: "hall"}, []int64{}, false},
		"empty room, after":      {chat.Entry{RoomID: "hall", After: ptr(int64(3))}, []int64{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := h.connect(person("bob", roles.Admin))
			entered, err := service.Join(t.Context(), person("bob", roles.Admin), test.entry, s)
			wantLast := int64(60)
			if test.entry.RoomID == "hall" {
				wantLast = 0
			}
			if diff := differs(chat.Entered{Room: servicetest.Room(test.entry.RoomID), Kind: roles.OpenKind, LastSeq: wantLast}, entered); diff != "" || err != nil {
				t.Fatalf("%v, outcome (-want +got):\n%s", err, diff)
			}
			heard := s.take()
			if len(heard) != 1 || heard[0].Name != chat.EventHistory {
				t.Fatalf("the joiner heard %v", heard)
			}
			got := decode[page](t, heard[0].Payload)
			if got.Messages == nil {
				t.Error("messages is null")
			}
			if diff := cmp.Diff(test.want, seqs(got.Messages)); diff != "" || got.HasMore != test.more || got.RoomID != test.entry.RoomID {
				t.Errorf("hasMore %v, seqs (-want +got):\n%s", got.HasMore, diff)
			}
			if !slices.Contains(s.Rooms(), servicetest.Room(test.entry.RoomID).Room()) {
				t.Error("the socket is not in the room")
			}
		})
	}
}

func TestJoinNamesMembers(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy := person("amy", roles.Vendor)
	roomID := group(t, service, amy, "bob", "cem")
	for id, want := range map[string]chat.Entered{
		roomID:       {Room: servicetest.Room(roomID), Kind: roles.GroupKind, Members: []string{"amy", "bob", "cem"}},
		"dm:amy:bob": {Room: servicetest.Room("dm:amy:bob"), Kind: roles.DirectKind, Peer: "bob", Members: []string{"amy", "bob"}},
		"dm:bob:amy": {Room: servicetest.Room("dm:amy:bob"), Kind: roles.DirectKind, Peer: "bob", Members: []string{"amy", "bob"}},
		"dm:amy:amy": {Room: servicetest.Room("dm:amy:amy"), Kind: roles.DirectKind, Peer: "amy", Members: []string{"amy"}},
		"lobby":      {Room: servicetest.Room("lobby"), Kind: roles.OpenKind},
	} {
		if diff := differs(want, enter(t, service, amy, id, h.connect(amy))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
}

func TestTooManyRooms(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy := person("amy", roles.Company) // whose socket stands in rooms of its identity as well
	s := h.connect(amy)
	for i := range chat.MaxJoinedRooms {
		enter(t, service, amy, fmt.Sprintf("room-%d", i), s)
	}
	if _, err := service.Join(t.Context(), amy, chat.Entry{RoomID: "one-more"}, s); !fault.Is(err, fault.TooManyRooms) {
		t.Errorf("one more: %v, want too_many_rooms", err)
	}
	enter(t, service, amy, "room-0", s) // again, to resync
	if err := service.Leave(t.Context(), amy, "room-0", s); err != nil {
		t.Fatal(err)
	}
	enter(t, service, amy, "one-more", s)
}

// TestFailedJoin: who gets no history is not in the room.
func TestFailedJoin(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy := person("amy", roles.Vendor)
	watcher := h.connect(person("bob", roles.Vendor))
	enter(t, service, person("bob", roles.Vendor), "lobby", watcher)
	watcher.take()
	s := h.connect(amy)
	s.onEmit = func() error { return errors.New("connection lost") }
	if _, err := service.Join(t.Context(), amy, chat.Entry{RoomID: "lobby"}, s); err == nil {
		t.Error("joined without the history")
	}
	if slices.Contains(s.Rooms(), servicetest.Room("lobby").Room()) {
		t.Error("the socket is in the room")
	}
	// A socket that goes while it is being sent the history takes no place either, and is not announced.
	s = h.connect(amy)
	s.onEmit = func() error { h.disconnect(s); return nil }
	if _, err := service.Join(t.Context(), amy, chat.Entry{RoomID: "lobby"}, s); err != nil {
		t.Fatal(err)
	}
	if heard := watcher.take(); len(heard) > 0 {
		t.Errorf("told of somebody who never came: %v", heard)
	}
}

// TestJoinMeetsLiveExactly joins while several people send: what is read as history and what is heard live is every
// message once, in order.
func TestJoinMeetsLiveExactly(t *testing.T) {
	t.Parallel()
	const senders, each, rounds = 4, 8, 25
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	for round := range rounds {
		roomID := fmt.Sprintf("room-%d", round)
		joiner := h.connect(person("joiner", roles.Admin))
		var busy sync.WaitGroup
		for i := range senders {
			busy.Go(func() {
				for range each {
					send(t, service, person(fmt.Sprintf("sender-%d", i), roles.Driver), chat.Outgoing{RoomID: roomID, Text: "x"})
				}
			})
		}
		busy.Go(func() {
			for len(h.names()) < round*senders*each+round%(senders*each) {
				runtime.Gosched() // join later in each round, in the midst of the messages
			}
			enter(t, service, person("joiner", roles.Admin), roomID, joiner)
		})
		busy.Wait()
		got := []int64{}
		for i, e := range joiner.take() {
			switch {
			case i == 0 && e.Name == chat.EventHistory:
				got = append(got, seqs(decode[page](t, e.Payload).Messages)...)
			case e.Name == chat.EventMessage:
				got = append(got, decode[chat.Message](t, e.Payload).Seq)
			case e.Name != chat.EventUserJoined:
				t.Fatalf("heard %v", e)
			}
		}
		if diff := cmp.Diff(upTo(1, senders*each), got); diff != "" {
			t.Fatalf("round %d, history and live (-want +got):\n%s", round, diff)
		}
		h.disconnect(joiner)
	}
}

func TestHistoryPages(t *testing.T) {
	t.Parallel()
	service := newService(t, openStore(t), &hub{}, nil, nil)
	amy := person("amy", roles.Vendor)
	for range 9 {
		send(t, service, amy, chat.Outgoing{RoomID: "lobby", Text: "x"})
	}
	for name, test := range map[string]struct {
		query chat.HistoryQuery
		want  []int64
		more  bool
	}{
		"newest":           {chat.HistoryQuery{Limit: 4}, upTo(6, 9), true},
		"before 6":         {chat.HistoryQuery{Before: ptr(int64(6)), Limit: 4}, upTo(2, 5), true},
		"before 2":         {chat.HistoryQuery{Before: ptr(int64(2)), Limit: 4}, upTo(1, 1), false},
		"before the first": {chat.HistoryQuery{Before: ptr(int64(1)), Limit: 4}, []int64{}, false},
		"before 5, all":    {chat.HistoryQuery{Before: ptr(int64(5)), Limit: 4}, upTo(1, 4), false},
		"after 0":          {chat.HistoryQuery{After: ptr(int64(0)), Limit: 4}, upTo(1, 4), true},
		"after 5":          {chat.HistoryQuery{After: ptr(int64(5)), Limit: 4}, upTo(6, 9), false},
		"after 9":          {chat.HistoryQuery{After: ptr(int64(9)), Limit: 4}, []int64{}, false},
		"default limit":    {chat.HistoryQuery{}, upTo(1, 9), false},
	} {
		t.Run(name, func(t *testing.T) {
			test.query.RoomID = "lobby"
			got, err := service.History(t.Context(), amy, test.query)
			if diff := cmp.Diff(test.want, seqs(got.Messages)); diff != "" || err != nil || got.HasMore != test.more || got.Messages == nil {
				t.Errorf("%v, hasMore %v, seqs (-want +got):\n%s", err, got.HasMore, diff)
			}
		})
	}
	_, err := service.History(t.Context(), amy, chat.HistoryQuery{RoomID: "lobby", Before: ptr(int64(5)), After: ptr(int64(1))})
	if !fault.Is(err, fault.InvalidPayload) || fault.From(err).Field != "after" {
		t.Errorf("before and after together: %v", err)
	}
}

// TestJoinWaitsForDelivery: between commit and delivery of a message nobody enters its room.
func TestJoinWaitsForDelivery(t *testing.T) {
	t.Parallel()
	h := &hub{}
	store := newGated(openStore(t))
	service := newService(t, store, h, nil, nil)
	amy, bob := person("amy", roles.Vendor), person("bob", roles.Vendor)
	pending, err := service.Submit(t.Context(), amy, chat.Outgoing{RoomID: "lobby", Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	<-store.entered // the commit holds the room now
	s := h.connect(bob)
	joined := make(chan struct{})
	go func() {
		defer close(joined)
		enter(t, service, bob, "lobby", s)
	}()
	for range 1000 {
		runtime.Gosched()
	}
	select {
	case <-joined:
		t.Error("entered the room in the midst of a commit")
	default:
	}
	store.answers <- nil
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if _, err := pending.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	<-joined
	heard := s.take()
	if len(heard) != 1 || len(decode[page](t, heard[0].Payload).Messages) != 1 {
		t.Errorf("the joiner heard %v", heard)
	}
}
