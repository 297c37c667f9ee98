package storetest

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
)

func inboxPromises() []promise {
	return []promise{
		{"an inbox holds what is addressed to its reader, once", inboxAddressed},
		{"an inbox leaves out what has expired", inboxExpired},
		{"an inbox is paged by the id of a notice", inboxPages},
		{"reading takes notices out", inboxRead},
		{"what is not addressed to the reader cannot be read", inboxForeign},
		{"reading ahead leaves the oldest unread", inboxFarAhead},
		{"reading too far ahead is refused", inboxTooFarAhead},
		{"all up to a number is read", inboxReadUpTo},
		{"who is seen for the first time begins with what is new", inboxBegun},
		{"a history holds what is read and what is not", inboxHistory},
		{"any sequence of calls agrees with a model", noticeModel},
	}
}

// standing is a driver of the company acme.
func standing(userID string) notices.Reader {
	return notices.Reader{UserID: userID, Rooms: roles.Standing(userID, roles.Driver, "acme")}
}

func inbox(t tester, store Store, reader notices.Reader, now int64, after string, limit int) ([]notices.Notice, int) {
	t.Helper()
	found, unread, err := store.Notices.Inbox(t.Context(), notices.InboxPage{
		Reader: reader, Now: now, AsOf: math.MaxInt64, After: after, Limit: limit,
	})
	check(t, "inbox", err)
	if found == nil {
		t.Fatal("the inbox is nil, want an empty slice")
	}
	return found, unread
}

func ids(found []notices.Notice) []string {
	all := make([]string, 0, len(found))
	for i := range found {
		all = append(all, found[i].ID)
	}
	return all
}

func markNotices(t tester, store Store, reader notices.Reader, now int64, ids ...string) (matched, unread int) {
	t.Helper()
	_, matched, err := store.Notices.MarkNoticesRead(t.Context(), notices.Marking{Reader: reader, IDs: ids})
	check(t, "mark notices read", err)
	unread, err = store.Notices.Unread(t.Context(), reader, math.MaxInt64, now)
	check(t, "unread", err)
	return matched, unread
}

func inboxAddressed(t *testing.T, store Store) {
	reader := standing("u1")
	for _, n := range []struct {
		id    string
		rooms []roles.Room
	}{
		{"to me", []roles.Room{roles.UserRoom("u1")}},
		{"to another", []roles.Room{roles.UserRoom("u2")}},
		{"to my role", []roles.Room{roles.RoleRoom(roles.Driver)}},
		{"to another role", []roles.Room{roles.RoleRoom(roles.Vendor)}},
		{"to my company", []roles.Room{roles.CompanyRoom("acme")}},
		{"to another company", []roles.Room{roles.CompanyRoom("acme2")}},
		{"to my role here", []roles.Room{roles.CompanyRoleRoom("acme", roles.Driver)}},
		{"in every way", reader.Rooms},
		{"to everyone", roles.Everyone()},
		{"to nobody", nil},
	} {
		create(t, store, addressed(n.id, n.rooms...))
	}
	want := []string{"to me", "to my role", "to my company", "to my role here", "in every way", "to everyone"}
	found, unread := inbox(t, store, reader, 0, "", 100)
	same(t, "inbox, oldest first", want, ids(found))
	same(t, "unread", len(want), unread)
	same(t, "a whole notice", noticeByID(t, store, "to me"), found[0])
	if found, unread := inbox(t, store, notices.Reader{UserID: "u1"}, 0, "", 100); len(found) != 0 || unread != 0 {
		t.Fatalf("a reader without rooms has %d notices, %d unread", len(found), unread)
	}
}

func inboxExpired(t *testing.T, store Store) {
	reader := standing("u1")
	for _, expiresAt := range []int64{0, 100, 200} {
		n := addressed(fmt.Sprintf("until %d", expiresAt), reader.Rooms[0])
		n.ExpiresAt = instant.Stamp(expiresAt)
		create(t, store, n)
	}
	for _, test := range []struct {
		now  int64
		want []string
	}{
		{99, []string{"until 0", "until 100", "until 200"}},
		{100, []string{"until 0", "until 200"}},
		{199, []string{"until 0", "until 200"}},
		{1 << 60, []string{"until 0"}},
	} {
		found, unread := inbox(t, store, reader, test.now, "", 100)
		same(t, fmt.Sprintf("at %d", test.now), test.want, ids(found))
		same(t, "unread", len(test.want), unread)
	}
	// Whoever reads a notice in the moment it expires has read it.
	matched, unread := markNotices(t, store, reader, 150, "until 100")
	same(t, "matched and unread", [2]int{1, 2}, [2]int{matched, unread})
}

