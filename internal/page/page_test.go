package page_test

import (
	"math"
	"slices"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/page"
)

func TestSize(t *testing.T) {
	for asked, want := range map[int]int{0: 50, -1: 50, math.MinInt: 50, 1: 1, 49: 49, 200: 200, 201: 200, math.MaxInt: 200} {
		if got := page.Size(asked, 50, 200); got != want {
			t.Errorf("a page of %d for %d, want %d", got, asked, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		items, size int
		want        []int
		next        string
	}{
		{0, 2, nil, ""},
		{1, 2, []int{0}, ""},
		{2, 2, []int{0, 1}, ""},
		{3, 2, []int{0, 1}, page.Notices.Numbers(1)},
		{9, 1, []int{0}, page.Notices.Numbers(0)},
	} {
		var items []int
		for i := range test.items {
			items = append(items, i)
		}
		got, next := page.Cut(items, test.size, func(last int) string { return page.Notices.Numbers(int64(last)) })
		if !slices.Equal(got, test.want) || next != test.next {
			t.Errorf("%d items, pages of %d: %v, cursor %q; want %v, %q", test.items, test.size, got, next, test.want, test.next)
		}
	}
}

func TestCursorsComeBack(t *testing.T) {
	for _, want := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		var ts, number, seq int64
		if err := page.Track.ParseNumbers(page.Track.Numbers(want, 7), &ts, &number); err != nil || ts != want || number != 7 {
			t.Errorf("%d, 7 came back as %d, %d, error %v", want, ts, number, err)
		}
		if err := page.Notices.ParseNumbers(page.Notices.Numbers(want), &seq); err != nil || seq != want {
			t.Errorf("%d came back as %d, error %v", want, seq, err)
		}
	}
	for _, want := range []string{"u1", "auth0|7", "1.2", "\n", "Größe 🚚"} {
		if got, err := page.Users.ParseText(page.Users.Text(want)); err != nil || got != want {
			t.Errorf("%q came back as %q, error %v", want, got, err)
		}
	}
}

// No cursor is the start of a listing: where its reader had begun.
func TestNoCursor(t *testing.T) {
	seq := int64(7)
	if err := page.Notices.ParseNumbers("", &seq); err != nil || seq != 7 {
		t.Errorf("no cursor changed the place to %d, error %v", seq, err)
	}
	if place, err := page.Users.ParseText(""); err != nil || place != "" {
		t.Errorf("no cursor is the place %q, error %v", place, err)
	}
}

func TestStrangeCursors(t *testing.T) {
	for _, cursor := range []string{
		"x", "!", "AAAA", "dA", "bg", "dQ", "dQ==", "1.1", "%00", "t1.1", "dDEuMQ\n", " dDEuMQ", "dDEuMQ==", "u1",
		page.Track.Text("+5.6"), page.Track.Text("05.6"), page.Track.Text("5.6.7"), page.Track.Text("5"), page.Track.Text("5."),
		page.Track.Text("5.6 "), page.Track.Text("9223372036854775808.1"), page.Users.Text("5.6"), page.Drivers.Text("u1"),
		page.Notices.Numbers(3), page.Notices.Text("x"),
	} {
		ts, number := int64(1), int64(2)
		if err := page.Track.ParseNumbers(cursor, &ts, &number); !refused(err) || ts != 1 || number != 2 {
			t.Errorf("%q was taken for %d, %d, error %v", cursor, ts, number, err)
		}
		if cursor == page.Users.Text("5.6") {
			continue
		}
		if place, err := page.Users.ParseText(cursor); !refused(err) || place != "" {
			t.Errorf("%q was taken for %q, error %v", cursor, place, err)
		}
	}
}

func refused(err error) bool {
	return fault.Is(err, fault.InvalidPayload) && fault.From(err).Field == "cursor"
}

func FuzzCursor(f *testing.F) {
	for _, seed := range []string{
		"!", page.Track.Numbers(5, 6), page.Notices.Numbers(9), page.Users.Text("u1"), page.Drivers.Text("d1"),
		page.Track.Text("+5.6"), page.Track.Text("5"), page.Notices.Text("09"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		if cursor == "" {
			return
		}
		var ts, number, seq int64
		err := page.Track.ParseNumbers(cursor, &ts, &number)
		judge(t, cursor, page.Track.Numbers(ts, number), err)
		err = page.Notices.ParseNumbers(cursor, &seq)
		judge(t, cursor, page.Notices.Numbers(seq), err)
		user, err := page.Users.ParseText(cursor)
		judge(t, cursor, page.Users.Text(user), err)
	})
}

// judge holds a parser to this: it takes exactly what its counterpart makes, and refuses the rest.
func judge(t *testing.T, cursor, again string, err error) {
	t.Helper()
	switch {
	case err == nil && again != cursor:
		t.Errorf("%q was taken for %q", cursor, again)
	case err != nil && !refused(err):
		t.Errorf("%q: error %v, want invalid_payload at cursor", cursor, err)
	}
}
