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

// Stored is a notice with its place among all notices.
type Stored struct {
	Notice
	// Seq rises in the order in which notices were stored.
	Seq int64
}

// Store keeps notices and who has read them.
type Store interface {
	// CreateNotice stores a notice. Where the idempotency key was used before, the first notice is returned with
	// replayed set; ErrKeyReused tells that it was used for another request.
	CreateNotice(ctx context.Context, notice Addressed, once Idempotency) (stored Notice, replayed bool, err error)
	// ReplayNotice returns the notice that an idempotency key was first used for; found is false for a key that was not
	// used since once.Since. ErrKeyReused tells that it was used for another request.
	ReplayNotice(ctx context.Context, once Idempotency) (first Notice, found bool, err error)
	// Notices returns the newest notices below a seq, at most limit, without those retracted, newest first.
	Notices(ctx context.Context, before int64, limit int) ([]Stored, error)
	// NoticeByID returns a notice with its rooms; found is false for an unknown or retracted one.
	NoticeByID(ctx context.Context, id string) (notice Addressed, found bool, err error)
	// RetractNotice takes a notice out of every inbox; done is false for an unknown or already retracted one.
	RetractNotice(ctx context.Context, id string, at int64) (done bool, err error)
	// Inbox returns a reader's unread notices that have not expired at now (Unix milliseconds), oldest first and at
	// most limit of them, after the notice with id after (or from the start, for ""), and how many there are in all. It
	// fails with ErrNoSuchNotice where after is the id of no notice, retracted ones included.
	Inbox(ctx context.Context, reader Reader, now int64, after string, limit int) (notices []Notice, unread int, err error)
	// MarkNoticesRead moves the reader's mark over those of the notices that are addressed to them, and returns how
	// many were and how many stay unread. It changes nothing and fails with ErrTooFarAhead where the mark would list
	// more than MaxReadAhead.
	MarkNoticesRead(ctx context.Context, reader Reader, now int64, ids []string) (matched, unread int, err error)
}
