package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
)

func noticePromises() []promise {
	return []promise{
		{"every field comes back", noticesComeBack},
		{"texts and data come back byte for byte", noticeTextsComeBack},
		{"notices are listed newest first", noticesListed},
		{"a retracted notice is gone", noticeRetracted},
		{"a request sent again has one outcome", noticeReplayed},
		{"a key used for another request is found out", noticeKeyReused},
		{"an old key no longer counts", noticeKeyExpired},
		{"an audience of thousands is kept", wideAudience},
		{"an expired notice ends once", noticeExpires},
		{"rooms are known by the newest notice that lives there", liveRooms},
		{"changes are numbered in the order in which they are made", changesNumbered},
		{"changes are read again as they were made", changesReadAgain},
	}
}

// addressed returns a notice to the rooms.
func addressed(id string, rooms ...roles.Room) notices.Addressed {
	return notices.Addressed{
		Notice: notices.Notice{
			ID: id, Title: "title of " + id, Severity: notices.Info, CreatedAt: 1_700_000_000_000,
			Audience: notices.Audience{Users: []string{"u1"}}, From: notices.Sender{UserID: "boss", Username: "Boss"},
		},
		Rooms: rooms,
	}
}

func create(t tester, store Store, notice notices.Addressed) notices.Notice {
	t.Helper()
	stored, replayed, err := createOnce(t.Context(), store, notice, notices.Idempotency{})
	check(t, "create notice", err)
	if replayed {
		t.Fatalf("notice %s is called a replay", notice.ID)
	}
	return stored
}

// createOnce stores a notice for a request, in a transaction of its own.
func createOnce(
	ctx context.Context, store Store, notice notices.Addressed, once notices.Idempotency,
) (stored notices.Notice, replayed bool, err error) {
	changed, err := store.Notices.Apply(ctx, []notices.Change{{Create: &notice, Once: once}})
	if err != nil {
		return notices.Notice{}, false, err
	}
	return changed[0].Notice, changed[0].Replayed, changed[0].Err
}

// retract returns the rooms of the audience, in the order of their names; done is false where there was no such notice.
func retract(t tester, store Store, id string, at int64) (rooms []roles.Room, done bool) {
	t.Helper()
	changed, err := store.Notices.Apply(t.Context(), []notices.Change{{Retract: id, At: at}})
	check(t, "retract", err)
	if err := changed[0].Err; err != nil && !errors.Is(err, notices.ErrNoSuchNotice) {
		t.Fatalf("retract: %v", err)
	}
	return slices.Sorted(slices.Values(changed[0].Rooms)), changed[0].Err == nil
}

func noticeByID(t tester, store Store, id string) notices.Notice {
	t.Helper()
	found, ok, err := store.Notices.NoticeByID(t.Context(), id)
	check(t, "notice by id", err)
	if !ok {
		t.Fatalf("notice %s not found", id)
	}
	return found
}

func listed(t tester, store Store, limit int) []notices.Notice {
	t.Helper()
	stored := allPages(t, "notices", limit, math.MaxInt64, func(before int64) ([]notices.Stored, error) {
		return store.Notices.Notices(t.Context(), before, limit)
	}, func(last notices.Stored) int64 { return last.Seq })
	return plain(stored)
}

func plain(stored []notices.Stored) []notices.Notice {
	all := make([]notices.Notice, 0, len(stored))
	for i := range stored {
		all = append(all, stored[i].Notice)
	}
	return all
}

