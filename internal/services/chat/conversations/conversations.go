package conversations

import (
	"context"
	"slices"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
)

const (
	// EventList tells a socket on connection the first page of its user's conversations.
	EventList = "rooms:list"
	// EventMuted tells a user's other sockets that they want to be left alone by a conversation, or no longer.
	EventMuted = "room:muted"
)

// Page sizes of a person's list, in conversations.
const (
	DefaultPage = 50
	MaxPage     = 200
	// MaxListedMembers is how many members of a group a list names; of a larger group it says how many there are.
	MaxListedMembers = groups.MaxListed
)

// Groups knows who belongs to a group.
type Groups interface {
	// Group returns a group, of which nothing must be changed; without members for an unknown one.
	Group(ctx context.Context, room roles.ChatRoom) (groups.Group, error)
}

// People knows what people are called.
type People interface {
	// Usernames returns them by user id, without those of people whom the caller would not find, and of whom nobody has heard.
	Usernames(ctx context.Context, who auth.Identity, userIDs []string) (map[string]string, error)
}

// Rooms says who may be in which room.
type Rooms interface {
	// Admits returns the room of an id. It fails with room_invalid, room_forbidden and forbidden.
	Admits(ctx context.Context, who auth.Identity, roomID string) (roles.ChatRoom, error)
}

// Emitter sends an event to every socket in any of the rooms, once each.
type Emitter interface {
	Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room)
}

// Parts are what a Service stands upon.
type Parts struct {
	Store  Store
	Groups Groups
	People People
	Rooms  Rooms
	Emit   Emitter
}

// Options shapes a Service.
type Options struct {
	// OpenRooms is who may enter which open room: others find it not among their conversations.
	OpenRooms roles.OpenRooms
	Now       func() time.Time
}

// Service lists conversations.
type Service struct {
	Parts
	options Options
}

// New returns a Service.
func New(parts Parts, options Options) *Service {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Service{Parts: parts, options: options}
}

// Conversation is a room in which somebody takes part, as they see it.
type Conversation struct {
	Room roles.ChatRoom     `json:"roomId"`
	Kind roles.ChatRoomKind `json:"kind"`
	// Name is a group's, and in a direct room the username of whom the caller talks to: where the caller finds them in the
	// directory, or they were the last to write. Of others it is their id, so that nobody learns a name by writing to an id.
	Name string `json:"name,omitempty"`
	// Members are those of a group, in the order of user id; in a list only where they are at most MaxListedMembers.
	Members []string `json:"members,omitempty"`
	// MemberCount is how many there are.
	MemberCount int `json:"memberCount,omitempty"`
	// Owner is whose group it is, and History from where on those see it who are added.
	Owner   string         `json:"owner,omitempty"`
	History groups.History `json:"history,omitempty"`
	// Peer is whom the caller talks to in a direct room, perhaps themselves.
	Peer        string        `json:"peer,omitempty"`
	LastMessage *chat.Message `json:"lastMessage,omitempty"`
	LastSeq     int64         `json:"lastSeq"`
	// ReadSeq is the caller's read mark; what was said before they took part counts as read.
	ReadSeq int64 `json:"readSeq"`
	// Unread is how many messages of others lie beyond it, and Mentions how many that mention the caller, muted or not.
	Unread   int  `json:"unread"`
	Mentions int  `json:"mentions"`
	Muted    bool `json:"muted"`
	// Closed is set where nobody writes in the room any more.
	Closed bool `json:"closed,omitempty"`
}

// bytes is about what the conversation takes as JSON.
func (c Conversation) bytes() int {
	const rest = 200 // the kind, names of members, numbers
	bytes := rest + len(c.Room.String()) + len(c.Peer) + page.TextBytes(c.Name)
	for _, member := range c.Members {
		bytes += len(member) + len(`"",`)
	}
	if c.LastMessage != nil {
		bytes += c.LastMessage.Bytes()
	}
	return bytes
}

// List is a page of somebody's conversations, the last active first.
type List struct {
	Rooms []Conversation `json:"rooms"`
	// NextCursor is "" where there are no more.
	NextCursor string `json:"nextCursor,omitempty"`
}

// Query asks for a page.
type Query struct {
	Cursor string     `json:"cursor"`
	Limit  page.Limit `json:"limit,omitzero" validate:"max=200"`
}

