package page_test

import (
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/page"
)

// Whatever the items weigh, a page is never empty, holds what fits, and with one more would hold too many or too much.
func TestFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOf(rapid.IntRange(0, page.MaxBytes*2)).Draw(t, "sizes")
		most := rapid.IntRange(1, 20).Draw(t, "most")
		itself := func(size int) int { return size }
		check := func(n int, sizes []int) {
			total := 0
			for _, size := range sizes[:n] {
				total += size
			}
			if len(sizes) > 0 && n == 0 || n > most || n > 1 && total > page.MaxBytes {
				t.Fatalf("a page of %d items and %d bytes", n, total)
			}
			if n < len(sizes) && n < most && total+sizes[n] <= page.MaxBytes {
				t.Fatalf("a page of %d items and %d bytes, where one of %d bytes more would fit", n, total, sizes[n])
			}
		}
		check(page.Fit(sizes, most, itself), sizes)
		backwards := slices.Clone(sizes)
		slices.Reverse(backwards)
		check(page.FitLast(sizes, most, itself), backwards)
	})
}

// A text takes no more than what it is counted for, and not much less.
func TestTextBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("a\"\\\n\x00\x7f<>&é€😀\u2028\ufffd")))).Draw(t, "text")
		if rapid.Bool().Draw(t, "broken") {
			text += "\xff\xf0\x9f"
		}
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := page.TextBytes(text); got < len(encoded) || got > len(encoded)+5*len(text) {
			t.Fatalf("%q is counted for %d bytes and takes %d", text, got, len(encoded))
		}
	})
}
