// Package rights is what people may ask of what is kept of them: all of it, and that it goes.
package rights

import (
	"context"

	"rolecall/internal/audit"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/reports"
)

// DeletedName is what somebody is called in what remains of them.
const DeletedName = "deleted person"

// Deletion is that somebody is to be taken out of what is kept.
type Deletion struct {
	UserID string
	// At is the moment up to which what is of them goes, Unix milliseconds: who comes again later begins anew.
	At int64
}

// Erasable is a part of what is kept of a person.
type Erasable string

// The parts that are rows of the person, in the order in which they go.
const (
	InDirectory Erasable = "directory"
	InInbox     Erasable = "inbox"
	InBlocks    Erasable = "blocks"
	InReports   Erasable = "reports"
	InNotices   Erasable = "notices"
)

// Parts are all of them.
func Parts() []Erasable { return []Erasable{InDirectory, InInbox, InBlocks, InReports, InNotices} }

// Store keeps which deletions are under way, and takes away what is of one person alone.
type Store interface {
	// BeginDeletion keeps that somebody is to be deleted and revokes their tokens up to then, with the line, in one transaction.
	BeginDeletion(ctx context.Context, deletion Deletion, line audit.Line) error
	// Unfinished returns the deletions that are not finished, the oldest first and at most limit.
	Unfinished(ctx context.Context, limit int) ([]Deletion, error)
	// FinishDeletion keeps that nothing of it is left to be done, unless it was begun again since.
	FinishDeletion(ctx context.Context, deletion Deletion) error
	// Erase takes away some of a part, in a transaction of bounded size; more is set where there may be more of it.
	Erase(ctx context.Context, deletion Deletion, part Erasable) (more bool, err error)
	// ReportsBy returns the first reports that somebody has made behind a number, in order and at most limit.
	ReportsBy(ctx context.Context, userID string, after int64, limit int) ([]reports.Report, error)
}

// Place is a place among the messages of somebody in a room, or their reactions.
type Place struct {
	Seq   int64
	Emoji string
}

// Reacted is that somebody has reacted to a message.
type Reacted struct {
	Room  roles.ChatRoom `json:"roomId"`
	Seq   int64          `json:"seq"`
	Emoji string         `json:"emoji"`
}

// Rooms are what somebody has to do with: those they belong to or take part in, and those they have left.
type Rooms struct {
	All    []roles.ChatRoom
	Groups []roles.ChatRoom // those of them that are groups to which they belong
}

// Chat has what somebody has done in rooms.
type Chat interface {
	// RoomsOf returns the rooms in which there may be something of somebody, in the order of their ids.
	RoomsOf(ctx context.Context, userID string) (Rooms, error)
	// MessagesBy returns somebody's first messages in a room behind a seq, in order and at most limit.
	MessagesBy(ctx context.Context, userID string, room roles.ChatRoom, after int64, limit int) ([]chat.Message, error)
	// ReactionsBy returns somebody's first reactions in a room behind a place, in the order of seq and emoji and at most limit.
	ReactionsBy(ctx context.Context, userID string, room roles.ChatRoom, after Place, limit int) ([]Reacted, error)
	// EraseIn takes somebody's name and reactions out of a part of a room: that of the messages behind a seq which were said up to
	// a time, of which it looks at a bounded number. It returns the last seq at which it has looked, 0 where there are none beyond.
	EraseIn(ctx context.Context, deletion Deletion, room roles.ChatRoom, after int64) (last int64, err error)
	// EraseStanding has somebody have read nothing, and, where all is said, belong to no direct or open room.
	EraseStanding(ctx context.Context, deletion Deletion, all bool) error
}

// Positions has the tracks of drivers.
type Positions interface {
	// EraseTrack takes away a bounded number of a driver's positions up to a time; more is set where there are more. With the last
	// of them the driver goes.
	EraseTrack(ctx context.Context, deletion Deletion) (more bool, err error)
}

// Answer is what is answered to who asks for a deletion.
type Answer struct {
	UserID string        `json:"userId"`
	At     instant.Stamp `json:"deletedAt"`
}