// List returns a page of the caller's conversations: direct rooms in which something was said, groups to which they belong,
// and open rooms in which they have written. The pages that follow one another show each conversation once, also those that
// become active meanwhile, or that are new. Long messages, and many members, make short pages.
func (s *Service) List(ctx context.Context, who auth.Identity, query Query) (List, error) {
	if !who.Can(roles.Chat) {
		return List{}, fault.New(fault.Forbidden, "This role cannot chat")
	}
	at := begin(s.options.Now())
	if query.Cursor != "" {
		var err error
		if at, err = parse(query.Cursor); err != nil {
			return List{}, err
		}
	}
	size := page.Size(int(query.Limit), DefaultPage, MaxPage)
	all, risen, err := s.next(ctx, who, &at, size+1)
	if err != nil {
		return List{}, err
	}
	listed, err := s.describe(ctx, who, all[:min(len(all), size)])
	if err != nil {
		return List{}, err
	}
	fits := page.Fit(listed, size, Conversation.bytes)
	for i := range all[:fits] {
		if i >= risen {
			at.place = all[i].Place()
		}
		at.show(&all[i])
	}
	slices.Reverse(listed[:min(risen, fits)])
	list := List{Rooms: slices.DeleteFunc(listed[:fits], func(c Conversation) bool { return !s.mayEnter(who, c.Room) })}
	if fits < len(all) {
		list.NextCursor = at.text()
	}
	return list, nil
}

// mayEnter reports whether a room is not an open one that is closed to somebody by now.
func (s *Service) mayEnter(who auth.Identity, room roles.ChatRoom) bool {
	return room.Kind() != roles.OpenKind || s.options.OpenRooms.Allows(room, who.Role)
}

// next are the conversations with which a listing goes on: first, so many as risen says, those that have risen above the place
// to which it has come, in the order in which they have, and then, at most limit, those below it. What rises between the two
// reads is in both, and counts as risen.
func (s *Service) next(ctx context.Context, who auth.Identity, at *cursor, limit int) (all []Row, risen int, err error) {
	below, err := s.Store.Conversations(ctx, who.UserID, at.place, limit, s.options.OpenRooms.Any())
	if err != nil || at.place == Top() {
		return below, 0, err
	}
	all, err = s.risen(ctx, who, at)
	if err != nil {
		return nil, 0, err
	}
	risen = len(all)
	for _, row := range below {
		if !slices.ContainsFunc(all[:risen], func(other Row) bool { return other.Room == row.Room }) {
			all = append(all, row)
		}
	}
	return all, risen, nil
}

// risen are the conversations that a listing has not shown and that stand above the place to which it has come.
func (s *Service) risen(ctx context.Context, who auth.Identity, at *cursor) ([]Row, error) {
	rooms, err := s.Store.Risen(ctx, who.UserID, at.place, at.since, s.options.OpenRooms.Any())
	if err != nil {
		return nil, err
	}
	rooms = slices.DeleteFunc(rooms, at.hasShown)
	if len(rooms) == 0 {
		return nil, nil
	}
	rows, err := s.Store.ConversationsIn(ctx, who.UserID, rooms[max(0, len(rooms)-MaxPage-1):])
	slices.Reverse(rows)
	return rows, err
}

// describe adds to conversations what others know of them: who belongs to them, and what the people are called. It stops
// where they are more than a page holds.
func (s *Service) describe(ctx context.Context, who auth.Identity, rows []Row) ([]Conversation, error) {
	names, err := s.peers(ctx, who, rows)
	if err != nil {
		return nil, err
	}
	listed := make([]Conversation, 0, len(rows))
	bytes := 0
	for i := range rows {
		if bytes > page.MaxBytes {
			break
		}
		one, err := s.one(ctx, who, &rows[i], names)
		if err != nil {
			return nil, err
		}
		if one.MemberCount > MaxListedMembers {
			one.Members = nil
		}
		bytes += one.bytes()
		listed = append(listed, one)
	}
	return listed, nil
}

// peers are the usernames of those to whom somebody talks in direct rooms, as far as they may know them.
func (s *Service) peers(ctx context.Context, who auth.Identity, rows []Row) (map[string]string, error) {
	var peers []string
	for i := range rows {
		if peer, direct := rows[i].Room.Peer(who.UserID); direct {
			peers = append(peers, peer)
		}
	}
	if len(peers) == 0 {
		return nil, nil //nolint:nilnil // nobody has no names
	}
	return s.People.Usernames(ctx, who, peers)
}

