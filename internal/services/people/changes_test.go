package people_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
	"rolecall/test/servicetest"
)

// timeline is the Emitter, the Watcher and the Store of a service: it writes down what is told, and when.
type timeline struct {
	broken
	began time.Time

	mu     sync.Mutex
	told   []telling
	events int // in which it was told
	driven []string
	saved  map[string]people.User
}

// telling is a change as people hear of it.
type telling struct {
	at     time.Duration // since the beginning
	change string        // + or - and the user's id
	rooms  string
}

func (l *timeline) Emit(_ context.Context, event string, payload any, to []roles.Room, _ ...roles.Room) {
	type user struct{ UserID string }
	var told struct {
		user
		Online, Offline []user
	}
	if err := json.Unmarshal([]byte(servicetest.Encode(payload)), &told); err != nil {
		panic(err)
	}
	switch event {
	case people.EventOffline:
		told.Offline = []user{told.user}
	case people.EventOnline:
		told.Online = []user{told.user}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events++
	rooms := strings.Join(roles.Names(to), " ")
	for _, gone := range told.Offline {
		l.told = append(l.told, telling{time.Since(l.began), "-" + gone.UserID, rooms})
	}
	for _, here := range told.Online {
		l.told = append(l.told, telling{time.Since(l.began), "+" + here.UserID, rooms})
	}
}

func (l *timeline) CameOnline(_ context.Context, who auth.Identity)  { l.drove("+" + who.UserID) }
func (l *timeline) WentOffline(_ context.Context, who auth.Identity) { l.drove("-" + who.UserID) }

func (l *timeline) drove(change string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.driven = append(l.driven, change)
}

func (l *timeline) SaveUsers(_ context.Context, users []people.User) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.saved == nil {
		l.saved = make(map[string]people.User)
	}
	for _, user := range users {
		l.saved[user.UserID] = user
	}
	return nil
}

func (l *timeline) Peers(context.Context, []string, int) (map[string][]string, error) {
	return nil, nil
}

// held is a service that tells of changes once a second, with its surroundings.
type held struct {
	*people.Service
	timeline
	sockets sockets
}

func newHeld() *held {
	h := &held{timeline: timeline{began: time.Now()}}
	h.Service = people.New(&h.timeline, &h.timeline, &h.timeline, &h.sockets, people.Options{
		Logger: slog.New(slog.DiscardHandler), Drivers: &h.timeline,
	})
	return h
}

func closeHeld(t *testing.T, h *held) {
	t.Helper()
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// step is the wait of a script. No second is a multiple of it, so that scripts and timers do not meet.
const step = 90 * time.Millisecond

// play does what a script says: + and - are a socket of the person that comes or goes, 1 is a step's wait.
func (h *held) play(ctx context.Context, who auth.Identity, script string) {
	for _, turn := range script {
		switch turn {
		case '+':
			h.sockets.add(who, 1)
			h.Came(ctx, who)
		case '-':
			h.sockets.add(who, -1)
			h.Went(ctx, who)
		default:
			time.Sleep(step)
			synctest.Wait()
		}
	}
}

// changes is what was told, as "+ at 0s".
func (h *held) changes() []string {
	found := []string{}
	for _, t := range h.told {
		found = append(found, fmt.Sprintf("%.1s at %s", t.change, t.at))
	}
	return found
}

func TestChangesAreToldOnceASecond(t *testing.T) {
	t.Parallel()
	const second = "111111111111" // and 80 ms
	for name, test := range map[string]struct {
		script string
		want   []string
	}{
		"one who comes":             {"+1", []string{"+ at 0s"}},
		"one who comes and stays":   {"+" + second + second, []string{"+ at 0s"}},
		"comes and goes at once":    {"+-" + second, []string{"- at 0s"}},
		"comes and goes":            {"+1-" + second, []string{"+ at 0s", "- at 1s"}},
		"goes a while later":        {"+" + second + "-1", []string{"+ at 0s", "- at 1.08s"}},
		"is back in time":           {"+1-1+" + second, []string{"+ at 0s"}},
		"a reload of the page":      {"+" + second + "-1+" + second, []string{"+ at 0s", "- at 1.08s", "+ at 2.08s"}},
		"a second is what was told": {"+11111-" + second + "+" + second, []string{"+ at 0s", "- at 1s", "+ at 2s"}},
		"flaps for 1.8 s":           {strings.Repeat("+1-1", 10) + second, []string{"+ at 0s", "- at 1s", "- at 2s"}},
		"flaps, and stays":          {strings.Repeat("+-1", 20) + "+" + second + second, []string{"- at 0s", "- at 1s", "+ at 2s"}},
		"a second socket":           {"++1-1+1-" + second + "-" + second, []string{"+ at 0s", "- at 2s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHeld()
				h.play(t.Context(), person("amy", roles.Driver, "acme"), test.script)
				if diff := cmp.Diff(test.want, h.changes()); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
				closeHeld(t, h)
			})
		})
	}
}

