// Package page cuts listings into pages. A listing has an order, and a cursor names the last item of a page by its place
// in that order: opaque to clients, it holds where to go on and nothing that the page did not show.
package page

import (
	"encoding/base64"
	"strconv"
	"strings"

	"rolecall/internal/fault"
)

// Request asks for a page of a listing.
type Request struct {
	// Cursor is the one that came with the previous page; "" asks for the first page.
	Cursor string
	// Limit is the most items wanted; 0 asks for the listing's default.
	Limit int
}

// Size returns how many items the page has for which a client has asked: byDefault for 0 and less, never more than most.
func Size(asked, byDefault, most int) int {
	if asked <= 0 {
		return byDefault
	}
	return min(asked, most)
}

// Cut drops what has been fetched beyond a page of size items, and returns the cursor of the next page: what cursor makes
// of the last item, or "" where nothing lies beyond. To tell, size+1 items must have been asked for.
func Cut[T any](items []T, size int, cursor func(last T) string) (page []T, next string) {
	if len(items) <= size {
		return items, ""
	}
	return items[:size], cursor(items[size-1])
}

// Kind tells the cursors of different listings apart, so that none is taken by another.
type Kind string

// The listings.
const (
	Track      Kind = "t"
	Drivers    Kind = "d"
	Notices    Kind = "n"
	Inbox      Kind = "i"
	History    Kind = "h"
	Messages   Kind = "m"
	Users      Kind = "u"
	FoundUsers Kind = "f"
	Audit      Kind = "a"
	Blocks     Kind = "b"
	Reports    Kind = "r"

	Conversations Kind = "c"
	FoundMessages Kind = "s"
)

// Text returns the cursor of a place that is a text, not empty.
func (k Kind) Text(place string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(string(k) + place))
}

// ParseText returns the place of a cursor, "" for no cursor. It fails with invalid_payload for what Text has not made.
func (k Kind) ParseText(cursor string) (place string, err error) {
	if cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	place, ours := strings.CutPrefix(string(raw), string(k))
	// The decoder skips line breaks, so equal input is asked for as well.
	if err != nil || !ours || place == "" || k.Text(place) != cursor {
		return "", Foreign()
	}
	return place, nil
}

// Numbers returns the cursor of a place that is made of numbers, at least one.
func (k Kind) Numbers(place ...int64) string {
	texts := make([]string, len(place))
	for i, number := range place {
		texts[i] = strconv.FormatInt(number, 10)
	}
	return k.Text(strings.Join(texts, "."))
}

// ParseNumbers reads a cursor's place, of so many numbers as Numbers was given, and leaves place as it is for no cursor.
// It fails with invalid_payload for what Numbers has not made.
func (k Kind) ParseNumbers(cursor string, place ...*int64) error {
	text, err := k.ParseText(cursor)
	if text == "" || err != nil {
		return err
	}
	numbers := make([]int64, 0, len(place))
	for part := range strings.SplitSeq(text, ".") {
		number, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return Foreign()
		}
		numbers = append(numbers, number)
	}
	if len(numbers) != len(place) || k.Numbers(numbers...) != cursor {
		return Foreign()
	}
	for i := range place {
		*place[i] = numbers[i]
	}
	return nil
}

// Foreign is the failure of a cursor that its listing cannot have made.
func Foreign() error {
	return fault.Invalid("cursor", "The cursor is not one that this listing has returned")
}