func inboxPages(t *testing.T, store Store) {
	reader := standing("u1")
	for i := range 5 {
		create(t, store, addressed(fmt.Sprintf("n%d", i), reader.Rooms...))
		create(t, store, addressed(fmt.Sprintf("foreign%d", i), "user:u2"))
	}
	for _, test := range []struct {
		after string
		limit int
		want  []string
	}{
		{"", 2, []string{"n0", "n1"}},
		{"n1", 2, []string{"n2", "n3"}},
		{"n3", 2, []string{"n4"}},
		{"n4", 2, []string{}},
		{"foreign1", 2, []string{"n2", "n3"}},
		{"", 0, []string{}},
	} {
		found, unread := inbox(t, store, reader, 0, test.after, test.limit)
		same(t, fmt.Sprintf("%d after %q", test.limit, test.after), test.want, ids(found))
		same(t, "unread counts all pages", 5, unread)
	}
	markNotices(t, store, reader, 0, "n0", "n1", "n3")
	found, _ := inbox(t, store, reader, 0, "n0", 10)
	same(t, "after one that is read", []string{"n2", "n4"}, ids(found))
	retract(t, store, "n2", 1)
	found, _ = inbox(t, store, reader, 0, "n2", 10)
	same(t, "after one that was retracted", []string{"n4"}, ids(found))
	for _, unknown := range []string{"unknown", " ", "n", "n0\x00"} {
		_, _, err := store.Notices.Inbox(t.Context(), notices.InboxPage{Reader: reader, After: unknown, Limit: 10})
		if !errors.Is(err, notices.ErrNoSuchNotice) {
			t.Errorf("after %q: error %v, want ErrNoSuchNotice", unknown, err)
		}
	}
}

func inboxRead(t *testing.T, store Store) {
	me, other := standing("u1"), standing("u2")
	for i := range 6 {
		create(t, store, addressed(fmt.Sprintf("n%d", i), roles.RoleRoom(roles.Driver)))
	}
	for _, step := range []struct {
		read            []string
		matched, unread int
		left            []string
	}{
		{nil, 0, 6, []string{"n0", "n1", "n2", "n3", "n4", "n5"}},
		{[]string{"n3"}, 1, 5, []string{"n0", "n1", "n2", "n4", "n5"}},
		{[]string{"n3"}, 1, 5, []string{"n0", "n1", "n2", "n4", "n5"}},
		{[]string{"n0", "n0", "n1", "unknown"}, 2, 3, []string{"n2", "n4", "n5"}},
		{[]string{"n5"}, 1, 2, []string{"n2", "n4"}},
		{[]string{"n2", "n4"}, 2, 0, []string{}},
		{[]string{"n0", "n5"}, 2, 0, []string{}},
	} {
		matched, unread := markNotices(t, store, me, 0, step.read...)
		same(t, fmt.Sprintf("read %v: matched, unread", step.read), [2]int{step.matched, step.unread}, [2]int{matched, unread})
		found, unread := inbox(t, store, me, 0, "", 100)
		same(t, fmt.Sprintf("left after reading %v", step.read), step.left, ids(found))
		same(t, "unread", step.unread, unread)
	}
	create(t, store, addressed("later", roles.RoleRoom(roles.Driver)))
	found, _ := inbox(t, store, me, 0, "", 100)
	same(t, "what came later", []string{"later"}, ids(found))
	if _, unread := inbox(t, store, other, 0, "", 0); unread != 7 {
		t.Fatalf("what one reader has read, another has not: %d unread, want 7", unread)
	}
}

