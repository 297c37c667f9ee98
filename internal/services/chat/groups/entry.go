package groups

import (
	"fmt"
	"strings"

	"rolecall/internal/audit"
	"rolecall/internal/instant"
	"rolecall/internal/page"
	"rolecall/internal/roles"
)

// EntryType is what an entry of a group's log tells of.
type EntryType string

// The types. The values are promises to clients, and stay in what has been written down.
const (
	EntryCreated EntryType = "created"
	EntryRenamed EntryType = "renamed"
	EntryAdded   EntryType = "added"
	EntryRemoved EntryType = "removed"
	// EntryLeft is of one who has left; where it was the owner, Owner is the new one.
	EntryLeft EntryType = "left"
	// EntryOwner is of who is the owner from now on.
	EntryOwner   EntryType = "owner"
	EntryHistory EntryType = "history"
	EntryClosed  EntryType = "closed"
)

// Entry is what has become of a group, as its log says it.
type Entry struct {
	Type EntryType `json:"type"`
	// By is whose doing it was.
	By string `json:"by"`
	// Users are whom it concerns, in the order of user id: who was put in or taken out. People are told of the first MaxListed of
	// them, and by Count how many there are if there are more.
	Users []string `json:"users,omitempty"`
	Count int      `json:"count,omitempty"`
	// Name, Owner and History are what holds from then on, where that has changed.
	Name    string  `json:"name,omitempty"`
	Owner   string  `json:"owner,omitempty"`
	History History `json:"history,omitempty"`
}

// History says from where on those see the log of a group who are put into it.
type History string

// The settings.
const (
	// FromJoining shows the log from the entry on that tells of the new member.
	FromJoining History = "joined"
	FromStart   History = "all"
)

// Listed is the entry as people are told of it.
func (e *Entry) Listed() *Entry {
	if e == nil || len(e.Users) <= MaxListed {
		return e
	}
	listed := *e
	listed.Users, listed.Count = e.Users[:MaxListed], len(e.Users)
	return &listed
}

// Bytes is about what the entry takes as JSON.
func (e *Entry) Bytes() int {
	const rest = 150 // names of members, a type, ids
	bytes := rest + page.TextBytes(e.Name)
	for _, userID := range e.Listed().Users {
		bytes += len(userID) + len(`"",`)
	}
	return bytes
}

// maxNamed is how many people a sentence names.
const maxNamed = 3

// Text is a sentence for clients that know nothing of entries: those who do make their own. People are named by their ids but for
// the one whose doing it was.
func (e *Entry) Text(username string) string {
	switch e.Type {
	case EntryCreated:
		return fmt.Sprintf("%s made the group %s", username, e.Name)
	case EntryRenamed:
		return fmt.Sprintf("%s named the group %s", username, e.Name)
	case EntryAdded:
		return fmt.Sprintf("%s added %s", username, e.people())
	case EntryRemoved:
		return fmt.Sprintf("%s removed %s", username, e.people())
	case EntryLeft:
		if e.Owner != "" {
			return fmt.Sprintf("%s left; the group belongs to %s now", username, e.Owner)
		}
		return username + " left"
	case EntryOwner:
		return fmt.Sprintf("%s handed the group over to %s", username, e.Owner)
	case EntryHistory:
		if e.History == FromStart {
			return username + " lets new members see the history"
		}
		return username + " hides the history from new members"
	case EntryClosed:
		return username + " closed the group"
	default: // of a later version of the server
		return username + " changed the group"
	}
}

func (e *Entry) people() string {
	count := max(e.Count, len(e.Users))
	if count <= maxNamed {
		return strings.Join(e.Users, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(e.Users[:maxNamed-1], ", "), count-maxNamed+1)
}

// takesOut reports whether the users of the entry belong to the group no longer.
func (e *Entry) takesOut() bool {
	return e.Type == EntryRemoved || e.Type == EntryLeft || e.Type == EntryClosed
}

// TakesOut are those who belong to the group no longer by the entry.
func (e *Entry) TakesOut() []string {
	if e.takesOut() {
		return e.Users
	}
	return nil
}

// PutsIn are those who belong to a group that was there, by the entry.
func (e *Entry) PutsIn() []string {
	if e.Type == EntryAdded {
		return e.Users
	}
	return nil
}

// ChangesMembers reports whether the group has other members, or another owner, by the entry.
func (e *Entry) ChangesMembers() bool {
	return e.takesOut() || e.Type == EntryAdded || e.Owner != ""
}

// Change is a change of a group on its way to the disk.
type Change struct {
	Entry
	// ID is the entry's, as that of a message.
	ID       string
	Username string
	Role     roles.Role
	// At is when it was asked for. The store makes it no earlier than the room's newest message.
	At instant.Stamp
	// Line is what is written down of it for the audit, nil for nothing.
	Line *audit.Line
}

// Made is a change of a group that is on disk.
type Made struct {
	Change
	Seq, Revision int64
}
