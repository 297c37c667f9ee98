package adminui

import (
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/realtime"
)

// named is a socket that has nothing but a namespace.
type named struct {
	realtime.Socket
	namespace string
}

func (s *named) Namespace() string { return s.namespace }

func many(count int, namespace string) []realtime.Socket {
	all := make([]realtime.Socket, count)
	for i := range all {
		all[i] = &named{namespace: namespace}
	}
	return all
}

// TestWatcherNotesNoMoreThanARoundTells: however much happens.
func TestWatcherNotesNoMoreThanARoundTells(t *testing.T) {
	t.Parallel()
	w := watcher{shown: make(map[realtime.Socket]int)}
	sockets := many(10_000, "/")
	w.Received(sockets[0], "before anybody looks")
	for _, socket := range sockets[:PageSize] {
		w.show(socket)
	}
	w.begin()
	for _, socket := range sockets {
		w.Opened(socket)
	}
	looked := 0
	all := iter.Seq[realtime.Socket](func(yield func(realtime.Socket) bool) {
		for _, socket := range sockets {
			if looked++; !yield(socket) {
				return
			}
		}
	})
	w.Sent("broadcast", all)
	if looked != eventsABroadcast {
		t.Errorf("looked at %d of those to whom an event went", looked)
	}
	looked = 0
	slices.Reverse(sockets) // those that are shown come last
	w.Sent("broadcast", all)
	if looked != lookedAtBroadcast {
		t.Errorf("looked at %d of those to whom an event went", looked)
	}
	for range 3 {
		for _, socket := range sockets {
			w.Received(socket, "e"+strings.Repeat("x", 100))
		}
	}
	looked = 0
	if w.Sent("another", all); looked > 0 {
		t.Error("sockets are looked at when no more can be told")
	}
	w.Ended(sockets[0], "not shown")
	w.Ended(sockets[len(sockets)-1], "shown")
	r := w.take()
	if len(r.opened) != maxNoted || !r.missed || len(r.events) != eventsARound || len(r.ended) != 1 {
		t.Errorf("noted: %d who came (missed %v), %d events, %d ends", len(r.opened), r.missed, len(r.events), len(r.ended))
	}
	if name := r.events[eventsARound-1].name; len(name) != shownOfName {
		t.Errorf("of a name %d bytes are noted", len(name))
	}
	w.forget(sockets...)
	if len(w.shown) > 0 {
		t.Errorf("%d are still shown", len(w.shown))
	}
	w.take()
	w.Received(sockets[0], "after all have gone")
	if r := w.take(); len(r.events)+len(r.opened)+len(r.ended) > 0 {
		t.Errorf("noted for nobody: %+v", r)
	}
}

// TestWatcherLeavesOutItself: what admins are told is not told to them.
func TestWatcherLeavesOutItself(t *testing.T) {
	t.Parallel()
	w := watcher{shown: make(map[realtime.Socket]int)}
	own := many(1, Namespace)
	w.show(own[0])
	w.begin()
	w.Received(own[0], "_disconnect")
	w.Sent("server_stats", slices.Values(own))
	if r := w.take(); len(r.events) > 0 {
		t.Errorf("told: %+v", r.events)
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]view{
		"": {}, "root": {}, "  ": {}, "page 1": {}, " page  7 ": {page: 6}, "page 0": {}, "page -1": {}, "page x": {}, "page 99999999999999": {},
		"user:ada": {room: "user:ada"}, " chat:dm:a:b ": {room: "chat:dm:a:b"}, "page 2:": {room: "page 2:"},
	} {
		if got := viewOf(text); got != want {
			t.Errorf("%q shows %+v, want %+v", text, got, want)
		}
	}
}

// TestQueriesAreNotShown but for what the protocol has there.
func TestQueriesAreNotShown(t *testing.T) {
	t.Parallel()
	got := queryOf("EIO=4&transport=polling&token=a.b.c&batch=true&%zz=1&EIO=5")
	if diff := cmp.Diff(map[string]string{"EIO": "4", "transport": "polling", "token": "(not shown)", "batch": "(not shown)"}, got); diff != "" {
		t.Error(diff)
	}
	long := queryOf(strings.Repeat("a", 1000) + "=1&" + strings.Join(strings.Split(strings.Repeat("x", 100), ""), "1=&"))
	if len(long) > maxParameters {
		t.Errorf("%d parameters are shown", len(long))
	}
	for name := range long {
		if len(name) > shownOfText {
			t.Errorf("a name of %d bytes is shown", len(name))
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	connection := realtime.Connection{ID: "node-1.abcdefghijklmnopqrstuv"}
	for namespace, want := range map[string]string{"/": "abcdefgh", "/chat": "abcdefgh.chat", "/a/b": "abcdefgh.a.b"} {
		if got := idOf(connection, namespace); got != want {
			t.Errorf("%s: %s, want %s", namespace, got, want)
		}
	}
}
