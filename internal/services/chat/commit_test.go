package chat_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
)

// TestStoreFailure: all who wait for a failed commit are answered, nothing of it is delivered, and the next one works.
func TestStoreFailure(t *testing.T) {
	t.Parallel()
	h := &hub{}
	store := newGated(openStore(t))
	service := newService(t, store, h, nil, nil)
	amy := person("amy", roles.Driver)
	bobs := h.connect(person("bob", roles.Vendor))
	submit := func() *chat.Pending {
		t.Helper()
		p, err := service.Submit(t.Context(), amy, chat.Outgoing{To: "bob", Text: "x"})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	pending := []*chat.Pending{submit()}
	<-store.entered // the first is on its way alone, the rest share the next commit
	for range 10 {
		pending = append(pending, submit())
	}
	broken := errors.New("disk full")
	store.answers <- broken
	if shared := <-store.entered; shared != 10 {
		t.Errorf("%d messages share the second commit, want 10", shared)
	}
	store.answers <- broken
	for i, p := range pending {
		if _, err := p.Wait(t.Context()); !fault.Is(err, fault.Unavailable) || !errors.Is(err, broken) {
			t.Errorf("message %d: %v, want unavailable with the cause kept for the log", i, err)
		}
	}
	if heard := bobs.take(); len(heard) > 0 {
		t.Errorf("delivered though not stored: %v", heard)
	}
	last := submit()
	store.answers <- nil
	if receipt, err := last.Wait(t.Context()); err != nil || receipt.Seq != 1 {
		t.Errorf("after the failure: %+v, %v", receipt, err)
	}
}

// TestNothingIsDeliveredBeforeTheCommit holds the store and listens.
func TestNothingIsDeliveredBeforeTheCommit(t *testing.T) {
	t.Parallel()
	h := &hub{}
	store := newGated(openStore(t))
	service := newService(t, store, h, nil, nil)
	p, err := service.Submit(t.Context(), person("amy", roles.Driver), chat.Outgoing{To: "bob", Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	<-store.entered
	if names := h.names(); len(names) > 0 {
		t.Errorf("told before the commit: %v", names)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait with an ended context: %v", err)
	}
	store.answers <- nil
	if _, err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if names := h.names(); !slices.Equal(names, []string{chat.EventMessage}) {
		t.Errorf("told %v", names)
	}
}

// TestMembershipCountsAtTheCommit: who has been taken out of a group while their message waited for the disk says nothing
// there any more, and a message is heard by those who are members when it takes its place.
func TestMembershipCountsAtTheCommit(t *testing.T) {
	t.Parallel()
	h := &hub{}
	store := newGated(openStore(t))
	members := &membership{members: []string{"amy", "bob", "cem"}}
	service := newService(t, store, h, nil, func(o *settings) { o.members = members })
	amy, bob := person("amy", roles.Vendor), person("bob", roles.Vendor)
	amys, bobs, cems, dans := h.connect(amy), h.connect(bob), h.connect(person("cem", roles.Vendor)), h.connect(person("dan", roles.Vendor))
	submit := func(who auth.Identity, roomID string) *chat.Pending {
		t.Helper()
		p, err := service.Submit(t.Context(), who, chat.Outgoing{RoomID: roomID, Text: "x"})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	held := submit(amy, "lobby")
	<-store.entered // the writer waits for the disk, and what comes now waits for the writer
	waiting := []*chat.Pending{submit(bob, "group:g"), submit(amy, "group:g"), submit(bob, "lobby")}
	members.change(nil, "amy", "cem", "dan")
	store.answers <- nil
	if shared := <-store.entered; shared != 2 {
		t.Errorf("%d changes were written, want 2", shared)
	}
	store.answers <- nil
	if _, err := held.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, refused := waiting[0].Wait(t.Context())
	taken, err := waiting[1].Wait(t.Context())
	_, elsewhere := waiting[2].Wait(t.Context())
	if code(refused) != fault.RoomForbidden || err != nil || taken.Seq != 1 || elsewhere != nil {
		t.Errorf("the one taken out %v; a member %+v, %v; elsewhere %v", refused, taken, err, elsewhere)
	}
	for name, test := range map[string]struct {
		s     *socket
		heard int
	}{"amy, who has also spoken in the lobby": {amys, 2}, "bob, who has spoken in the lobby": {bobs, 1}, "cem": {cems, 1}, "dan": {dans, 1}} {
		if got := test.s.take(); len(got) != test.heard {
			t.Errorf("%s heard %v, want %d", name, got, test.heard)
		}
	}
}

// TestMembersUnknownAtTheCommit: a message whose group cannot be looked up is refused, and no other with it.
func TestMembersUnknownAtTheCommit(t *testing.T) {
	t.Parallel()
	store := newGated(openStore(t))
	members := &membership{members: []string{"amy"}}
	service := newService(t, store, &hub{}, nil, func(o *settings) { o.members = members })
	amy := person("amy", roles.Vendor)
	var pending []*chat.Pending
	for _, roomID := range []string{"lobby", "group:g", "lobby"} {
		p, err := service.Submit(t.Context(), amy, chat.Outgoing{RoomID: roomID, Text: "x"})
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, p)
		if len(pending) == 1 {
			<-store.entered
		}
	}
	broken := errors.New("disk broken")
	members.change(broken)
	close(store.answers)
	for i, p := range pending {
		_, err := p.Wait(t.Context())
		if i == 1 && (code(err) != fault.Unavailable || !errors.Is(err, broken)) || i != 1 && err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
}

func TestOverloadAndClose(t *testing.T) {
	t.Parallel()
	store := newGated(&numbering{})
	service := newService(t, store, &hub{}, nil, nil)
	amy := person("amy", roles.Driver)
	var pending []*chat.Pending
	var refused error
	for refused == nil && len(pending) < 20_000 {
		p, err := service.Submit(t.Context(), amy, chat.Outgoing{RoomID: "lobby", Text: "x"})
		if refused = err; err == nil {
			pending = append(pending, p)
		}
	}
	if !fault.Is(refused, fault.Unavailable) {
		t.Fatalf("after %d messages: %v, want unavailable", len(pending), refused)
	}
	close(store.answers)
	closeService(t, service)
	for i, p := range pending {
		receipt, err := p.Wait(t.Context())
		if err != nil || receipt.Seq != int64(i)+1 {
			t.Fatalf("message %d: %+v, %v", i, receipt, err)
		}
	}
	if _, err := service.Send(t.Context(), amy, chat.Outgoing{RoomID: "lobby", Text: "x"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("after Close: %v, want unavailable", err)
	}
}

func TestRetention(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	now := atNoon()
	service := newService(t, store, &hub{}, nil, func(o *settings) {
		o.Now, o.Retention = func() time.Time { return now }, time.Hour
	})
	amy := person("amy", roles.Driver)
	send(t, service, amy, chat.Outgoing{RoomID: "lobby", Text: "old"})
	now = now.Add(time.Minute)
	send(t, service, amy, chat.Outgoing{RoomID: "lobby", Text: "exactly as old as may be"})
	now = now.Add(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		service.Retention().Run(ctx, time.Hour)
	}()
	kept := func() []int64 {
		history, err := service.History(ctx, amy, chat.HistoryQuery{RoomID: "lobby"})
		if err != nil {
			t.Fatal(err)
		}
		return seqs(history.Messages)
	}
	for len(kept()) != 1 && ctx.Err() == nil {
		<-time.After(time.Millisecond)
	}
	if got := kept(); !slices.Equal(got, []int64{2}) {
		t.Errorf("kept %v", got)
	}
	cancel()
	<-done
	if receipt := send(t, service, amy, chat.Outgoing{RoomID: "lobby", Text: "x"}); receipt.Seq != 3 {
		t.Errorf("the next seq is %d", receipt.Seq)
	}
	newService(t, store, &hub{}, nil, nil).Retention().Run(t.Context(), time.Hour) // keeps for ever: returns at once
}
