package conversations_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/page"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/conversations"
)

// TestPagesShowEachOnce goes through lists in pages, while things are said in any of their rooms, and in new ones, between two
// pages: each room that was there from the beginning is shown once, and each that came once at most. The first page, and
// whatever nothing has happened in, is in the order in which it was last active.
func TestPagesShowEachOnce(t *testing.T) {
	b := newBench(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		me := fmt.Sprint("me", run)
		var rooms []string
		room := func(n int) string {
			return []string{fmt.Sprintf("dm:%s:p%d", me, n), fmt.Sprintf("open-%d-%d", run, n)}[n%2]
		}
		var said []chat.Change
		for n := range rapid.IntRange(1, 15).Draw(t, "rooms") {
			// Seconds ago, or before the time from which a listing looks for what has risen.
			b.now += rapid.Int64Range(0, 15_000).Draw(t, "pause")
			rooms = append(rooms, room(n))
			said = append(said, b.saying(room(n), me, "first"))
		}
		b.apply(t, said...)
		there := slices.Clone(rooms)
		shown := map[string]int{}
		query := conversations.Query{Limit: page.Limit(rapid.IntRange(2, 6).Draw(t, "limit"))}
		for pages := 0; ; pages++ {
			list := b.list(t, me, query)
			if len(list.Rooms) > int(query.Limit) || pages > 100 {
				t.Fatalf("page %d has %d rooms", pages, len(list.Rooms))
			}
			for _, id := range ids(list) {
				shown[id]++
			}
			if query.Cursor = list.NextCursor; query.Cursor == "" {
				break
			}
			said = nil
			for range rapid.IntRange(0, 6).Draw(t, "said") {
				b.now += rapid.Int64Range(0, 20_000).Draw(t, "pause")
				if rapid.IntRange(0, 4).Draw(t, "new") == 0 {
					rooms = append(rooms, room(len(rooms)))
				}
				said = append(said, b.saying(rapid.SampledFrom(rooms).Draw(t, "room"), me, "more"))
			}
			b.apply(t, said...)
		}
		for _, id := range there {
			if shown[id] != 1 {
				t.Fatalf("%s was shown %d times", id, shown[id])
			}
		}
		for id, times := range shown {
			if times > 1 {
				t.Fatalf("%s was shown %d times", id, times)
			}
		}
	})
}

// TestOrderOfPages: while nothing happens, the pages are the list.
func TestOrderOfPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var want []string
	for n := range 20 {
		room := []string{fmt.Sprintf("dm:amy:p%d", n), fmt.Sprint("open", n)}[n%2]
		b.say(t, room, "amy", "x")
		want = append([]string{room}, want...)
		b.now++
	}
	for limit := 1; limit <= 21; limit += 4 {
		got := []string{}
		for query := (conversations.Query{Limit: page.Limit(limit)}); ; {
			list := b.list(t, "amy", query)
			got = append(got, ids(list)...)
			if query.Cursor = list.NextCursor; query.Cursor == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %v, want %v", limit, got, want)
		}
	}
}

// TestCursorsStayShort: however many rooms jump to the top of a list while somebody goes through it, a cursor is no longer than
// the contract says, and all are shown.
func TestCursorsStayShort(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const rooms = 700
	for _, pause := range []int64{0, 1} { // all at the same time, and one after the other
		var said []chat.Change
		for n := range rooms {
			b.now += pause
			said = append(said, b.saying(fmt.Sprintf("dm:amy:p%d", n), "amy", "x"))
		}
		b.apply(t, said...)
	}
	shown := map[string]int{}
	longest, next := 0, 0
	for query := (conversations.Query{Limit: 100}); ; {
		list := b.list(t, "amy", query)
		for _, id := range ids(list) {
			shown[id]++
		}
		if query.Cursor = list.NextCursor; query.Cursor == "" {
			break
		}
		longest = max(longest, len(query.Cursor))
		var said []chat.Change
		for range 90 {
			b.now++
			said = append(said, b.saying(fmt.Sprintf("dm:amy:p%d", next%rooms), "amy", "x"))
			next += 7
		}
		b.apply(t, said...)
	}
	for id, times := range shown {
		if times != 1 {
			t.Errorf("%s was shown %d times", id, times)
		}
	}
	if len(shown) != rooms || longest < 2500 || longest > 4096 {
		t.Errorf("%d rooms were shown, by cursors of up to %d characters", len(shown), longest)
	}
}