// sight is from where on somebody sees a room.
func (s *Service) sight(ctx context.Context, who auth.Identity, room roles.ChatRoom) (groups.Sight, error) {
	if room.Kind() != roles.GroupKind {
		return groups.Sight{}, nil
	}
	group, err := s.Groups.Group(ctx, room)
	return group.SightOf(who.UserID), err
}

func (s *Service) one(ctx context.Context, who auth.Identity, row *Row, names map[string]string) (Conversation, error) {
	c := Conversation{
		Room: row.Room, Kind: row.Room.Kind(), Name: row.Name,
		LastSeq: row.LastSeq, ReadSeq: row.ReadSeq, Unread: row.Unread, Mentions: row.Mentions, Muted: row.Muted, Closed: row.Closed,
	}
	if row.LastMessage != nil {
		sight, err := s.sight(ctx, who, row.Room)
		if err != nil {
			return c, err
		}
		if err := chat.FillQuotes(ctx, s.Store, row.Room, sight, []*chat.Message{row.LastMessage}); err != nil {
			return c, err
		}
		c.LastMessage = new(row.LastMessage.ToldTo(who.UserID))
	}
	switch c.Kind {
	case roles.DirectKind:
		c.Peer, _ = row.Room.Peer(who.UserID)
		if c.Name = names[c.Peer]; c.Name == "" && row.LastMessage != nil && row.LastMessage.UserID == c.Peer {
			c.Name = row.LastMessage.Username
		}
		if c.Name == "" {
			c.Name = c.Peer
		}
	case roles.GroupKind:
		group, err := s.Groups.Group(ctx, row.Room)
		if err != nil {
			return c, err
		}
		c.Members, c.MemberCount, c.Owner = group.Members, len(group.Members), group.Owner
		c.History = row.History
	case roles.OpenKind:
	}
	return c, nil
}

// One asks for a conversation.
type One struct {
	RoomID string `json:"roomId" validate:"required"`
}

// Get returns one conversation of the caller's, or an open room, with all its members. It fails with room_invalid,
// room_forbidden, and not_found where nothing was said in the room yet.
func (s *Service) Get(ctx context.Context, who auth.Identity, asked One) (Conversation, error) {
	room, err := s.Rooms.Admits(ctx, who, asked.RoomID)
	if err != nil {
		return Conversation{}, err
	}
	rows, err := s.Store.ConversationsIn(ctx, who.UserID, []roles.ChatRoom{room})
	if err != nil {
		return Conversation{}, err
	}
	if len(rows) == 0 {
		return Conversation{}, notFound()
	}
	names, err := s.peers(ctx, who, rows)
	if err != nil {
		return Conversation{}, err
	}
	return s.one(ctx, who, &rows[0], names)
}

// Muting says whether the caller wants to be left alone by a conversation.
type Muting struct {
	RoomID string `json:"roomId" validate:"required"`
	Muted  *bool  `json:"muted" validate:"required"`
}

// Muted is what holds from now on.
type Muted struct {
	Room  roles.ChatRoom `json:"roomId"`
	Muted bool           `json:"muted"`
}

// Mute keeps whether the caller wants to be left alone by a conversation of theirs, and tells all their sockets. Messages
// are delivered and counted all the same: it is for clients to be quiet. It fails with room_invalid, room_forbidden, and
// not_found where the caller does not take part in the room.
func (s *Service) Mute(ctx context.Context, who auth.Identity, muting Muting) (Muted, error) {
	room, err := s.Rooms.Admits(ctx, who, muting.RoomID)
	if err != nil {
		return Muted{}, err
	}
	found, err := s.Store.Mute(ctx, who.UserID, room, *muting.Muted)
	switch {
	case err != nil:
		return Muted{}, err
	case !found:
		return Muted{}, notFound()
	}
	muted := Muted{Room: room, Muted: *muting.Muted}
	s.Emit.Emit(ctx, EventMuted, muted, []roles.Room{roles.UserRoom(who.UserID)})
	return muted, nil
}

func notFound() error {
	missing := fault.New(fault.NotFound, "You do not take part in this room (yet)")
	missing.Field = "roomId"
	return missing
}
