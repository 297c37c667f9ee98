package chat

import (
	"cmp"
	"context"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
)

const (
	// MaxSyncedRooms is how many rooms one answer of Sync has, beside those named ones that cannot be told of: these come in
	// every answer, and so may not take the place of others.
	MaxSyncedRooms = 100
	// MaxSyncedChanges is how many changes of all rooms one answer has.
	MaxSyncedChanges = 200
	// MaxBehind is of how many messages of a room somebody may lack what has become of them, and still be told of each.
	MaxBehind = 5000
)

// SyncQuery says how far a client knows rooms.
type SyncQuery struct {
	// Rooms are revisions by the ids of rooms.
	Rooms map[string]int64 `json:"rooms" validate:"max=1000,dive,min=0"`
	// After and UpTo bound the rooms that are asked for, whether they are named or not, by their ids as the server writes them
	// and in the order of bytes: those beyond After, up to and with UpTo; "" for no bound. So who has more rooms than one query
	// names asks for a part of them at a time.
	After string `json:"after" validate:"max=300"`
	UpTo  string `json:"upTo" validate:"max=300"`
}

// asks reports whether a room is among those that are asked for.
func (q *SyncQuery) asks(id string) bool { return id > q.After && (q.UpTo == "" || id <= q.UpTo) }

// Synced is what a client lacks of rooms.
type Synced struct {
	// Rooms are by the ids of the rooms, as the server writes them. What is not among them is as the client knows it, unless
	// HasMore is set: then there are more rooms.
	Rooms   map[string]SyncedRoom `json:"rooms"`
	HasMore bool                  `json:"hasMore"`
	// After is set with HasMore: of no room up to it is anything lacking any more, and the query may go on beyond it.
	After string `json:"after,omitempty"`
	// Unread is how many messages of others lie beyond the caller's read mark, by the ids of those rooms, and Mentions how many that
	// mention the caller.
	Unread   map[string]int `json:"unread"`
	Mentions map[string]int `json:"mentions"`
}

// SyncedRoom is what a client lacks of a room.
type SyncedRoom struct {
	// Changes are in the order of revision; a message that was changed several times comes once, as it has become.
	Changes []SyncedChange `json:"changes"`
	// Revision is how far the client knows the room with them.
	Revision int64 `json:"revision"`
	HasMore  bool  `json:"hasMore"`
	// Reset is set where not all that is lacking can be told, or nothing was known. What the client has of the room counts no
	// more: Changes are its newest messages, in the order of seq, and what was said before them is in the history.
	Reset bool `json:"reset,omitempty"`
	// Error and Code are why the room cannot be told of; what else is here is as the client has said.
	Error string     `json:"error,omitempty"`
	Code  fault.Code `json:"code,omitempty"`
}

// SyncedKind is what a SyncedChange is.
type SyncedKind string

// The kinds.
const (
	SyncedMessage  SyncedKind = "message"
	SyncedRemovals SyncedKind = "removed"
)

// SyncedChange is one change of a room.
type SyncedChange struct {
	Kind     SyncedKind `json:"kind"`
	Revision int64      `json:"revision"`
	// Message is one that was said, or has become what it is; with Members, the entry that tells of them, where it is kept.
	Message *Message `json:"message,omitempty"`
	// Members are those who were taken out of a group, by whom is told beside.
	Members  []string `json:"members,omitempty"`
	UserID   string   `json:"userId,omitempty"`
	Username string   `json:"username,omitempty"`
}

// bytes is about what the change takes as JSON.
func (c SyncedChange) bytes() int {
	const rest = 100 // names of members, a number
	bytes := rest + page.TextBytes(c.Username)
	if c.Message != nil {
		bytes += c.Message.Bytes()
	}
	for _, member := range c.Members {
		bytes += len(member) + len(`"",`)
	}
	return bytes
}

