package chat

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/groupcommit"
	"rolecall/internal/instant"
	"rolecall/internal/keylock"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/typing"
)

// The events that members of a room hear.
const (
	EventMessage    = "chat:message"
	EventHistory    = "room:history"
	EventUserJoined = "room:user-joined"
	EventUserLeft   = "room:user-left"
	EventEdited     = "chat:edited"
	EventDeleted    = "chat:deleted"
	EventReaction   = "chat:reaction"
	EventTyping     = "chat:typing"
	EventRead       = "chat:read"
)

// Emitter sends an event to every socket in any of the rooms, once each, but for sockets in one of the except rooms.
type Emitter interface {
	Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room)
}

// Groups knows who belongs to a group.
type Groups interface {
	// Group returns a group, without members for an unknown one. Nothing of it must be changed. It may be out of date where another
	// server has changed it.
	Group(ctx context.Context, room roles.ChatRoom) (groups.Group, error)
	// Removals returns the changes of a group beyond a revision by which people were taken out of it, in the order of
	// revision.
	Removals(ctx context.Context, room roles.ChatRoom, after int64) ([]groups.Removed, error)
	// MembersChanged has the members of a group looked up anew.
	MembersChanged(room roles.ChatRoom)
}

// Reach says who may write to whom. MayWrite fails with not_found and forbidden.
type Reach interface {
	MayWrite(ctx context.Context, sender auth.Identity, userID string) error
}

// People knows who there is.
type People interface {
	// RoleOf returns a person's role; known is false for someone the server has never seen.
	RoleOf(ctx context.Context, userID string) (role roles.Role, known bool, err error)
	// Identify returns somebody as was said of them last; known is false for someone of whom nothing was ever said.
	Identify(ctx context.Context, userID string) (who auth.Identity, known bool, err error)
	// Usernames returns what people are called, by user id, without those whom the caller would not find.
	Usernames(ctx context.Context, who auth.Identity, userIDs []string) (map[string]string, error)
	// Met notes that somebody has written for the first time in a direct room or group of these members. It waits for nothing.
	Met(userID string, members []string)
}

// Rooms counts the sockets that stand in all of the rooms, on whichever node.
type Rooms interface {
	SocketCount(ctx context.Context, rooms ...roles.Room) (int, error)
}

// Parts are what a Service stands upon.
type Parts struct {
	Store  Store
	Groups Groups
	Reach  Reach
	People People
	Order  Order
	Emit   Emitter
	Rooms  Rooms
	// Files has what people upload; nil where nobody does.
	Files Files
	// Typing has signs end by themselves; nil is the board of a server that runs alone.
	Typing *typing.Board
	// Blocks, where it is set, knows who has blocked whom.
	Blocks Blocks
}

// Options shapes a Service.
type Options struct {
	// OpenRooms is who may enter rooms that are neither direct nor groups.
	OpenRooms roles.OpenRooms
	// Retention is how long messages are kept; 0 keeps them for ever.
	Retention time.Duration
	Now       func() time.Time
	Logger    *slog.Logger
}

const (
	maxChangesPerCommit = 512
	maxPendingChanges   = 8192
)

// Service takes messages, keeps them and delivers them in the order of their rooms.
type Service struct {
	store   Store
	groups  Groups
	reach   Reach
	people  People
	order   Order
	emit    Emitter
	rooms   Rooms
	files   Files
	blocks  Blocks
	options Options
	log     *slog.Logger
	writer  *groupcommit.Writer[submission, outcome]
	typing  *typing.Board

	said   atomic.Int64  // messages, in all
	asides atomic.Uint64 // how many rooms of emitBeside there have been

	// comings holds a room while somebody comes or goes, so that who leaves and comes back at once is not told of in the
	// wrong order.
	comings keylock.Mutex
}

// New returns a running Service; Close stops it.
func New(parts Parts, options Options) *Service {
	if options.Now == nil {
		options.Now = time.Now
	}
	s := &Service{
		store: parts.Store, groups: parts.Groups, reach: parts.Reach, people: parts.People,
		order: parts.Order, emit: parts.Emit, rooms: parts.Rooms, files: parts.Files, typing: parts.Typing, blocks: parts.Blocks,
		options: options, log: options.Logger,
	}
	if s.files == nil {
		s.files = noFiles{}
	}
	if s.typing == nil {
		s.typing = typing.New(parts.Emit)
	}
	s.writer = groupcommit.New(s.commit,
		groupcommit.Options{Name: "commit chat", MaxBatch: maxChangesPerCommit, MaxPending: maxPendingChanges})
	return s
}

// Close stores and delivers what is pending.
func (s *Service) Close(ctx context.Context) error {
	s.typing.Close()
	return s.writer.Close(ctx)
}

// Said is how many messages have been stored since the start.
func (s *Service) Said() int64 { return s.said.Load() }

// Outgoing is a message as its sender asks for it: to a room, or to a user.
type Outgoing struct {
	RoomID string `json:"roomId" validate:"required_without=To,excluded_with=To"`
	To     string `json:"to" validate:"omitempty,userid"`
	// Text loses the white space at its ends, after which it is 1 to MaxText code points that a reader can see.
	// With attachments there may be none.
	Text    string `json:"text"`
	ReplyTo string `json:"replyTo" validate:"max=64"`
	// Mentions are people who see the message.
	Mentions []string `json:"mentions" validate:"max=50,dive,userid"`
	ClientID string   `json:"clientId" validate:"max=128"`
	// AttachmentIDs name what the sender has uploaded, and AttachmentID the same of one.
	AttachmentID  string   `json:"attachmentId" validate:"excluded_with=AttachmentIDs,max=64"`
	AttachmentIDs []string `json:"attachmentIds" validate:"max=10,dive,required,max=64"`
}

