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
	Reset    bool           `json:"reset"`
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
	var fiftieth string
	for i := range 60 {
		if sent := send(t, service, amy, chat.Outgoing{RoomID: "lobby", Text: fmt.Sprint(i)}); sent.Seq == 50 {
			fiftieth = sent.MessageID
		}
	}
	for name, test := range map[string]struct {
		entry chat.Entry
		want  []int64
		more  bool
		reset bool
	}{
		"newest, default limit":  {chat.Entry{RoomID: "lobby"}, upTo(11, 60), true, false},
		"newest, all":            {chat.Entry{RoomID: "lobby", Limit: 60}, upTo(1, 60), false, false},
		"newest, one":            {chat.Entry{RoomID: "lobby", Limit: 1}, upTo(60, 60), true, false},
		"from the start":         {chat.Entry{RoomID: "lobby", After: chat.At(0), Limit: 10}, upTo(1, 10), true, false},
		"after 50":               {chat.Entry{RoomID: "lobby", After: chat.At(50)}, upTo(51, 60), false, false},
		"after 50, five":         {chat.Entry{RoomID: "lobby", After: chat.At(50), Limit: 5}, upTo(51, 55), true, false},
		"after 50, ten":          {chat.Entry{RoomID: "lobby", After: chat.At(50), Limit: 10}, upTo(51, 60), false, false},
		"after the last but one": {chat.Entry{RoomID: "lobby", After: chat.At(59)}, upTo(60, 60), false, false},
		"after the last":         {chat.Entry{RoomID: "lobby", After: chat.At(60)}, []int64{}, false, false},
		"after what is not yet":  {chat.Entry{RoomID: "lobby", After: chat.At(1 << 62)}, upTo(11, 60), true, true},
		"more than the maximum":  {chat.Entry{RoomID: "lobby", Limit: 100_000}, upTo(1, 60), false, false},
		"empty room":             {chat.Entry{RoomID: "hall"}, []int64{}, false, false},
		"empty room, after":      {chat.Entry{RoomID: "hall", After: chat.At(3)}, []int64{}, false, true},
		"after the 50th, by id":  {chat.Entry{RoomID: "lobby", After: &chat.Place{MessageID: fiftieth}}, upTo(51, 60), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := h.connect(person("bob", roles.Admin))
			entered, err := service.Join(t.Context(), person("bob", roles.Admin), test.entry, s)
			wantLast := int64(60)
			if test.entry.RoomID == "hall" {
				wantLast = 0
			}
			if diff := differs(chat.Entered{Room: servicetest.Room(test.entry.RoomID), Kind: roles.OpenKind, LastSeq: wantLast, Reset: test.reset}, entered); diff != "" || err != nil {
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
			if diff := cmp.Diff(test.want, seqs(got.Messages)); diff != "" || got.HasMore != test.more || got.RoomID != test.entry.RoomID || got.Reset != test.reset {
				t.Errorf("hasMore %v, seqs (-want +got):\n%s", got.HasMore, diff)
			}
			if !slices.Contains(s.Rooms(), servicetest.Room(test.entry.RoomID).Room()) {
				t.Error("the socket is not in the room")
			}
		})
	}
}

// TestPlaceThatIsNotThere: a message of another room, or of none, is no place in a room, and nobody enters by it.
func TestPlaceThatIsNotThere(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy := person("amy", roles.Vendor)
	here := send(t, service, amy, chat.Outgoing{RoomID: "lobby", Text: "x"}).MessageID
	elsewhere := send(t, service, amy, chat.Outgoing{RoomID: "hall", Text: "x"}).MessageID
	s := h.connect(amy)
	for _, id := range []string{elsewhere, "nonsense"} {
		place := &chat.Place{MessageID: id}
		_, joined := service.Join(t.Context(), amy, chat.Entry{RoomID: "lobby", After: place}, s)
		_, after := service.History(t.Context(), amy, chat.HistoryQuery{RoomID: "lobby", After: place})
		_, before := service.History(t.Context(), amy, chat.HistoryQuery{RoomID: "lobby", Before: place})
		for name, test := range map[string]struct {
			err   error
			field string
		}{"join": {joined, "after"}, "history after": {after, "after"}, "history before": {before, "before"}} {
			if !fault.Is(test.err, fault.NotFound) || fault.From(test.err).Field != test.field {
				t.Errorf("%s %s: %v, want not_found at %s", name, id, test.err, test.field)
			}
		}
	}
	if len(s.take()) > 0 || slices.Contains(s.Rooms(), servicetest.Room("lobby").Room()) {
		t.Error("the socket has entered the room")
	}
	found, err := service.History(t.Context(), amy, chat.HistoryQuery{RoomID: "lobby", Before: &chat.Place{MessageID: here}})
	if err != nil || len(found.Messages) > 0 {
		t.Errorf("before the first: %v, %v", found.Messages, err)
	}
}

