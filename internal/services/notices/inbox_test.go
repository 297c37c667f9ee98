package notices_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
)

func TestInboxPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	amy := person("amy", roles.Driver)
	var made []notices.Notice
	var all []string
	for i := range 7 {
		n, _ := b.create(t, toAll(fmt.Sprint(i)), "")
		made, all = append(made, n), append(all, n.Title)
		b.create(t, notices.Draft{Title: "not amy's", Audience: notices.Audience{Users: []string{"bob"}}}, "")
	}
	for _, limit := range []int{1, 2, 3, 6, 7, 8} {
		var seen []string
		query := notices.InboxQuery{Limit: page.Limit(limit)}
		for more := true; more; {
			inbox, err := b.Inbox(t.Context(), amy, query)
			if err != nil || inbox.Unread != 7 || len(inbox.Notices) > limit || len(inbox.Notices) == 0 {
				t.Fatalf("pages of %d: %+v, %v", limit, inbox, err)
			}
			seen = append(seen, titles(inbox.Notices)...)
			query.Before, more = inbox.Notices[len(inbox.Notices)-1].ID, inbox.HasMore
		}
		if diff := cmp.Diff(all, seen); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", limit, diff)
		}
		last, err := b.Inbox(t.Context(), amy, query)
		if err != nil || last.Notices == nil || len(last.Notices) != 0 || last.HasMore || last.Unread != 7 {
			t.Errorf("behind the last page: %+v, %v", last, err)
		}
	}
	// A page goes on behind a notice that has been read or retracted meanwhile.
	if _, err := b.MarkRead(t.Context(), amy, notices.Reading{IDs: []string{made[2].ID}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Retract(t.Context(), admin(), made[3].ID); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{2, 3} {
		inbox, err := b.Inbox(t.Context(), amy, notices.InboxQuery{Before: made[at].ID})
		if diff := cmp.Diff([]string{"4", "5", "6"}, titles(inbox.Notices)); diff != "" || err != nil || inbox.Unread != 5 {
			t.Errorf("behind %d: %d unread, %v (-want +got):\n%s", at, inbox.Unread, err, diff)
		}
	}
	if _, err := b.Inbox(t.Context(), amy, notices.InboxQuery{Before: "nonsense"}); code(err) != fault.InvalidPayload || fault.From(err).Field != "before" {
		t.Errorf("behind no notice: %v, want invalid_payload at before, which is what the caller has sent", err)
	}
}

func TestInboxPageSizes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range notices.MaxPage + 1 {
		b.create(t, toAll(fmt.Sprint(i)), "")
	}
	for limit, want := range map[int]int{0: notices.DefaultPage, -1: notices.DefaultPage, 1: 1, 100: 100} {
		inbox, err := b.Inbox(t.Context(), admin(), notices.InboxQuery{Limit: page.Limit(limit)})
		if err != nil || len(inbox.Notices) != want || !inbox.HasMore || inbox.Unread != notices.MaxPage+1 {
			t.Errorf("limit %d: %d notices, more %v, %d unread, %v", limit, len(inbox.Notices), inbox.HasMore, inbox.Unread, err)
		}
		list, next, err := b.List(t.Context(), admin(), page.Request{Limit: limit})
		if err != nil || len(list) != want || next == "" || list[0].Title != fmt.Sprint(notices.MaxPage) {
			t.Errorf("list, limit %d: %d notices, cursor %q, %v", limit, len(list), next, err)
		}
	}
	// The largest pages end where page.MaxBytes has them end, and the next ones go on there.
	for _, limit := range []int{notices.MaxPage, notices.MaxPage + 1} {
		seen, before := 0, ""
		for more := true; more; {
			inbox, err := b.Inbox(t.Context(), admin(), notices.InboxQuery{Limit: page.Limit(limit), Before: before})
			if err != nil || len(inbox.Notices) <= 100 && inbox.HasMore || len(inbox.Notices) > notices.MaxPage {
				t.Fatalf("limit %d behind %d: %d notices, more %v, %v", limit, seen, len(inbox.Notices), inbox.HasMore, err)
			}
			for _, n := range inbox.Notices {
				if n.Title != fmt.Sprint(seen) {
					t.Fatalf("limit %d: notice %s in the place of %d", limit, n.Title, seen)
				}
				seen++
			}
			before, more = inbox.Notices[len(inbox.Notices)-1].ID, inbox.HasMore
		}
		if seen != notices.MaxPage+1 {
			t.Errorf("limit %d: %d notices on all pages", limit, seen)
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	short, long := toAll("short"), toAll("long")
	short.ExpiresAt, long.ExpiresAt = at(b.clock.Now().Add(time.Minute)), at(b.clock.Now().Add(time.Hour))
	b.create(t, short, "")
	b.create(t, long, "")
	b.create(t, toAll("for ever"), "")
	for _, step := range []struct {
		after time.Duration
		want  []string
	}{
		{time.Minute - time.Millisecond, []string{"short", "long", "for ever"}},
		{time.Millisecond, []string{"long", "for ever"}},
		{time.Hour, []string{"for ever"}},
	} {
		b.clock.pass(step.after)
		inbox, err := b.Inbox(t.Context(), person("amy", roles.Driver), notices.InboxQuery{})
		if diff := cmp.Diff(step.want, titles(inbox.Notices)); diff != "" || err != nil || inbox.Unread != len(step.want) {
			t.Errorf("%s later: %d unread, %v (-want +got):\n%s", step.after, inbox.Unread, err, diff)
		}
	}
}

// TestReadMarksAgainstASet reads, retracts, expires and creates in any order and holds the inboxes of two people
// against plain sets.
func TestReadMarksAgainstASet(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++ // with people of its own
		amy, bob := fmt.Sprintf("amy-%d", round), fmt.Sprintf("bob-%d", round)
		people := map[string]map[string]bool{amy: {}, bob: {}} // what each has unread
		var made []notices.Notice
		expiring := make(map[string]time.Time)
		check := func() {
			for name, unread := range people {
				inbox, err := b.Inbox(t.Context(), person(name, roles.Driver), notices.InboxQuery{Limit: notices.MaxPage})
				if err != nil {
					r.Fatal(err)
				}
				want := slices.DeleteFunc(slices.Sorted(maps.Keys(unread)), func(id string) bool {
					end, expires := expiring[id]
					return expires && !end.After(b.clock.Now())
				})
				got := []string{}
				for _, n := range inbox.Notices {
					got = append(got, n.ID)
				}
				if !slices.IsSortedFunc(inbox.Notices, func(x, y notices.Notice) int { return int(x.CreatedAt - y.CreatedAt) }) {
					r.Fatalf("%s: not oldest first: %v", name, titles(inbox.Notices))
				}
				slices.Sort(got)
				if !slices.Equal(got, want) || inbox.Unread != len(want) {
					r.Fatalf("%s has %v (%d), want %v", name, got, inbox.Unread, want)
				}
			}
		}
		pick := func() notices.Notice { return rapid.SampledFrom(made).Draw(r, "notice") }
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			b.clock.pass(time.Second)
			switch action := rapid.SampledFrom([]string{"create", "create", "read", "read all", "retract"}).Draw(r, "action"); {
			case action == "create" || len(made) == 0:
				only := rapid.SampledFrom([][]string{{amy, bob}, {amy}, {bob}}).Draw(r, "for")
				draft := notices.Draft{Title: "t", Audience: notices.Audience{Users: only}}
				if rapid.Bool().Draw(r, "expires") {
					draft.ExpiresAt = at(b.clock.Now().Add(4 * time.Second))
				}
				n, _ := b.create(t, draft, "")
				made = append(made, n)
				if n.ExpiresAt != 0 {
					expiring[n.ID] = time.UnixMilli(int64(n.ExpiresAt))
				}
				for name, unread := range people {
					if slices.Contains(only, name) {
						unread[n.ID] = true
					}
				}
			case action == "read" || action == "read all":
				name := rapid.SampledFrom([]string{amy, bob}).Draw(r, "who")
				ids := []string{pick().ID, "nonsense", pick().ID}
				if action == "read all" {
					for _, n := range made {
						ids = append(ids, n.ID)
					}
				}
				_, err := b.MarkRead(t.Context(), person(name, roles.Driver), notices.Reading{IDs: ids})
				if err != nil && code(err) != fault.NotFound {
					r.Fatal(err)
				}
				for _, id := range ids {
					delete(people[name], id)
				}
			case action == "retract":
				id := pick().ID
				if err := b.Retract(t.Context(), admin(), id); err != nil && code(err) != fault.NotFound {
					r.Fatal(err)
				}
				for _, unread := range people {
					delete(unread, id)
				}
			}
			check()
		}
	})
}

func TestMarkRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	amy := person("amy", roles.Driver)
	var made []notices.Notice
	for i := range 4 {
		n, _ := b.create(t, toAll(fmt.Sprint(i)), "")
		made = append(made, n)
	}
	bobs, _ := b.create(t, notices.Draft{Title: "t", Audience: notices.Audience{Users: []string{"bob"}}}, "")
	for _, test := range []struct {
		ids    []string
		unread int
		code   fault.Code
	}{
		{[]string{made[1].ID}, 3, ""},
		{[]string{made[1].ID}, 3, ""},
		{[]string{made[3].ID, made[3].ID, "nonsense", bobs.ID}, 2, ""},
		{[]string{bobs.ID}, 0, fault.NotFound},
		{[]string{"nonsense"}, 0, fault.NotFound},
		{[]string{}, 0, fault.InvalidPayload},
		{[]string{made[0].ID, made[2].ID}, 0, ""},
	} {
		unread, err := b.MarkRead(t.Context(), amy, notices.Reading{IDs: test.ids})
		if code(err) != test.code || unread != test.unread {
			t.Errorf("reading %v: %d unread, %v; want %d, %q", test.ids, unread, err, test.unread, test.code)
		}
	}
	inbox, err := b.Inbox(t.Context(), person("bob", roles.Vendor), notices.InboxQuery{})
	if err != nil || inbox.Unread != 5 {
		t.Errorf("what amy has read bob still has unread: %d, %v", inbox.Unread, err)
	}
}