func noticesComeBack(t *testing.T, store Store) {
	full := notices.Addressed{
		Notice: notices.Notice{
			ID: "n1", Title: "Road closed", Body: "Take the bridge", Severity: notices.Critical,
			Audience: notices.Audience{
				Roles: []roles.Role{roles.Driver, roles.Vendor}, Users: []string{"u1", "u2"}, Companies: []string{"acme"},
				CompanyRoles: []notices.CompanyRole{{CompanyID: "acme", Role: roles.Company}},
			},
			Data: json.RawMessage(`{"a":1}`), CreatedAt: 5, ExpiresAt: 9, RequireAck: true,
			From: notices.Sender{UserID: "boss", Username: "Boss"},
		},
	}
	full.Rooms = full.Audience.Rooms()
	all := notices.Addressed{Notice: notices.Notice{ID: "n2", Severity: notices.Info, Audience: notices.Audience{All: true}}}
	all.Rooms = all.Audience.Rooms()
	for _, want := range []notices.Addressed{full, all} {
		same(t, "stored", want.Notice, create(t, store, want))
		same(t, "by id", want.Notice, noticeByID(t, store, want.ID))
	}
	same(t, "listed", []notices.Notice{all.Notice, full.Notice}, listed(t, store, 10))
	if _, found, err := store.Notices.NoticeByID(t.Context(), "unknown"); err != nil || found {
		t.Fatalf("an unknown notice: found %t, error %v", found, err)
	}
	twice := addressed("n3", "user:u1", "user:u1")
	create(t, store, twice)
	for _, want := range []notices.Addressed{full, all, {Notice: twice.Notice, Rooms: []roles.Room{"user:u1"}}} {
		slices.Sort(want.Rooms)
		rooms, _ := retract(t, store, want.ID, 1)
		same(t, "audience of "+want.ID, want.Rooms, rooms)
	}
}

func noticeTextsComeBack(t *testing.T, store Store) {
	for name, text := range hostileTexts() {
		n := addressed("n-"+name, "user:u1")
		n.Title, n.Body, n.From.Username = text, text, text
		create(t, store, n)
		same(t, name, n.Notice, noticeByID(t, store, n.ID))
	}
	for i, data := range []string{
		`{}`, `{ "b" : 1.0e+2 , "a":[1,  2] }`, "{\"tab\":\t\"\\u0000\\ud83d\\ude9a\",\n\"x\":null}",
		`{"same":1,"same":2,"big":123456789012345678901234567890,"minus":-0.0}`, `{"🚚":"\u202E","html":"<&>"}`,
		`{"pad":"` + strings.Repeat("x", 16<<10) + `"}`,
	} {
		n := addressed(fmt.Sprintf("data-%d", i), "user:u1")
		n.Data = json.RawMessage(data)
		same(t, "stored", data, string(create(t, store, n).Data))
		same(t, "data", data, string(noticeByID(t, store, n.ID).Data))
		same(t, "data in the list", data, string(listed(t, store, 1000)[0].Data))
	}
}

func noticesListed(t *testing.T, store Store) {
	if found := listed(t, store, 10); len(found) != 0 {
		t.Fatalf("an empty store lists %d notices", len(found))
	}
	var want []notices.Notice
	for i := range 25 {
		n := addressed(fmt.Sprintf("n%02d", i), "user:u1")
		n.CreatedAt = 1000 // of one instant: the order is that of creation all the same
		want = append(want, create(t, store, n))
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 4, 24, 25, 26} {
		same(t, fmt.Sprintf("pages of %d", limit), want, listed(t, store, limit))
	}
	for _, limit := range []int{0, -1} {
		none, err := store.Notices.Notices(t.Context(), math.MaxInt64, limit)
		check(t, "a page of none", err)
		same(t, "a page of none", []notices.Stored{}, none)
	}
	first, err := store.Notices.Notices(t.Context(), math.MaxInt64, 5)
	check(t, "first page", err)
	create(t, store, addressed("newer", "user:u1"))
	retract(t, store, first[4].ID, 1)
	second, err := store.Notices.Notices(t.Context(), first[4].Seq, 5)
	check(t, "second page", err)
	same(t, "a page after one that has changed", want[5:10], plain(second))
}

func noticeRetracted(t *testing.T, store Store) {
	create(t, store, addressed("n1", "user:u1"))
	kept := create(t, store, addressed("n2", "user:u1"))
	for _, step := range []struct {
		id   string
		done bool
	}{{"unknown", false}, {"n1", true}, {"n1", false}} {
		if _, done := retract(t, store, step.id, 7); done != step.done {
			t.Fatalf("retract %s: done %t, want %t", step.id, done, step.done)
		}
	}
	if _, found, err := store.Notices.NoticeByID(t.Context(), "n1"); err != nil || found {
		t.Fatalf("a retracted notice: found %t, error %v", found, err)
	}
	same(t, "listed", []notices.Notice{kept}, listed(t, store, 10))
	found, unread := inbox(t, store, standing("u1"), 0, "", 10)
	same(t, "inbox", []notices.Notice{kept}, found)
	same(t, "unread", 1, unread)
}

