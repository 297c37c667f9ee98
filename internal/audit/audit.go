// Package audit is what is written down of what admins do: a line a deed, which nobody changes or takes away. A store
// writes it in the transaction of the deed, so that there is no deed without its line.
package audit

import (
	"errors"

	"rolecall/internal/instant"
)

// Action names a kind of deed. The values are promises to clients, and stay in what has been written down.
type Action string

// The actions.
const (
	BroadcastNotice Action = "notice.broadcast"
	RetractNotice   Action = "notice.retract"
	DisconnectUser  Action = "user.disconnect"
	RevokeUser      Action = "user.revoke"
	WriteUser       Action = "user.write"
	IssueToken      Action = "user.token"
	DeleteUser      Action = "user.delete"
	ExportUser      Action = "user.export"
	// What is done to single sockets, of which the target is their user, and to all in a room, which is the target.
	DisconnectSocket Action = "socket.disconnect"
	JoinSocket       Action = "socket.join"
	LeaveSocket      Action = "socket.leave"
	DisconnectRoom   Action = "room.disconnect"
	// DeleteMessage is what is done to the message of somebody else, which is the target.
	DeleteMessage Action = "message.delete"
	// ChangeGroup is what is done to the group of somebody else, which is the target.
	ChangeGroup Action = "group.change"
	// CloseRoom and OpenRoom have a room as their target, ResolveReport and ReopenReport a report.
	CloseRoom     Action = "room.close"
	OpenRoom      Action = "room.open"
	ResolveReport Action = "report.resolve"
	ReopenReport  Action = "report.reopen"
)

// Actor is who has done something.
type Actor struct {
	UserID   string `json:"userId"`
	Username string `json:"username"`
}

// Line is one deed.
type Line struct {
	// Number is the line's place in the order in which lines were written; the store gives it.
	Number int64         `json:"-"`
	At     instant.Stamp `json:"at"`
	Actor  Actor         `json:"actor"`
	Action Action        `json:"action"`
	// Target is the id of what it was done to: a user, a notice.
	Target string `json:"target"`
	// Detail is what else a reader wants to know: the reason that was given, the title of a notice; "" for nothing.
	Detail string `json:"detail,omitempty"`
	// Key is by what the actor's request is recognised when it is sent again; "" where it is not.
	Key string `json:"-"`
}

// MaxDetail is the longest Detail, in code points.
const MaxDetail = 500

// Query asks for lines. What is empty or zero in it makes no difference.
type Query struct {
	Actor  string
	Action Action
	Target string
	// From and To bound when it was done, From included and To not, in Unix milliseconds; To 0 sets no bound.
	From, To int64
	// Before is where the page begins: it has lines that come behind this place in the order of the listing.
	Before Place
	Limit  int
}

// Place is a line's place in a listing, newest first: by the time, and among those of one moment by their number.
type Place struct{ At, Number int64 }

// Place is where a line stands.
func (l Line) Place() Place { return Place{At: int64(l.At), Number: l.Number} }

// ErrKeyReused tells that the key of a request was used before for another one.
var ErrKeyReused = errors.New("the key of the request was used for another one")
