package notices

import (
	"context"
	"slices"

	"rolecall/internal/audit"
	"rolecall/internal/roles"
)

// Addressed is a notice with the rooms that hold its audience.
type Addressed struct {
	Notice
	Rooms []roles.Room
}

// Idempotency ties a request to its first outcome; the zero value ties nothing.
type Idempotency struct {
	UserID string
	// Key is the caller's Idempotency-Key, "" where none was sent.
	Key string
	// Digest is a hash of the request's body, so that a key used for another request is found out.
	Digest string
	// Since is the oldest use that still counts, Unix milliseconds.
	Since int64
}

// Reader is whose inbox is meant: a user and the rooms they stand in.
type Reader struct {
	UserID string
	Rooms  []roles.Room
}

// ReadMark is a user's read state over all notices: everything up to UpTo is read, and beyond it what Ahead lists.
type ReadMark struct {
	// UpTo is the sequence number of a notice.
	UpTo int64
	// Ahead holds sequence numbers greater than UpTo, ascending.
	Ahead []int64
}

// MaxReadAhead bounds ReadMark.Ahead: how many notices a reader may have read beyond the oldest unread one.
const MaxReadAhead = 10_000

// With returns the mark after reading further notices. FirstUnread is the lowest sequence number beyond UpTo that is
// in the reader's inbox and neither in Ahead nor among read; 0 where there is none.
func (m ReadMark) With(read []int64, firstUnread int64) ReadMark {
	ahead := append(slices.Clone(m.Ahead), read...)
	slices.Sort(ahead)
	ahead = slices.Compact(ahead)
	upTo := m.UpTo
	if len(ahead) > 0 && firstUnread == 0 {
		upTo = max(upTo, ahead[len(ahead)-1])
	} else if firstUnread > 0 {
		upTo = max(upTo, firstUnread-1)
	}
	ahead = slices.DeleteFunc(ahead, func(seq int64) bool { return seq <= upTo })
	return ReadMark{UpTo: upTo, Ahead: ahead}
}

// Has reports whether a notice counts as read.
func (m ReadMark) Has(seq int64) bool {
	_, ahead := slices.BinarySearch(m.Ahead, seq)
	return ahead || seq <= m.UpTo
}

// Through is the mark after reading all up to a number.
func (m ReadMark) Through(upTo int64) ReadMark {
	if upTo <= m.UpTo {
		return m
	}
	ahead := slices.DeleteFunc(slices.Clone(m.Ahead), func(seq int64) bool { return seq <= upTo })
	return ReadMark{UpTo: upTo, Ahead: ahead}
}

// TooFarAhead reports whether the mark lists more than may be kept.
func (m ReadMark) TooFarAhead() bool { return len(m.Ahead) > MaxReadAhead }

// Stored is a notice with its place among all changes of notices.
type Stored struct {
	Notice
	Seq int64
}

// Change is a notice to store, or one to end: retracted, or expired. One of Create, Retract and Expire is set.
type Change struct {
	// Create is the notice to store.
	Create *Addressed
	// Once ties a creation to the request that asks for it.
	Once Idempotency
	// Retract is the id of the notice to retract, At when, Unix milliseconds.
	Retract string
	At      int64
	// Expire is the id of a notice whose time is over.
	Expire string
	// Line is written down with a change that an admin has asked for, if it is made.
	Line audit.Line
}

// Changed is what has become of a Change.
type Changed struct {
	// Seq is the number of the change among all changes of notices; 0 where there is nothing to tell: nothing has changed,
	// or a notice was retracted that had expired.
	Seq int64
	// Notice is the one that was stored or ended; where Replayed is set, the one that was stored for the same request before.
	Notice   Notice
	Replayed bool
	// Rooms hold the audience of the notice that was ended, Ended is its number, and Newest the number of the newest notice
	// left in each of the rooms, 0 for none.
	Rooms  []roles.Room
	Ended  int64
	Newest map[roles.Room]int64
	// Err tells why nothing has changed: ErrKeyReused, or ErrNoSuchNotice for an id that is not there, was retracted, or, of
	// one to expire, has ended.
	Err error
}

