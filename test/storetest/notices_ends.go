package storetest

import (
	"errors"
	"slices"
	"testing"

	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
)

// expire ends a notice; done is false where there was none to end.
func expire(t tester, store Store, id string) (changed notices.Changed, done bool) {
	t.Helper()
	all, err := store.Notices.Apply(t.Context(), []notices.Change{{Expire: id}})
	check(t, "expire", err)
	if err := all[0].Err; err != nil && !errors.Is(err, notices.ErrNoSuchNotice) {
		t.Fatalf("expire: %v", err)
	}
	return all[0], all[0].Err == nil
}

func expiring(t tester, store Store, now int64, limit int) (due []string, next int64) {
	t.Helper()
	due, next, err := store.Notices.Expiring(t.Context(), now, limit)
	check(t, "expiring", err)
	return due, next
}

// noticeExpires: a notice whose time is over is due until it ends, once; it leaves the inboxes and stays with those who
// sent it.
func noticeExpires(t *testing.T, store Store) {
	reader := standing("u1")
	for id, at := range map[string]int64{"late": 300, "soon": 100, "next": 200, "never": 0, "gone": 50} {
		n := addressed(id, "user:u1")
		n.ExpiresAt = instant.Stamp(at)
		create(t, store, n)
	}
	retract(t, store, "gone", 1)
	for _, step := range []struct {
		now   int64
		limit int
		due   []string
		next  int64
	}{
		{99, 10, []string{}, 100}, {100, 10, []string{"soon"}, 200}, {250, 10, []string{"soon", "next"}, 300},
		{250, 1, []string{"soon"}, 300}, {300, 10, []string{"soon", "next", "late"}, 0},
	} {
		due, next := expiring(t, store, step.now, step.limit)
		same(t, "due", step.due, due)
		same(t, "next", step.next, next)
	}
	changed, done := expire(t, store, "soon")
	if !done || changed.Seq == 0 || !slices.Equal(changed.Rooms, []roles.Room{"user:u1"}) || changed.Notice.ID != "soon" {
		t.Fatalf("the end of a notice: %+v, %t", changed, done)
	}
	for _, id := range []string{"soon", "gone", "unknown"} {
		if _, again := expire(t, store, id); again {
			t.Errorf("%s ends again", id)
		}
	}
	due, _ := expiring(t, store, 250, 10)
	same(t, "due", []string{"next"}, due)
	// As of its end and before; without a clock, since the end is what counts.
	for asOf, want := range map[int64]int{changed.Seq - 1: 4, changed.Seq: 3} {
		unread, err := store.Notices.Unread(t.Context(), reader, asOf, 0)
		check(t, "unread", err)
		same(t, "unread", want, unread)
	}
	if noticeByID(t, store, "soon").ID != "soon" || len(listed(t, store, 10)) != 4 {
		t.Error("an expired notice is kept from those who sent it")
	}
	// Retracted after its end it is gone for them as well, and there is nothing to tell.
	all, err := store.Notices.Apply(t.Context(), []notices.Change{{Retract: "soon", At: 1}})
	check(t, "retract", err)
	if all[0].Err != nil || all[0].Seq != 0 || len(listed(t, store, 10)) != 3 {
		t.Errorf("retracted after its end: %+v", all[0])
	}
}

func liveRooms(t *testing.T, store Store) {
	rooms := func() map[roles.Room]int64 {
		all := map[roles.Room]int64{}
		check(t, "live rooms", store.Notices.LiveRooms(t.Context(), func(room roles.Room, newest int64) { all[room] = newest }))
		return all
	}
	same(t, "of nothing", map[roles.Room]int64{}, rooms())
	seqs := map[string]int64{}
	for _, n := range []notices.Addressed{addressed("a", "x", "y"), addressed("b", "y", "z"), addressed("c", "z")} {
		made, err := store.Notices.Apply(t.Context(), []notices.Change{{Create: &n}})
		check(t, "create", err)
		seqs[n.ID] = made[0].Seq
	}
	same(t, "after three", map[roles.Room]int64{"x": seqs["a"], "y": seqs["b"], "z": seqs["c"]}, rooms())
	for _, step := range []struct {
		end    notices.Change
		ended  string
		newest map[roles.Room]int64
		left   map[roles.Room]int64
	}{
		{notices.Change{Expire: "b"}, "b", map[roles.Room]int64{"y": seqs["a"], "z": seqs["c"]}, map[roles.Room]int64{"x": seqs["a"], "y": seqs["a"], "z": seqs["c"]}},
		{notices.Change{Retract: "c"}, "c", map[roles.Room]int64{"z": 0}, map[roles.Room]int64{"x": seqs["a"], "y": seqs["a"]}},
		{notices.Change{Retract: "a"}, "a", map[roles.Room]int64{"x": 0, "y": 0}, map[roles.Room]int64{}},
	} {
		ended, err := store.Notices.Apply(t.Context(), []notices.Change{step.end})
		check(t, "end", err)
		same(t, "the number of what ended", seqs[step.ended], ended[0].Ended)
		same(t, "what is left in its rooms", step.newest, ended[0].Newest)
		same(t, "rooms", step.left, rooms())
	}
}