// Sync tells what the caller has missed in all their direct rooms and groups, and in the open rooms in which they have written
// or that they name. It is asked for again, with the revisions that it has returned, or of the rooms beyond those that it has
// told all of, as long as there is more: a room that is not named is one of which nothing is known.
func (s *Service) Sync(ctx context.Context, who auth.Identity, query SyncQuery) (Synced, error) {
	if !who.Can(roles.Chat) {
		return Synced{}, fault.New(fault.Forbidden, "This role cannot chat")
	}
	synced := Synced{Rooms: make(map[string]SyncedRoom), Unread: make(map[string]int), Mentions: make(map[string]int)}
	known := synced.take(&query)
	rooms, err := s.lacking(ctx, who, &query, known)
	if err != nil {
		return Synced{}, err
	}
	told, changes, bytes, after := 0, 0, 0, query.After
	for _, room := range rooms {
		if told >= MaxSyncedRooms || changes >= MaxSyncedChanges || bytes >= page.MaxBytes {
			synced.HasMore = true
			break
		}
		revision, isKnown := known[room]
		one, counts, err := s.syncRoom(ctx, who, room, syncFrom{revision, isKnown}, MaxSyncedChanges-changes)
		if fault.Unexpected(err) || fault.Is(err, fault.Unavailable) {
			return Synced{}, err
		}
		if synced.HasMore = synced.HasMore || one.HasMore; !synced.HasMore {
			after = room.String()
		}
		switch {
		case err != nil:
			synced.Rooms[room.String()] = unsynced(revision, err)
			continue
		case isKnown && one.Revision == revision && !one.Reset:
			continue
		}
		synced.Rooms[room.String()] = one
		synced.Unread[room.String()], synced.Mentions[room.String()] = counts.Unread, counts.Mentions
		told++
		changes += len(one.Changes)
		for _, change := range one.Changes {
			bytes += change.bytes()
		}
	}
	if synced.HasMore {
		synced.After = after
	}
	return synced, nil
}

// take returns how far a client knows rooms, and notes what is none.
func (s *Synced) take(query *SyncQuery) map[roles.ChatRoom]int64 {
	known := make(map[roles.ChatRoom]int64, len(query.Rooms))
	for id, revision := range query.Rooms {
		room, err := parseRoom(id)
		switch {
		case err != nil && query.asks(id):
			s.Rooms[id] = unsynced(revision, err)
		case err == nil:
			if before, twice := known[room]; twice { // a direct room, by both of its ids
				revision = min(revision, before)
			}
			known[room] = revision
		}
	}
	return known
}

// unsynced is a room of which nothing can be told.
func unsynced(revision int64, why error) SyncedRoom {
	failed := fault.From(why)
	return SyncedRoom{Changes: []SyncedChange{}, Revision: revision, Error: failed.Message, Code: failed.Code}
}

// lacking are the rooms that are asked for of which the caller may lack something, in the order of their ids.
func (s *Service) lacking(
	ctx context.Context, who auth.Identity, query *SyncQuery, known map[roles.ChatRoom]int64,
) ([]roles.ChatRoom, error) {
	standings, err := s.store.Standings(ctx, who.UserID)
	if err != nil {
		return nil, err
	}
	var rooms []roles.ChatRoom
	stands := make(map[roles.ChatRoom]bool, len(standings))
	for _, standing := range standings {
		if !query.asks(standing.Room.String()) || standing.Room.Kind() == roles.OpenKind && !s.options.OpenRooms.Allows(standing.Room, who.Role) {
			continue
		}
		stands[standing.Room] = true
		if revision, isKnown := known[standing.Room]; !isKnown || revision != standing.Revision {
			rooms = append(rooms, standing.Room)
		}
	}
	for room := range known {
		if !stands[room] && query.asks(room.String()) {
			rooms = append(rooms, room)
		}
	}
	slices.SortFunc(rooms, func(a, b roles.ChatRoom) int { return cmp.Compare(a.String(), b.String()) })
	return rooms, nil
}

// syncFrom is how far a client knows a room.
type syncFrom struct {
	revision int64
	isKnown  bool
}

// syncRoom tells what somebody lacks of a room, at most so many changes, and how much of it they have not read.
func (s *Service) syncRoom(
	ctx context.Context, who auth.Identity, room roles.ChatRoom, from syncFrom, most int,
) (one SyncedRoom, counts Counts, err error) {
	err = s.while(ctx, who, room, func(talk conversation) (err error) {
		head, err := s.store.Head(ctx, room)
		if err != nil {
			return err
		}
		if head.MembersSince != talk.since {
			return ErrOutdated
		}
		if counts, err = s.store.Unread(ctx, room, who.UserID, talk.since); err != nil {
			return err
		}
		isWhole, err := s.canTell(ctx, room, talk.sight(who.UserID), from, head)
		switch {
		case err != nil:
			return err
		case !isWhole:
			one, err = s.newest(ctx, who, talk, head, most)
		default:
			one, err = s.changed(ctx, who, talk, syncPart{from.revision, head.Revision, most})
		}
		return err
	})
	return one, counts, err
}

