package people_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/roles"
	"rolecall/internal/services/people"
)

// TestGrace: who has gone is told to have gone when they have had time to come back, and whoever is back in time is not told of at all.
func TestGrace(t *testing.T) {
	t.Parallel()
	const grace = 3 * time.Second
	second := strings.Repeat("1", 12) // and 80 ms
	for name, test := range map[string]struct {
		script string
		want   []string
	}{
		"comes and stays":            {"+" + second, []string{"+ at 0s"}},
		"comes and goes":             {"+1-" + second + second + second + second, []string{"+ at 0s", "- at 3.09s"}},
		"reloads the page":           {"+" + second + "-1+" + second + second + second + second, []string{"+ at 0s"}},
		"flaps":                      {"+" + strings.Repeat("1-1+", 20) + second + second + second + second, []string{"+ at 0s"}},
		"flaps, and goes":            {"+" + strings.Repeat("1-1+", 5) + "-" + second + second + second + second, []string{"+ at 0s", "- at 3.9s"}},
		"is back too late":           {"+" + second + "-" + second + second + second + "+" + second, []string{"+ at 0s", "- at 4.08s", "+ at 5.08s"}},
		"the second socket stays":    {"++1-" + second + second + second + second, []string{"+ at 0s"}},
		"the second goes later":      {"++1-" + second + second + "-" + second + second + second, []string{"+ at 0s", "- at 5.25s"}},
		"came, and was gone at once": {"+-" + second + second + second + second, []string{"- at 3s"}},
		"another comes meanwhile":    {"+1-" + second + "2" + second + second + second, []string{"+ at 0s", "+ at 1.17s", "- at 3.09s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHeld()
				h.Service = people.New(&h.timeline, &h.timeline, &h.timeline, &h.sockets, people.Options{
					Logger: slog.New(slog.DiscardHandler), Grace: grace, Here: h.sockets.has,
				})
				for _, part := range strings.SplitAfter(test.script, "2") {
					h.play(t.Context(), person("amy", roles.Driver, "acme"), strings.TrimSuffix(part, "2"))
					if strings.HasSuffix(part, "2") {
						h.play(t.Context(), person("bob", roles.Driver, "acme"), "+1")
					}
				}
				if diff := cmp.Diff(test.want, h.changes()); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
				closeHeld(t, h)
				if h.Known() > 0 && !h.sockets.has("amy") && !h.sockets.has("bob") {
					t.Errorf("%d people are remembered", h.Known())
				}
			})
		})
	}
}

// TestGraceEndsWithTheServer: at the end nobody is waited for.
func TestGraceEndsWithTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		h.Service = people.New(&h.timeline, &h.timeline, &h.timeline, &h.sockets, people.Options{
			Logger: slog.New(slog.DiscardHandler), Grace: time.Minute, Here: h.sockets.has,
		})
		h.play(t.Context(), person("amy", roles.Driver, "acme"), "+1-1")
		if around, err := h.Around(t.Context(), person("boss", roles.Admin, "")); err != nil || !slices.Contains(ids(around), "amy") {
			t.Errorf("within the grace: %v, %v", ids(around), err)
		}
		closeHeld(t, h)
		if diff := cmp.Diff([]string{"+ at 0s", "- at 180ms"}, h.changes()); diff != "" || h.Known() > 0 {
			t.Errorf("%d are remembered, told (-want +got):\n%s", h.Known(), diff)
		}
	})
}
