package chat

import (
	"context"
	"errors"
	"math"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
)

// conversation is a chat room for somebody who may be in it.
type conversation struct {
	room roles.ChatRoom
	// members are the people of a direct room or group, in the order of user id; nil for an open room.
	members []string
	// since is the revision of the room by which a group's members have become these.
	since int64
	// group is the one that the room is, the zero one of any other.
	group groups.Group
}

func inGroup(group groups.Group) conversation {
	return conversation{room: group.Room, members: group.Members, since: group.Since, group: group}
}

// sight is from where on somebody sees the room.
func (c conversation) sight(userID string) groups.Sight { return c.group.SightOf(userID) }

// conversation reads the id of a room that the caller wants to be in. It fails with forbidden, room_invalid and
// room_forbidden.
func (s *Service) conversation(ctx context.Context, who auth.Identity, roomID string) (conversation, error) {
	room, err := parseRoom(roomID)
	if err != nil {
		return conversation{}, err
	}
	return s.mayBeIn(ctx, who, room)
}

// mayBeIn is the one place that says who may be in which room. It fails with forbidden and room_forbidden. A group that does not exist is refused as one the caller
// is not in, so that nobody can probe for groups.
func (s *Service) mayBeIn(ctx context.Context, who auth.Identity, room roles.ChatRoom) (conversation, error) {
	if !who.Can(roles.Chat) {
		return conversation{}, fault.New(fault.Forbidden, "This role cannot chat")
	}
	switch room.Kind() {
	case roles.DirectKind:
		if _, theirs := room.Peer(who.UserID); !theirs {
			return conversation{}, forbiddenRoom("Only the two people of a direct room enter it")
		}
		return conversation{room: room, members: room.People()}, nil
	case roles.GroupKind:
		group, err := s.groups.Group(ctx, room)
		if err != nil {
			return conversation{}, err
		}
		if !group.Has(who.UserID) {
			return conversation{}, forbiddenRoom("Only members enter a group")
		}
		return inGroup(group), nil
	case roles.OpenKind:
		if !s.options.OpenRooms.Allows(room, who.Role) {
			return conversation{}, forbiddenRoom("This room is not open to you")
		}
		return conversation{room: room}, nil
	default:
		return conversation{}, forbiddenRoom("There is no such room")
	}
}

// mayMake is mayBeIn for a change. Who deletes the messages of others does so in any room. It fails as mayBeIn does.
func (s *Service) mayMake(ctx context.Context, who auth.Identity, change Change) (conversation, error) {
	talk, err := s.mayBeIn(ctx, who, change.ChatRoom())
	if deletion, is := change.(Deletion); !is || !deletion.OfAny || !fault.Is(err, fault.RoomForbidden) {
		return talk, err
	}
	room := change.ChatRoom()
	talk = conversation{room: room, members: room.People()}
	if room.Kind() == roles.GroupKind {
		group, err := s.groups.Group(ctx, room)
		return inGroup(group), err
	}
	return talk, nil
}

// Admits returns the room of an id, where the caller may be in it. It fails with room_invalid, room_forbidden and forbidden.
func (s *Service) Admits(ctx context.Context, who auth.Identity, roomID string) (roles.ChatRoom, error) {
	talk, err := s.conversation(ctx, who, roomID)
	return talk.room, err
}

// maxOutdated is how often something is tried anew as a group has other members than were known.
const maxOutdated = 5

// while does something in a room in which the caller may be as the store has it: anew where that fails with ErrOutdated, as
// another server has changed the members. It fails as mayBeIn and do do, and with unavailable.
func (s *Service) while(ctx context.Context, who auth.Identity, room roles.ChatRoom, do func(conversation) error) error {
	for range maxOutdated {
		talk, err := s.mayBeIn(ctx, who, room)
		if err != nil {
			return err
		}
		if err := do(talk); !errors.Is(err, ErrOutdated) {
			return err
		}
		s.groups.MembersChanged(room)
	}
	return fault.Busy()
}

// mayWrite holds what passes between the two people of a direct room against the policy of who may write to whom. Nobody
// writes to an id that is no person's: it may be a misspelt one, and what was said would be lost without anybody knowing.
// It fails with forbidden, and not_found, naming the payload's field that names the person.
func (s *Service) mayWrite(ctx context.Context, who auth.Identity, room roles.ChatRoom, field string) error {
	peer, direct := room.Peer(who.UserID)
	if !direct {
		return nil
	}
	if err := s.reach.MayWrite(ctx, who, peer); err != nil || peer == who.UserID {
		return err
	}
	known, err := s.isKnown(ctx, peer, room)
	if err != nil || known {
		return err
	}
	return notFound(field, "There is no such person: nobody of this id has been here yet")
}

// isKnown reports whether somebody is here or has been, or is written to already in the room. Who is here may not have been
// written down yet, and who speaks by REST alone is not.
func (s *Service) isKnown(ctx context.Context, userID string, room roles.ChatRoom) (bool, error) {
	sockets, err := s.rooms.SocketCount(ctx, roles.UserRoom(userID))
	if err != nil || sockets > 0 {
		return sockets > 0, err
	}
	_, known, err := s.people.RoleOf(ctx, userID)
	if err != nil || known {
		return known, err
	}
	head, err := s.store.Head(ctx, room)
	return head.Seq > 0, err
}

// audience names the rooms of sockets that hear what somebody does in the conversation: those of its members wherever
// they are, or, for an open room, of who has joined it. The actor's own sockets always hear it.
func (c conversation) audience(actor string) []roles.Room { return c.audienceOf(actor, math.MaxInt64) }

// audienceOf is the audience of what is done about a message: those of the members who see it.
func (c conversation) audienceOf(actor string, seq int64) []roles.Room {
	if c.members == nil {
		return []roles.Room{c.room.Room(), roles.UserRoom(actor)}
	}
	rooms := make([]roles.Room, 0, len(c.members))
	for _, member := range c.members {
		if c.sight(member).Sees(seq) {
			rooms = append(rooms, roles.UserRoom(member))
		}
	}
	return rooms
}

// parseRoom reads a room id that a client has sent. It fails with room_invalid and room_forbidden.
func parseRoom(roomID string) (roles.ChatRoom, error) {
	room, err := roles.ParseChatRoom(roomID)
	switch {
	case errors.Is(err, roles.ErrRoomReserved):
		return roles.ChatRoom{}, forbiddenRoom("Room ids of this form belong to the server")
	case err != nil:
		invalid := fault.New(fault.RoomInvalid, "A room id is "+roles.ChatRoomForm)
		invalid.Field = "roomId"
		return roles.ChatRoom{}, invalid
	default:
		return room, nil
	}
}

func notFound(field, message string) error {
	missing := fault.New(fault.NotFound, message)
	missing.Field = field
	return missing
}

func forbiddenRoom(message string) error {
	forbidden := fault.New(fault.RoomForbidden, message)
	forbidden.Field = "roomId"
	return forbidden
}
