package conversations

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"

	"rolecall/internal/page"
	"rolecall/internal/roles"
)

// A listing goes down a list whose items jump to its top meanwhile. So that it shows each conversation once, a cursor names,
// beside the place to which the listing has come, a time from a while before it began: what has been active since may have
// jumped. Of these the cursor lists those that were shown. The others stood somewhere at that time, which can be looked up:
// above the place, where they were shown, or below.

const (
	// settled is how long before a listing its time lies: by then all that was said before is on disk, whichever server's clock
	// it was taken by.
	settled = 30 * time.Second
	// maxShown bounds the conversations that a cursor lists. Where there are more, its time is moved on to when the first of
	// them was active. Those that have jumped are shown in the order in which they did, and so none before it is missed.
	maxShown = 300
)

// cursor is how far a listing has come.
type cursor struct {
	place Place
	// since is the time from which on a conversation may have jumped, Unix milliseconds.
	since int64
	// shown are those that were shown though they have been active since, by when they were.
	shown []shown
}

// shown is a room in a cursor.
type shown struct {
	activeAt int64
	mark     mark
}

// mark stands for a room's id.
type mark [5]byte

func markOf(room roles.ChatRoom) (m mark) {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(room.String()))
	copy(m[:], hash.Sum(nil))
	return m
}

func begin(now time.Time) cursor { return cursor{place: Top(), since: now.Add(-settled).UnixMilli()} }

// show notes that a conversation is shown.
func (c *cursor) show(row *Row) {
	if row.ActiveAt <= c.since {
		return
	}
	c.shown = append(c.shown, shown{row.ActiveAt, markOf(row.Room)})
	if len(c.shown) > maxShown {
		slices.SortStableFunc(c.shown, func(a, b shown) int { return cmp.Compare(a.activeAt, b.activeAt) })
		c.since = c.shown[0].activeAt
		c.shown = slices.DeleteFunc(c.shown, func(s shown) bool { return s.activeAt == c.since })
	}
}

// hasShown reports whether a conversation that has been active since the listing's time was shown.
func (c *cursor) hasShown(room roles.ChatRoom) bool {
	its := markOf(room)
	return slices.ContainsFunc(c.shown, func(s shown) bool { return s.mark == its })
}

// text is the cursor as a client is given it.
func (c *cursor) text() string {
	written := binary.AppendVarint(nil, c.since)
	written = binary.AppendVarint(written, c.place.ActiveAt)
	written = binary.AppendUvarint(written, uint64(len(c.shown)))
	for _, s := range c.shown {
		written = append(binary.AppendUvarint(written, uint64(s.activeAt-c.since)), s.mark[:]...)
	}
	return page.Conversations.Text(string(append(written, c.place.Room.String()...)))
}

// parse reads a cursor that a client has given back. It fails with invalid_payload for what text has not made.
func parse(given string) (c cursor, err error) {
	text, err := page.Conversations.ParseText(given)
	if err != nil {
		return c, err
	}
	rest := []byte(text)
	var count uint64
	for _, read := range []func([]byte) int{
		func(b []byte) (n int) { c.since, n = binary.Varint(b); return n },
		func(b []byte) (n int) { c.place.ActiveAt, n = binary.Varint(b); return n },
		func(b []byte) (n int) { count, n = binary.Uvarint(b); return n },
	} {
		n := read(rest)
		if n <= 0 {
			return c, page.Foreign()
		}
		rest = rest[n:]
	}
	if count > maxShown {
		return c, page.Foreign()
	}
	for range count {
		later, n := binary.Uvarint(rest)
		if n <= 0 || len(rest) < n+len(mark{}) {
			return c, page.Foreign()
		}
		c.shown = append(c.shown, shown{c.since + int64(later), mark(rest[n : n+len(mark{})])})
		rest = rest[n+len(mark{}):]
	}
	if c.place.Room, err = roles.ParseChatRoom(string(rest)); err != nil || c.text() != given {
		return c, page.Foreign()
	}
	return c, nil
}