func inboxForeign(t *testing.T, store Store) {
	reader := standing("u1")
	create(t, store, addressed("foreign", "user:u2"))
	create(t, store, addressed("mine", "user:u1"))
	create(t, store, addressed("retracted", "user:u1"))
	retract(t, store, "retracted", 1)
	for _, test := range []struct {
		read    []string
		matched int
	}{
		{[]string{"foreign"}, 0}, {[]string{"unknown", ""}, 0}, {[]string{"retracted"}, 0},
		{[]string{"mine\x00"}, 0}, {[]string{`"]`, "%", "mine'"}, 0},
	} {
		matched, unread := markNotices(t, store, reader, 0, test.read...)
		same(t, fmt.Sprintf("read %q: matched, unread", test.read), [2]int{test.matched, 1}, [2]int{matched, unread})
	}
	if _, unread := inbox(t, store, standing("u2"), 0, "", 0); unread != 1 {
		t.Fatalf("another reader's notice was read: %d unread, want 1", unread)
	}
}

// inboxFarAhead reads all but the oldest of many notices.
func inboxFarAhead(t *testing.T, store Store) {
	const many = 300
	reader := standing("u1")
	var all []string
	for i := range many {
		id := fmt.Sprintf("n%04d", i)
		all = append(all, id)
		create(t, store, addressed(id, "user:u1"))
	}
	matched, unread := markNotices(t, store, reader, 0, all[1:]...)
	same(t, "all but the oldest", [2]int{many - 1, 1}, [2]int{matched, unread})
	found, _ := inbox(t, store, reader, 0, "", 1)
	same(t, "the oldest is unread", []string{"n0000"}, ids(found))
}

// inboxTooFarAhead reads more notices beyond the oldest unread one than a mark may list: nothing is read, and nothing
// is forgotten.
func inboxTooFarAhead(t *testing.T, store Store) {
	reader := standing("u1")
	const count = notices.MaxReadAhead + 2
	all := make([]string, 0, count)
	for i := range count {
		id := fmt.Sprintf("n%05d", i)
		all = append(all, id)
		create(t, store, addressed(id, "user:u1"))
	}
	matched, unread := markNotices(t, store, reader, 0, all[1:count-1]...)
	same(t, "as far as a mark may list", [2]int{notices.MaxReadAhead, 2}, [2]int{matched, unread})
	if _, _, err := store.Notices.MarkNoticesRead(t.Context(), notices.Marking{Reader: reader, IDs: all[count-1:]}); !errors.Is(err, notices.ErrTooFarAhead) {
		t.Errorf("one more: %v, want ErrTooFarAhead", err)
	}
	found, unread := inbox(t, store, reader, 0, "", 10)
	same(t, "still unread", []string{all[0], all[count-1]}, ids(found))
	same(t, "unread", 2, unread)
	// Reading all is a way out, and so is reading the oldest.
	mark, _, err := store.Notices.MarkNoticesRead(t.Context(), notices.Marking{Reader: reader, UpTo: math.MaxInt32})
	check(t, "read all", err)
	same(t, "the mark after reading all", 0, len(mark.Ahead))
}

// inboxReadUpTo reads all that there is at a moment, and some of what comes later before that.
func inboxReadUpTo(t *testing.T, store Store) {
	reader := standing("u1")
	for i := range 6 {
		create(t, store, addressed(fmt.Sprintf("n%d", i), "user:u1"))
		create(t, store, addressed(fmt.Sprintf("foreign%d", i), "user:u2"))
	}
	seqs := map[string]int64{}
	all, err := store.Notices.Notices(t.Context(), math.MaxInt64, 100)
	check(t, "notices", err)
	for _, n := range all {
		seqs[n.ID] = n.Seq
	}
	markNotices(t, store, reader, 0, "n1", "n4")
	for _, step := range []struct {
		upTo int64
		left []string
	}{
		{0, []string{"n0", "n2", "n3", "n5"}},
		{seqs["n2"], []string{"n3", "n5"}},
		{seqs["n0"], []string{"n3", "n5"}}, // a mark does not go back
		{seqs["n3"], []string{"n5"}},
		{seqs["foreign5"], []string{}},
	} {
		mark, matched, err := store.Notices.MarkNoticesRead(t.Context(), notices.Marking{Reader: reader, UpTo: step.upTo})
		check(t, "read up to", err)
		same(t, "matched", 0, matched)
		if mark.UpTo < step.upTo {
			t.Fatalf("the mark is at %d after reading up to %d", mark.UpTo, step.upTo)
		}
		begun, err := store.Notices.Begin(t.Context(), "u1", math.MaxInt64)
		check(t, "the mark", err)
		same(t, "the mark that is stored", mark.UpTo, begun.UpTo)
		found, unread := inbox(t, store, reader, 0, "", 100)
		same(t, fmt.Sprintf("left after reading up to %d", step.upTo), step.left, ids(found))
		same(t, "unread", len(step.left), unread)
	}
	create(t, store, addressed("later", "user:u1"))
	if found, _ := inbox(t, store, reader, 0, "", 100); len(found) != 1 {
		t.Fatalf("%d unread after one that came later", len(found))
	}
}

