package sqlite

import (
	"encoding/base64"
	"strconv"
	"strings"

	"rolecall/internal/fault"
)

// A cursor names the last item of a page by its place in the order: opaque to clients, it holds where to go on and
// nothing that the page did not show. The first character keeps the cursors of one listing out of another.
const (
	trackCursor  = "t"
	noticeCursor = "n"
	userCursor   = "u"
)

func encodeCursor(kind, place string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(kind + place))
}

// decodeCursor returns the place; it fails with invalid_payload for what encodeCursor has not made.
func decodeCursor(kind, cursor string) (string, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	place, ours := strings.CutPrefix(string(raw), kind)
	// The decoder skips line breaks, so equal input is asked for as well.
	if err != nil || !ours || place == "" || encodeCursor(kind, place) != cursor {
		return "", badCursor()
	}
	return place, nil
}

func badCursor() error {
	return fault.Invalid("cursor", "The cursor is not one that this listing has returned")
}

// trackPlace is a position's place in a track.
type trackPlace struct {
	ts, number int64
}

func (p trackPlace) cursor() string {
	return encodeCursor(trackCursor, strconv.FormatInt(p.ts, 10)+"."+strconv.FormatInt(p.number, 10))
}

func parseTrackCursor(cursor string) (trackPlace, error) {
	text, err := decodeCursor(trackCursor, cursor)
	if err != nil {
		return trackPlace{}, err
	}
	ts, number, _ := strings.Cut(text, ".")
	var place trackPlace
	if place.ts, err = strconv.ParseInt(ts, 10, 64); err != nil {
		return trackPlace{}, badCursor()
	}
	if place.number, err = strconv.ParseInt(number, 10, 64); err != nil || place.cursor() != cursor {
		return trackPlace{}, badCursor()
	}
	return place, nil
}

func noticePlace(seq int64) string { return encodeCursor(noticeCursor, strconv.FormatInt(seq, 10)) }

func parseNoticeCursor(cursor string) (seq int64, err error) {
	text, err := decodeCursor(noticeCursor, cursor)
	if err != nil {
		return 0, err
	}
	if seq, err = strconv.ParseInt(text, 10, 64); err != nil || noticePlace(seq) != cursor {
		return 0, badCursor()
	}
	return seq, nil
}