// Past is a change of notices as it was made, whichever server has made it.
type Past struct {
	// Seq is the number of the change.
	Seq int64
	// Notice is the one that was stored or ended, Rooms hold its audience.
	Notice Notice
	Rooms  []roles.Room
	// Ended is the number of the notice that was ended, 0 where it was stored, and Newest, of one that was ended, the number of
	// the newest notice left in each of the rooms after the change, 0 for none.
	Ended  int64
	Newest map[roles.Room]int64
}

// InboxPage asks for a part of a reader's unread notices.
type InboxPage struct {
	Reader Reader
	// Now, in Unix milliseconds, leaves out what has expired by then and was not ended yet.
	Now int64
	// AsOf takes account of the changes up to this number, and of none beyond it: a notice stored later is not in the
	// inbox, and one ended later still is, unless the reader's mark has moved over it since.
	AsOf int64
	// After is the id of the notice behind which the page begins; "" for the first page.
	After string
	Limit int
}

// HistoryPage asks for a part of what was addressed to a reader.
type HistoryPage struct {
	Reader Reader
	// Now is as in InboxPage.
	Now   int64
	State State
	// Before is the number of a notice: the page holds older ones.
	Before int64
	Limit  int
}

// Place is a notice of a history with its number.
type Place struct {
	Received
	Seq int64
}

// Marking asks for notices to be marked as read.
type Marking struct {
	Reader Reader
	// IDs names the notices. Those that are not addressed to the reader match nothing.
	IDs []string
	// UpTo marks all notices up to this number; 0 for none.
	UpTo int64
}

// Store keeps notices and who has read them.
type Store interface {
	// Apply makes changes in one transaction, in order, writes down their lines in it, and returns what has become of each. Their numbers rise, also from
	// one call to the next, and in the order of commits: who has seen a change will see none appear below it.
	Apply(ctx context.Context, changes []Change) ([]Changed, error)
	// LastChange returns the highest number of a change, 0 where there is none.
	LastChange(ctx context.Context) (int64, error)
	// ChangesSince returns the first changes beyond a number, in the order of their numbers and at most limit.
	ChangesSince(ctx context.Context, after int64, limit int) ([]Past, error)
	// LiveRooms hands over each room with the number of the newest notice there that has not ended.
	LiveRooms(ctx context.Context, each func(room roles.Room, newest int64)) error
	// Expiring returns the ids of notices that have expired by now, Unix milliseconds, and have not ended, at most limit and
	// the earliest first, and when the next one expires, 0 where there is none.
	Expiring(ctx context.Context, now int64, limit int) (due []string, next int64, err error)
	// ReplayNotice returns the notice that an idempotency key was first used for; found is false for a key that was not
	// used since once.Since. ErrKeyReused tells that it was used for another request.
	ReplayNotice(ctx context.Context, once Idempotency) (first Notice, found bool, err error)
	// Notices returns the newest notices below a seq, at most limit, without those retracted, newest first.
	Notices(ctx context.Context, before int64, limit int) ([]Stored, error)
	// NoticeByID returns a notice; found is false for an unknown or retracted one.
	NoticeByID(ctx context.Context, id string) (notice Notice, found bool, err error)
	// Inbox returns a page of a reader's unread notices, oldest first, and how many there are in all. It fails with
	// ErrNoSuchNotice where asked.After is the id of no notice, retracted ones included.
	Inbox(ctx context.Context, asked InboxPage) (notices []Notice, unread int, err error)
	// Unread counts a reader's unread notices, with asOf and now as in InboxPage.
	Unread(ctx context.Context, reader Reader, asOf, now int64) (int, error)
	// Received returns notices addressed to a reader that have not ended, newest first, and whether each has been read.
	Received(ctx context.Context, asked HistoryPage) ([]Place, error)
	// Begin returns a user's mark. For somebody who has none it makes one, before the notices created since then, in Unix
	// milliseconds: older ones count as read.
	Begin(ctx context.Context, userID string, since int64) (ReadMark, error)
	// MarkNoticesRead moves the reader's mark over those of the notices that are addressed to them, and returns where it is
	// then and how many of the ids were theirs. It changes nothing and fails with ErrTooFarAhead where the mark would list more
	// than MaxReadAhead.
	MarkNoticesRead(ctx context.Context, asked Marking) (mark ReadMark, matched int, err error)
}