func inboxBegun(t *testing.T, store Store) {
	for i := range 4 {
		n := addressed(fmt.Sprintf("n%d", i), "user:new", "user:old", "user:first")
		n.CreatedAt = instant.Stamp(100 * i)
		create(t, store, n)
	}
	readerOf := func(userID string) notices.Reader {
		return notices.Reader{UserID: userID, Rooms: []roles.Room{roles.UserRoom(userID)}}
	}
	for _, step := range []struct {
		userID string
		since  int64
		want   []string
	}{
		{"first", 0, []string{"n0", "n1", "n2", "n3"}},
		{"old", 100, []string{"n1", "n2", "n3"}},
		{"old", 1000, []string{"n1", "n2", "n3"}}, // who has begun does not begin anew
		{"new", 301, []string{}},
	} {
		_, err := store.Notices.Begin(t.Context(), step.userID, step.since)
		check(t, "begin", err)
		found, unread := inbox(t, store, readerOf(step.userID), 0, "", 100)
		same(t, step.userID, step.want, ids(found))
		same(t, "unread", len(step.want), unread)
	}
	markNotices(t, store, readerOf("old"), 0, "n2")
	mark, err := store.Notices.Begin(t.Context(), "old", 1000)
	check(t, "begin", err)
	same(t, "what was read ahead", 1, len(mark.Ahead))
}

func inboxHistory(t *testing.T, store Store) {
	reader := standing("u1")
	history := func(state notices.State, before int64, limit int) []notices.Place {
		found, err := store.Notices.Received(t.Context(), notices.HistoryPage{Reader: reader, Now: 150, State: state, Before: before, Limit: limit})
		check(t, "history", err)
		if found == nil {
			t.Fatal("the history is nil, want an empty slice")
		}
		return found
	}
	if found := history(notices.All, math.MaxInt64, 10); len(found) != 0 {
		t.Fatalf("an empty history holds %d", len(found))
	}
	for i := range 8 {
		create(t, store, addressed(fmt.Sprintf("n%d", i), reader.Rooms[i%2:]...)) // in several rooms
		create(t, store, addressed(fmt.Sprintf("foreign%d", i), "user:u2"))
	}
	over := addressed("over", "user:u1")
	over.ExpiresAt = 150
	create(t, store, over)
	retract(t, store, "n3", 1)
	markNotices(t, store, reader, 0, "n0", "n1", "n5")
	want := map[notices.State][]string{
		notices.All:    {"n7", "n6", "n5", "n4", "n2", "n1", "n0"},
		notices.Read:   {"n5", "n1", "n0"},
		notices.Unread: {"n7", "n6", "n4", "n2"},
	}
	for state, want := range want {
		for _, limit := range []int{1, 2, 3, 7, 20} {
			got := []string{}
			for _, place := range allPages(t, "history", limit, math.MaxInt64, func(before int64) ([]notices.Place, error) {
				return history(state, before, limit), nil
			}, func(last notices.Place) int64 { return last.Seq }) {
				got = append(got, place.ID)
				if read := place.ID == "n0" || place.ID == "n1" || place.ID == "n5"; place.Read != read {
					t.Fatalf("%s is called read: %t", place.ID, place.Read)
				}
			}
			same(t, fmt.Sprintf("%s in pages of %d", state, limit), want, got)
		}
	}
	same(t, "a whole notice", noticeByID(t, store, "n7"), history(notices.All, math.MaxInt64, 1)[0].Notice)
}