// Receipt tells a sender where the message has found its place. The message is on disk.
type Receipt struct {
	MessageID string         `json:"messageId"`
	Room      roles.ChatRoom `json:"roomId"`
	Seq       int64          `json:"seq"`
	Timestamp instant.Stamp  `json:"timestamp"`
	// Replayed is set where the message had been sent before under the same clientId.
	Replayed bool `json:"-"`
}

// IsNew reports whether the message has found its place just now.
func (r Receipt) IsNew() bool { return !r.Replayed }

// Pending is a message on its way to the disk.
type Pending struct {
	ticket *groupcommit.Ticket[submission, outcome]
}

// Submit queues a message; messages of one caller keep their order. It fails with invalid_payload and too_large (of the
// text), room_invalid, room_forbidden, forbidden (the policy keeps the sender from the recipient), not_found (nobody of
// that id, a reply to no message of the room, a mention of who does not see it, or an attachment that is not the caller's), and
// unavailable under overload. A Pending fails with conflict where another message was sent under the same ClientID, and with
// not_found where an attachment is in another message.
func (s *Service) Submit(ctx context.Context, who auth.Identity, out Outgoing) (*Pending, error) {
	said, err := out.spoken()
	if err != nil {
		return nil, err
	}
	talk, err := s.addressed(ctx, who, out)
	if err != nil {
		return nil, err
	}
	field := "roomId"
	if out.To != "" {
		field = "to"
	}
	if err := s.mayWrite(ctx, who, talk.room, field); err != nil {
		return nil, err
	}
	if err := s.checkReply(ctx, who, talk, out.ReplyTo); err != nil {
		return nil, err
	}
	mentions, err := s.mentioned(ctx, who, talk, anew, out.Mentions)
	if err != nil {
		return nil, err
	}
	attached, err := s.attached(ctx, who, &out)
	if err != nil {
		return nil, err
	}
	ticket, err := s.writer.Submit(ctx, submission{who: who, change: Append{Message: Message{
		ID: newID(), Room: talk.room, UserID: who.UserID, Username: who.Username, Role: who.Role,
		Text: said, ReplyTo: out.ReplyTo, Timestamp: instant.Stamp(s.options.Now().UnixMilli()), ClientID: out.ClientID,
		Mentions: mentions, Attachments: attached,
	}}})
	if err != nil {
		return nil, fault.Busy() // full, or closed: every refused call would be a line in the log
	}
	return &Pending{ticket: ticket}, nil
}

// addressed is the conversation in which a message is to be said.
func (s *Service) addressed(ctx context.Context, who auth.Identity, out Outgoing) (conversation, error) {
	if out.To == "" {
		return s.conversation(ctx, who, out.RoomID)
	}
	room, err := roles.DirectRoom(who.UserID, out.To)
	if err != nil {
		return conversation{}, fault.Invalid("to", "to must be "+roles.UserIDForm)
	}
	return s.mayBeIn(ctx, who, room)
}

// seen is the seq of a message of a room that somebody sees; found is false where there is none.
func (s *Service) seen(ctx context.Context, who auth.Identity, talk conversation, messageID string) (seq int64, found bool, err error) {
	seq, found, err = s.store.SeqOf(ctx, talk.room, messageID)
	return seq, found && talk.sight(who.UserID).Sees(seq), err
}

// checkReply fails with not_found where there is no such message in the room.
func (s *Service) checkReply(ctx context.Context, who auth.Identity, talk conversation, messageID string) error {
	if messageID == "" {
		return nil
	}
	_, found, err := s.seen(ctx, who, talk, messageID)
	if err != nil || found {
		return err
	}
	return notFound("replyTo", "The message replied to is not in this room")
}

// Wait returns the receipt once the message is on disk and delivered to those online.
func (p *Pending) Wait(ctx context.Context) (Receipt, error) {
	return receipt(p.ticket.Wait(ctx))
}

// Then calls done with the receipt once the message is on disk and delivered to those online. Done must not wait for
// anything.
func (p *Pending) Then(done func(Receipt, error)) {
	p.ticket.Then(func(o outcome, err error) { done(receipt(o, err)) })
}

func receipt(o outcome, err error) (Receipt, error) {
	switch m := o.applied; {
	case err != nil:
		return Receipt{}, fault.Down(err)
	case o.refused != nil:
		return Receipt{}, o.refused
	default:
		return Receipt{MessageID: m.ID, Room: m.Room, Seq: m.Seq, Timestamp: m.Timestamp, Replayed: m.Replayed}, nil
	}
}

// Send is Submit and Wait in one.
func (s *Service) Send(ctx context.Context, who auth.Identity, out Outgoing) (Receipt, error) {
	pending, err := s.Submit(ctx, who, out)
	if err != nil {
		return Receipt{}, err
	}
	return pending.Wait(ctx)
}

// newID returns a UUID version 7 (RFC 9562): unique, and sorted by time of making.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