// TestLastWord: at the end what is held back is told, and nothing is held back any more.
func TestLastWord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		amy := person("amy", roles.Driver, "acme")
		h.play(t.Context(), amy, "+1-")
		closeHeld(t, h)
		h.play(t.Context(), amy, "+-+-")
		closeHeld(t, h) // again does no harm
		if n := h.Known(); n != 0 {
			t.Errorf("%d people are still remembered", n)
		}
		want := []string{"+ at 0s", "- at 90ms", "+ at 90ms", "- at 90ms", "+ at 90ms", "- at 90ms"}
		if diff := cmp.Diff(want, h.changes()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// TestAnotherToken: who comes with a token of another company or role has gone from the old one, in the same round; whoever heard of a coming hears of the going, and no one else.
func TestAnotherToken(t *testing.T) {
	t.Parallel()
	const second = "111111111111" // and 80 ms
	acme, umbra := person("amy", roles.Driver, "acme"), person("amy", roles.Driver, "umbra")
	vendor, renamed := person("amy", roles.Vendor, ""), person("amy", roles.Driver, "acme")
	renamed.Username = "Amelia"
	type turn struct {
		who    auth.Identity
		script string
	}
	for name, test := range map[string]struct {
		turns  []turn
		heard  []string // + or - and who, but for the admins
		driven []string
		saved  auth.Identity
	}{
		"another company, later":      {[]turn{{acme, "+" + second + "-" + second}, {umbra, "+" + second + "-" + second}}, []string{"+acme", "-acme", "+umbra", "-umbra"}, []string{"+amy", "-amy", "+amy", "-amy"}, umbra},
		"another company, at once":    {[]turn{{acme, "+1-"}, {umbra, "+" + second + "1-" + second}}, []string{"+acme", "-acme", "+umbra", "-umbra"}, []string{"+amy", "-amy", "+amy", "-amy"}, umbra},
		"another company, and gone":   {[]turn{{acme, "+1-"}, {umbra, "+-" + second}}, []string{"+acme", "-acme"}, []string{"+amy", "-amy"}, umbra},
		"the old socket leaves last":  {[]turn{{acme, "+" + second}, {umbra, "+" + second + "-" + second}, {acme, "-" + second}}, []string{"+acme", "-acme", "+umbra", "-umbra"}, []string{"+amy", "-amy", "+amy", "-amy"}, umbra},
		"the old socket leaves later": {[]turn{{acme, "+1"}, {umbra, "+1"}, {acme, "-" + second + second}}, []string{"+acme", "-acme", "+umbra"}, []string{"+amy", "-amy", "+amy"}, umbra},
		"a driver turned vendor":      {[]turn{{acme, "+1-"}, {vendor, "+" + second + "1-" + second}}, []string{"+acme", "-acme", "+", "-"}, []string{"+amy", "-amy"}, vendor},
		"a vendor turned driver":      {[]turn{{vendor, "+1-"}, {acme, "+" + second + "1-" + second}}, []string{"+", "-", "+acme", "-acme"}, []string{"+amy", "-amy"}, acme},
		"another name":                {[]turn{{acme, "+1-"}, {renamed, "+" + second + second}}, []string{"+acme"}, []string{"+amy"}, renamed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHeld()
				for _, turn := range test.turns {
					h.play(t.Context(), turn.who, turn.script)
				}
				heard := []string{}
				for _, told := range h.told {
					_, company, _ := strings.Cut(told.rooms, "company:")
					heard = append(heard, told.change[:1]+company)
				}
				if diff := cmp.Diff(test.heard, heard); diff != "" {
					t.Errorf("heard (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(test.driven, h.driven); diff != "" {
					t.Errorf("the watcher of drivers heard (-want +got):\n%s", diff)
				}
				closeHeld(t, h) // writes what has been seen
				saved := h.saved["amy"]
				if saved.Username != test.saved.Username || saved.CompanyID != test.saved.CompanyID || saved.Role != test.saved.Role {
					t.Errorf("saved %+v", saved)
				}
			})
		})
	}
}

// TestRoundRule plays any coming and going of a few crowd, also at the very same time: of nobody two changes are told
// within a second, they alternate, the watcher of drivers hears the same ones, and in the end what was told is true.
func TestRoundRule(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		names := []string{"amy", "bob"}
		scripts := make(map[string][]string) // by person, what each of its sockets does
		for _, id := range names {
			for range rapid.IntRange(1, 3).Draw(r, "sockets of "+id) {
				turns := rapid.SliceOfN(rapid.IntRange(0, 14), 1, 8).Draw(r, "pauses")
				var script strings.Builder
				for i, pause := range turns {
					script.WriteString(strings.Repeat("1", pause) + string("+-"[i%2]))
				}
				scripts[id] = append(scripts[id], script.String())
			}
		}
		var h *held
		synctest.Test(t, func(t *testing.T) {
			h = newHeld()
			var together sync.WaitGroup
			for id, sockets := range scripts {
				for _, script := range sockets {
					together.Go(func() { h.play(t.Context(), person(id, roles.Driver, "acme"), strings.ReplaceAll(script, "1", "")) })
				}
			}
			together.Wait()
			for id, sockets := range scripts {
				for _, script := range sockets {
					h.play(t.Context(), person(id, roles.Driver, "acme"), "1"+script)
				}
			}
			time.Sleep(2 * people.DefaultEvery)
			synctest.Wait()
			closeHeld(t, h)
		})
		checkRoundRule(r, h, names)
	})
}

func checkRoundRule(r *rapid.T, h *held, names []string) {
	for _, id := range names {
		var last telling // - at the beginning, without being told
		var told []string
		for _, t := range h.told {
			if t.change[1:] != id {
				continue
			}
			if len(told) > 0 && t.at-last.at < people.DefaultEvery {
				r.Fatalf("%s was told at %s and %s at %s", last.change, last.at, t.change, t.at)
			}
			if last.change == t.change && t.change[0] == '+' {
				r.Fatalf("%s was told after %q", t.change, last.change)
			}
			told, last = append(told, t.change), t
		}
		driven := slices.DeleteFunc(slices.Clone(h.driven), func(change string) bool { return change[1:] != id })
		if !slices.Equal(told, driven) {
			r.Fatalf("people heard %v, the watcher of drivers %v", told, driven)
		}
		is := h.sockets.has(id)
		if toldOnline := strings.HasPrefix(last.change, "+"); toldOnline != is {
			r.Fatalf("%s: told %q last, is online: %v", id, last.change, is)
		}
	}
}