// TestReadMarkWith moves marks over numbered inboxes of any shape: what counts as read is what was read, up to the
// bound on what is read ahead, and the mark stays small.
func TestReadMarkWith(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		inbox := rapid.SliceOfNDistinct(rapid.Int64Range(1, 60), 1, 30, rapid.ID).Draw(r, "inbox")
		slices.Sort(inbox)
		read := make(map[int64]bool)
		var mark notices.ReadMark
		for range rapid.IntRange(1, 6).Draw(r, "rounds") {
			now := rapid.SliceOfN(rapid.SampledFrom(inbox), 0, 8).Draw(r, "read")
			for _, seq := range now {
				read[seq] = true
			}
			firstUnread := int64(0)
			for _, seq := range inbox {
				if seq > mark.UpTo && !slices.Contains(mark.Ahead, seq) && !slices.Contains(now, seq) {
					firstUnread = seq
					break
				}
			}
			before := slices.Clone(mark.Ahead)
			next := mark.With(now, firstUnread)
			if !slices.Equal(before, mark.Ahead) {
				r.Fatal("the old mark was changed")
			}
			if next.UpTo < mark.UpTo || !slices.IsSorted(next.Ahead) || len(next.Ahead) > 0 && next.Ahead[0] <= next.UpTo {
				r.Fatalf("from %+v to %+v", mark, next)
			}
			mark = next
			for _, seq := range inbox {
				if is := seq <= mark.UpTo || slices.Contains(mark.Ahead, seq); is != read[seq] {
					r.Fatalf("%d counts as read: %v, was read: %v (%+v)", seq, is, read[seq], mark)
				}
			}
		}
	})
	var every []int64
	for seq := int64(2); len(every) < notices.MaxReadAhead; seq += 2 {
		every = append(every, seq)
	}
	mark := notices.ReadMark{}.With(every, 1)
	if mark.TooFarAhead() || !mark.With([]int64{1 << 40}, 1).TooFarAhead() {
		t.Error("the bound of a mark is not exact")
	}
}