// canTell reports whether all is there that somebody lacks of a room. What retention has taken away is not: of the revisions
// before the first message that is kept only those are known that are no message's.
// Who sees less of it than that lacks nothing that they could be told, and what they know from before counts no more.
func (s *Service) canTell(
	ctx context.Context, room roles.ChatRoom, sight groups.Sight, from syncFrom, head Head,
) (bool, error) {
	if !from.isKnown || from.revision > head.Revision || from.revision < sight.Revision {
		return false, nil
	}
	if head.Revision-from.revision > MaxBehind { // which may be few messages that were changed often
		changed, err := s.store.CountChanged(ctx, room, from.revision, MaxBehind+1)
		if err != nil || changed > MaxBehind {
			return false, err
		}
	}
	first, err := s.store.FirstSaid(ctx, room, sight.Seq)
	if err != nil {
		return false, err
	}
	if first == 0 {
		first = head.Revision + 1
	}
	gone := first - 1 - from.revision
	if gone <= 0 {
		return true, nil
	}
	removals, err := s.removals(ctx, room, from.revision, first)
	return int64(len(removals)) == gone, err
}

// removals are those who were taken out of a group by changes between two revisions.
func (s *Service) removals(ctx context.Context, room roles.ChatRoom, after, before int64) ([]SyncedChange, error) {
	if room.Kind() != roles.GroupKind {
		return nil, nil
	}
	all, err := s.groups.Removals(ctx, room, after)
	if err != nil {
		return nil, err
	}
	var changes []SyncedChange
	for _, removed := range all {
		if removed.Revision < before {
			changes = append(changes, SyncedChange{
				Kind: SyncedRemovals, Revision: removed.Revision, Members: removed.Members,
				UserID: removed.By.UserID, Username: removed.By.Username,
			})
		}
	}
	return changes, nil
}

// withRemovals puts changes of one room together, in the order of revision. An entry that tells of those who were taken out is one
// change with them.
func withRemovals(changes, removals []SyncedChange) []SyncedChange {
	entries := make(map[int64]*Message, len(removals))
	for i := range changes {
		if changes[i].Message.System != nil {
			entries[changes[i].Revision] = changes[i].Message
		}
	}
	told := make(map[int64]bool, len(removals))
	for i := range removals {
		told[removals[i].Revision] = true
		removals[i].Message = entries[removals[i].Revision]
	}
	changes = append(slices.DeleteFunc(changes, func(c SyncedChange) bool { return told[c.Revision] }), removals...)
	slices.SortFunc(changes, func(a, b SyncedChange) int { return cmp.Compare(a.Revision, b.Revision) })
	return changes
}

// newest are the newest messages of a room, for whom not all can be told that they lack.
func (s *Service) newest(ctx context.Context, who auth.Identity, talk conversation, head Head, most int) (SyncedRoom, error) {
	asked := newPage(nil, nil, min(most, DefaultPage))
	asked.Before = head.Seq + 1
	history, err := s.readHistory(ctx, who, talk, asked)
	one := SyncedRoom{Changes: []SyncedChange{}, Revision: head.Revision, Reset: true}
	for i := range history.Messages {
		one.Changes = append(one.Changes, SyncedChange{
			Kind: SyncedMessage, Revision: history.Messages[i].Revision, Message: &history.Messages[i],
		})
	}
	return one, err
}

// syncPart is a part of a room's changes.
type syncPart struct {
	after, upTo int64
	most        int
}

// changed are the first changes of a room beyond a revision.
func (s *Service) changed(ctx context.Context, who auth.Identity, talk conversation, part syncPart) (SyncedRoom, error) {
	messages, err := s.store.ChangedMessages(ctx, talk.room, ChangedPage{
		After: part.after, UpTo: part.upTo, Limit: part.most, MembersSince: talk.since, Asker: who.UserID,
		From: talk.sight(who.UserID).Seq,
	})
	if err != nil {
		return SyncedRoom{}, err
	}
	if err := FillQuotes(ctx, s.store, talk.room, talk.sight(who.UserID), Pointers(messages)); err != nil {
		return SyncedRoom{}, err
	}
	upTo, texts := part.upTo, 0
	changes := make([]SyncedChange, 0, len(messages))
	for i := range messages {
		messages[i] = messages[i].ToldTo(who.UserID)
		texts += len(messages[i].Text)
		changes = append(changes, SyncedChange{Kind: SyncedMessage, Revision: messages[i].Revision, Message: &messages[i]})
	}
	if len(messages) == part.most || texts > EnoughText { // there may be more
		upTo = messages[len(messages)-1].Revision
	}
	removals, err := s.removals(ctx, talk.room, part.after, upTo+1)
	if err != nil {
		return SyncedRoom{}, err
	}
	changes = withRemovals(changes, removals)
	if fits := page.Fit(changes, part.most, SyncedChange.bytes); fits < len(changes) {
		changes = changes[:fits]
		upTo = changes[fits-1].Revision
	}
	return SyncedRoom{Changes: changes, Revision: upTo, HasMore: upTo < part.upTo}, nil
}
