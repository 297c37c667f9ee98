// Package storetest holds every store to the promises of the services' store interfaces. A store's own tests call Run
// and RunReopened; nothing in the suite knows a database.
package storetest

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/administration"
	"rolecall/internal/services/attachments"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
)

// Store is what one database keeps for all services.
type Store struct {
	Chat     chat.Store
	Groups   groups.Store
	Notices  notices.Store
	People   people.Store
	Tracking tracking.Store

	Conversations people.Conversations
	// Lists has the conversations of people.
	Lists conversations.Store
	// Search finds messages.
	Search search.Store
	// Administration has what was revoked, and what admins do.
	Administration administration.Store
	// Attachments has what people have uploaded.
	Attachments attachments.Store
}

// tester is what the helpers need of *testing.T and *rapid.T.
type tester interface {
	Helper()
	Context() context.Context
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// promise is one sub-test, run against a new and empty store.
type promise struct {
	name string
	test func(t *testing.T, store Store)
}

// Run checks every promise, or those of some domains: of a store that keeps no others. Each call of open returns a new and
// empty store, closed at the end of t.
func Run(t *testing.T, open func(t *testing.T) Store, some ...string) {
	t.Helper()
	boundChecks()
	for _, domain := range []struct {
		name     string
		promises []promise
	}{
		{"positions", positionPromises()},
		{"messages", slices.Concat(messagePromises(), amendmentPromises(), syncPromises())},
		{"rooms", slices.Concat(roomPromises(), groupPromises())},
		{"conversations", conversationPromises()},
		{"search", searchPromises()},
		{"attachments", attachmentPromises()},
		{"notices", noticePromises()},
		{"inbox", inboxPromises()},
		{"users", userPromises()},
		{"administration", administrationPromises()},
		{"concurrency", concurrencyPromises()},
	} {
		if len(some) > 0 && !slices.Contains(some, domain.name) {
			continue
		}
		t.Run(domain.name, func(t *testing.T) {
			for _, p := range domain.promises {
				t.Run(p.name, func(t *testing.T) { p.test(t, open(t)) })
			}
		})
	}
}

// hostileTexts are what people and attackers send; each must come back byte for byte.
func hostileTexts() map[string]string {
	return map[string]string{
		"plain":          "On my way",
		"nul":            "before\x00after\x00",
		"controls":       "\a\b\t\r\n\x1b[31m\x7f",
		"astral":         "🚚🧑🏽‍✈️𝕏 𐍈 \U0010FFFF",
		"stacked marks":  "Z" + strings.Repeat("\u0337\u0352\u0489", 60) + "algo",
		"bidi":           "\u202Eevoba\u202C \u2066\u05E9\u05DC\u05D5\u05DD\u2069 \u200F\u061C",
		"zero width":     "a\u200Bb\u200Dc\uFEFFd",
		"line breaks":    "a\u2028b\u2029c\u0085d",
		"not normalised": "e\u0301 \u00E9 \u212B",
		"SQL":            `'); DROP TABLE messages; -- "quoted" ? ?1 :a @b $c %s %_\`,
		"markup":         `<script>alert("&amp;")</script>`,
		"spaces":         " \t leading and trailing \u00A0 ",
		"noncharacters":  "\uFFFD\uFFFE\uFFFF",
		"longest":        strings.Repeat("𝄞", 5000),
	}
}

// bitEqual compares floats by their bits, so that 0 and -0 differ.
func bitEqual() cmp.Option {
	return cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })
}

func check(t tester, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// same fails the test where got differs from want.
func same(t tester, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, bitEqual(), cmpopts.EquateComparable(roles.ChatRoom{}),
		cmpopts.IgnoreUnexported(fault.Error{})); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// allPages is a listing from a place on, put together from its pages, each of which goes on behind the last item of the
// one before. It fails the test where a page is longer than the limit, is nil, or leads nowhere.
func allPages[T any, P comparable](
	t tester, what string, limit int, start P, list func(from P) ([]T, error), place func(T) P,
) []T {
	t.Helper()
	all := []T{}
	for {
		page, err := list(start)
		check(t, what, err)
		if page == nil || len(page) > limit {
			t.Fatalf("%s: a page of %d (nil: %t), asked for %d", what, len(page), page == nil, limit)
		}
		all = append(all, page...)
		if len(page) < limit {
			return all
		}
		next := place(page[len(page)-1])
		if next == start {
			t.Fatalf("%s: a place that leads nowhere", what)
		}
		start = next
	}
}

func ptr[T any](value T) *T { return &value }