// TestJoinAll enters many rooms with long histories together: each answers for itself, and all of them are sent what one
// client can read.
func TestJoinAll(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy, bob := person("amy", roles.Vendor), person("bob", roles.Vendor)
	entries := []chat.Entry{}
	for i := range chat.MaxJoinedRooms {
		roomID := fmt.Sprintf("room-%d", i)
		for range 12 {
			send(t, service, amy, chat.Outgoing{RoomID: roomID, Text: "x"})
		}
		entries = append(entries, chat.Entry{RoomID: roomID, Limit: chat.MaxPage})
	}
	entries[1].After, entries[2].Limit = chat.At(11), 1
	entries[3].RoomID, entries[4].RoomID = "user:amy", "no room"
	s := h.connect(bob)
	attempts, err := service.JoinAll(t.Context(), bob, entries, s)
	if err != nil || len(attempts) != len(entries) {
		t.Fatalf("%d attempts, %v", len(attempts), err)
	}
	sent := map[string]int{}
	for _, e := range s.take() {
		got := decode[page](t, e.Payload)
		sent[got.RoomID] = len(got.Messages)
	}
	failures := map[int]fault.Code{3: fault.RoomForbidden, 4: fault.RoomInvalid}
	for i, a := range attempts {
		want := map[int]int{1: 1, 2: 1}[i]
		if want == 0 && failures[i] == "" {
			want = 10
		}
		if a.RoomID != entries[i].RoomID || code(a.Failed) != failures[i] || sent[a.RoomID] != want {
			t.Errorf("room %d: %+v, sent %d messages", i, a, sent[a.RoomID])
		}
		if a.Failed == nil && (a.Entered.LastSeq != 12 || !slices.Contains(s.Rooms(), a.Entered.Room.Room())) {
			t.Errorf("room %d: %+v", i, a.Entered)
		}
	}
	if attempts, err = service.JoinAll(t.Context(), bob, []chat.Entry{{RoomID: "a"}, {RoomID: "b"}, {RoomID: "c"}}, s); err != nil ||
		attempts[1].Failed != nil || !fault.Is(attempts[2].Failed, fault.TooManyRooms) {
		t.Errorf("beyond the most rooms: %+v, %v", attempts, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if attempts, err = service.JoinAll(ctx, bob, entries, h.connect(bob)); !errors.Is(err, context.Canceled) {
		t.Errorf("of a socket that has gone: %v, %v", attempts, err)
	}
}

func TestJoinNamesMembers(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy := person("amy", roles.Vendor)
	roomID := group(t, service, amy, "bob", "cem")
	for id, want := range map[string]chat.Entered{
		roomID:       {Room: servicetest.Room(roomID), Kind: roles.GroupKind, LastSeq: 1, Members: []string{"amy", "bob", "cem"}},
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
	s = h.connect(amy)
	s.onAwait = func() error { return context.DeadlineExceeded }
	_, err := service.Join(t.Context(), amy, chat.Entry{RoomID: "lobby"}, s)
	if !fault.Is(err, fault.Unavailable) || fault.Unexpected(err) || len(s.take()) > 0 {
		t.Errorf("a client that does not read: %v, want unavailable, without a line in the log", err)
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
		"before 6":         {chat.HistoryQuery{Before: chat.At(6), Limit: 4}, upTo(2, 5), true},
		"before 2":         {chat.HistoryQuery{Before: chat.At(2), Limit: 4}, upTo(1, 1), false},
		"before the first": {chat.HistoryQuery{Before: chat.At(1), Limit: 4}, []int64{}, false},
		"before 5, all":    {chat.HistoryQuery{Before: chat.At(5), Limit: 4}, upTo(1, 4), false},
		"after 0":          {chat.HistoryQuery{After: chat.At(0), Limit: 4}, upTo(1, 4), true},
		"after 5":          {chat.HistoryQuery{After: chat.At(5), Limit: 4}, upTo(6, 9), false},
		"after 9":          {chat.HistoryQuery{After: chat.At(9), Limit: 4}, []int64{}, false},
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
	_, err := service.History(t.Context(), amy, chat.HistoryQuery{RoomID: "lobby", Before: chat.At(5), After: chat.At(1)})
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
