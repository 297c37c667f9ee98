package admission_test

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/admission"
)

func from(remote string) *http.Request { return &http.Request{RemoteAddr: remote} }

func TestSessionsOfAnAddress(t *testing.T) {
	s := admission.NewSessions(2)
	first, ok := s.Admit(from("198.51.100.1:1"))
	if !ok {
		t.Fatal("the first session is refused")
	}
	if _, ok := s.Admit(from("198.51.100.1:2")); !ok {
		t.Fatal("the second session is refused")
	}
	if release, ok := s.Admit(from("198.51.100.1:3")); ok || release != nil {
		t.Error("a third session is admitted")
	}
	if _, ok := s.Admit(from("198.51.100.2:1")); !ok {
		t.Error("another address is refused")
	}
	first()
	first() // frees nothing more
	if _, ok := s.Admit(from("198.51.100.1:4")); !ok {
		t.Error("refused though a session has ended")
	}
	if _, ok := s.Admit(from("198.51.100.1:5")); ok {
		t.Error("one session's end has made room for two")
	}
}

// Any sequence of beginnings and ends keeps to the bound, and no address is remembered without a session.
func TestSessionsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 4).Draw(t, "most")
		s := admission.NewSessions(most)
		releases := make(map[string][]func())
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			address := "[2001:db8:0:" + strconv.Itoa(rapid.IntRange(0, 2).Draw(t, "network")) + "::1]:9"
			open := releases[address]
			if rapid.Bool().Draw(t, "ends") {
				if len(open) > 0 {
					open[0]()
					releases[address] = open[1:]
				}
				continue
			}
			release, ok := s.Admit(from(address))
			if ok != (len(open) < most) {
				t.Fatalf("with %d of %d open: admitted is %t", len(open), most, ok)
			}
			if ok {
				releases[address] = append(open, release)
			}
		}
		for _, open := range releases {
			for _, release := range open {
				release()
			}
		}
		if s.Len() != 0 {
			t.Fatalf("%d addresses are remembered without a session", s.Len())
		}
	})
}

func TestSessionsConcurrently(t *testing.T) {
	const most, callers = 5, 8
	s := admission.NewSessions(most)
	var all sync.WaitGroup
	var open, admitted atomic.Int64
	for range callers {
		all.Go(func() {
			for range 500 {
				release, ok := s.Admit(from("198.51.100.1:1"))
				if !ok {
					continue
				}
				admitted.Add(1)
				if now := open.Add(1); now > most {
					t.Errorf("%d sessions are open at once", now)
				}
				open.Add(-1)
				release()
			}
		})
	}
	all.Wait()
	if s.Len() != 0 || admitted.Load() == 0 {
		t.Errorf("%d addresses remembered, %d admitted", s.Len(), admitted.Load())
	}
}
