package administration

import (
	"context"
	"fmt"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
)

// Subject is a socket of this process that something is done to.
type Subject struct {
	// UserID is whose it is.
	UserID    string
	Namespace string
	// Session is the part of its connection's id that may be shown.
	Session string
}

// Connected is who can be sent away.
type Connected interface {
	// Disconnect takes the socket out of its namespace or, with closeConnection, closes its connection.
	Disconnect(closeConnection bool)
}

// Membership is a socket's in a chat room.
type Membership interface {
	// Join fails where the socket's user may not be in the room.
	Join(ctx context.Context) error
	Leave(ctx context.Context) error
}

// DisconnectSocket sends away one socket, or its whole connection. It is written down first.
func (s *Service) DisconnectSocket(ctx context.Context, who auth.Identity, of Subject, socket Connected, closeConnection bool) error {
	what := "the socket"
	if closeConnection {
		what = "the connection"
	}
	if err := s.record(ctx, who, audit.DisconnectSocket, of.UserID, fmt.Sprintf("%s of session %s in %s", what, of.Session, of.Namespace)); err != nil {
		return err
	}
	socket.Disconnect(closeConnection)
	return nil
}

// DisconnectRoom closes the connections of all sockets in a room, on every node. It is written down first.
func (s *Service) DisconnectRoom(ctx context.Context, who auth.Identity, room roles.Room) error {
	if err := s.record(ctx, who, audit.DisconnectRoom, string(room), ""); err != nil {
		return err
	}
	if err := s.Clients.Disconnect(ctx, room); err != nil {
		return fault.Down(err)
	}
	return nil
}

// JoinSocket has a socket join a chat room that its user may be in. What cannot be written down is undone.
func (s *Service) JoinSocket(ctx context.Context, who auth.Identity, of Subject, room roles.ChatRoom, in Membership) error {
	if !who.Can(roles.ManageSessions) {
		return errNotAnAdmin()
	}
	if err := in.Join(ctx); err != nil {
		return err
	}
	if err := s.record(ctx, who, audit.JoinSocket, of.UserID, moved(room, of)); err != nil {
		if undone := in.Leave(ctx); undone != nil {
			s.log.ErrorContext(ctx, "a socket stays in a room without a line in the audit", "room", room.String(), "error", undone)
		}
		return err
	}
	return nil
}

// LeaveSocket has a socket leave a chat room. It is written down first.
func (s *Service) LeaveSocket(ctx context.Context, who auth.Identity, of Subject, room roles.ChatRoom, in Membership) error {
	if err := s.record(ctx, who, audit.LeaveSocket, of.UserID, moved(room, of)); err != nil {
		return err
	}
	return in.Leave(ctx)
}

func moved(room roles.ChatRoom, of Subject) string {
	return fmt.Sprintf("room %s, session %s in %s", room, of.Session, of.Namespace)
}

// record writes down a deed that is not recognised when it is asked for again.
func (s *Service) record(ctx context.Context, who auth.Identity, action audit.Action, target, detail string) error {
	if !who.Can(roles.ManageSessions) {
		return errNotAnAdmin()
	}
	_, _, err := s.Store.Record(ctx, audit.Line{
		At: instant.Stamp(s.options.Now().UnixMilli()), Actor: audit.Actor{UserID: who.UserID, Username: who.Username},
		Action: action, Target: target, Detail: detail,
	}, s.since())
	return err
}

func errNotAnAdmin() error {
	return fault.New(fault.Forbidden, "Only admins move or send away the sockets of others")
}
