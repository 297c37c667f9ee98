package notices

import (
	"context"
	"slices"

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

// TooFarAhead reports whether the mark lists more than may be kept.
func (m ReadMark) TooFarAhead() bool { return len(m.Ahead) > MaxReadAhead }

// Stored is a notice with its place among all changes of notices.
type Stored struct {
	Notice
	Seq int64
}

// Change is a notice to store, or one to retract.
type Change struct {
	// Create is the notice to store, nil for a retraction.
	Create *Addressed
	// Once ties a creation to the request that asks for it.
	Once Idempotency
	// Retract is the id of the notice to retract, At when, Unix milliseconds.
	Retract string
	At      int64
}

// Changed is what has become of a Change.
type Changed struct {
	// Seq is the number of the change among all changes of notices; 0 where nothing has changed.
	Seq int64
	// Notice is the one that was stored; where Replayed is set, the one that was stored for the same request before.
	Notice   Notice
	Replayed bool
	// Rooms hold the audience of the notice that was retracted.
	Rooms []roles.Room
	// Err tells why nothing has changed: ErrKeyReused, or ErrNoSuchNotice for an id that is not there or was retracted.
	Err error
}

// InboxPage asks for a part of a reader's unread notices.
type InboxPage struct {
	Reader Reader
	// Now, in Unix milliseconds, tells which have expired.
	Now int64
	// AsOf takes account of the changes up to this number, and of none beyond it: a notice stored later is not in the
	// inbox, and one retracted later still is, unless the reader's mark has moved over it since.
	AsOf int64
	// After is the id of the notice behind which the page begins; "" for the first page.
	After string
	Limit int
}

// Store keeps notices and who has read them.
type Store interface {
	// Apply makes changes in one transaction, in order, and returns what has become of each. Their numbers rise, also from
	// one call to the next, and in the order of commits: who has seen a change will see none appear below it.
	Apply(ctx context.Context, changes []Change) ([]Changed, error)
	// LastChange returns the highest number of a change, 0 where there is none.
	LastChange(ctx context.Context) (int64, error)
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
	// MarkNoticesRead moves the reader's mark over those of the notices that are addressed to them, and returns how
	// many were and how many stay unread. It changes nothing and fails with ErrTooFarAhead where the mark would list
	// more than MaxReadAhead.
	MarkNoticesRead(ctx context.Context, reader Reader, now int64, ids []string) (matched, unread int, err error)
}