func noticeReplayed(t *testing.T, store Store) {
	once := notices.Idempotency{UserID: "boss", Key: "k\x00 🔑", Digest: "d", Since: 0}
	first := addressed("n1", "user:u1")
	first.Data = json.RawMessage(`{ "a": 1 }`)
	stored, replayed, err := createOnce(t.Context(), store, first, once)
	check(t, "first", err)
	if replayed {
		t.Fatal("the first request is called a replay")
	}
	again := addressed("n2", "user:u2")
	again.Title, again.CreatedAt = "changed", first.CreatedAt+1
	replay, found, err := store.Notices.ReplayNotice(t.Context(), once)
	check(t, "replay", err)
	same(t, "found", true, found)
	same(t, "replayed", stored, replay)
	unused, changed, late := once, once, once
	unused.Key, changed.Digest, late.Since = "unused", "another", int64(first.CreatedAt)+1
	if _, _, err := store.Notices.ReplayNotice(t.Context(), changed); !errors.Is(err, notices.ErrKeyReused) {
		t.Errorf("replay of another request: %v", err)
	}
	for _, never := range []notices.Idempotency{unused, late} {
		if _, found, err = store.Notices.ReplayNotice(t.Context(), never); err != nil || found {
			t.Errorf("replay of what was never asked for: found %t, error %v", found, err)
		}
	}
	second, replayed, err := createOnce(t.Context(), store, again, once)
	check(t, "second", err)
	if !replayed {
		t.Fatal("the second request is not recognised")
	}
	same(t, "the first outcome", stored, second)
	same(t, "listed", []notices.Notice{stored}, listed(t, store, 10))

	other := once
	other.UserID = "another boss"
	if _, replayed, err = createOnce(t.Context(), store, addressed("n3", "user:u1"), other); err != nil || replayed {
		t.Fatalf("another user's key: replayed %t, error %v", replayed, err)
	}
	for i := range 2 { // without a key nothing is tied
		create(t, store, addressed(fmt.Sprintf("free-%d", i), "user:u1"))
	}
}

func noticeKeyReused(t *testing.T, store Store) {
	once := notices.Idempotency{UserID: "boss", Key: "k", Digest: "d"}
	_, _, err := createOnce(t.Context(), store, addressed("n1", "user:u1"), once)
	check(t, "first", err)
	once.Digest = "another"
	if _, _, err = createOnce(t.Context(), store, addressed("n2", "user:u1"), once); !errors.Is(err, notices.ErrKeyReused) {
		t.Fatalf("error %v, want ErrKeyReused", err)
	}
	if found := listed(t, store, 10); len(found) != 1 {
		t.Fatalf("%d notices after a refused one", len(found))
	}
}

func noticeKeyExpired(t *testing.T, store Store) {
	request := func(id string, createdAt, since int64) bool {
		n := addressed(id, "user:u1")
		n.CreatedAt = instant.Stamp(createdAt)
		_, replayed, err := createOnce(t.Context(), store, n,
			notices.Idempotency{UserID: "boss", Key: "k", Digest: "d", Since: since})
		check(t, "create", err)
		return replayed
	}
	for _, step := range []struct {
		id               string
		createdAt, since int64
		replayed         bool
		why              string
	}{
		{"n1", 1000, 0, false, "first use"},
		{"n2", 2000, 1000, true, "the oldest use that still counts"},
		{"n3", 2001, 1001, false, "too old: a new use"},
		{"n4", 3000, 2001, true, "tied to the new use"},
	} {
		if got := request(step.id, step.createdAt, step.since); got != step.replayed {
			t.Fatalf("%s: replayed %t, want %t", step.why, got, step.replayed)
		}
	}
}

func wideAudience(t *testing.T, store Store) {
	n := addressed("n1")
	for i := range 4000 {
		n.Rooms = append(n.Rooms, roles.CompanyRoom(fmt.Sprintf("c%04d", i)))
	}
	create(t, store, n)
	for _, room := range []roles.Room{n.Rooms[0], n.Rooms[3999]} {
		if _, unread := inbox(t, store, notices.Reader{UserID: string(room), Rooms: []roles.Room{room}}, 0, "", 1); unread != 1 {
			t.Fatalf("%d unread in %s, want 1", unread, room)
		}
	}
	rooms, _ := retract(t, store, "n1", 1)
	same(t, "rooms", n.Rooms, rooms)
}
