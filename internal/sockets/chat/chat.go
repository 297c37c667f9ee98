// Package chat is the socket door of the chat service.
package chat

import (
	"context"
	"fmt"
	"log/slog"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/call"
	"rolecall/internal/roles"
	"rolecall/internal/services/attachments"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/services/people"
	"rolecall/internal/sockets/event"
)

// Handlers answers the chat events of one namespace.
type Handlers struct {
	chat   *chat.Service
	groups *groups.Service
	lists  *conversations.Service
	people *people.Service
	found  *search.Service
	files  *attachments.Service
	log    *slog.Logger
}

// Parts are what Handlers stand upon.
type Parts struct {
	Chat        *chat.Service
	Groups      *groups.Service
	Lists       *conversations.Service
	People      *people.Service
	Attachments *attachments.Service
	Search      *search.Service
	Logger      *slog.Logger
}

// New returns the handlers of the chat domain.
func New(p Parts) *Handlers {
	return &Handlers{chat: p.Chat, groups: p.Groups, lists: p.Lists, people: p.People, files: p.Attachments, found: p.Search, log: p.Logger}
}

// Register implements the sockets package's Domain.
func (h *Handlers) Register(r *event.Router) {
	event.OnSocket(r, "room:join", access.JoinRoom(), h.join)
	event.OnSocket(r, "room:leave", access.LeaveRoom(), h.leave)
	event.On(r, "room:create", access.CreateGroup(), h.groups.Create)
	event.On(r, "room:update", access.ChangeGroup(), h.groups.Update)
	event.On(r, "room:add", access.AddMembers(), h.groups.Add)
	event.On(r, "room:remove", access.RemoveMembers(), h.groups.Remove)
	event.On(r, "room:close", access.CloseGroup(), call.Done(h.groups.Close))
	event.On(r, "rooms:list", access.ReadConversations(), h.lists.List)
	event.On(r, "room:mute", access.MuteRoom(), h.lists.Mute)
	event.On(r, "chat:message", access.SendMessage(), call.Later(h.chat.Submit))
	event.On(r, "chat:edit", access.EditMessage(), call.Later(h.chat.Edit))
	event.On(r, "chat:delete", access.DeleteMessage(), call.Later(h.chat.Delete))
	event.On(r, "chat:react", access.ReactToMessage(), call.Later(h.chat.React))
	event.On(r, "chat:file", access.SendFile(), h.chat.SendFile)
	event.On(r, "chat:attachment", access.ReadAttachment(), h.files.Get)
	event.On(r, "chat:history", access.ReadMessages(), h.chat.History, event.Long())
	event.On(r, "chat:search", access.SearchMessages(), h.found.Search, event.Long())
	event.On(r, "chat:sync", access.SyncRooms(), h.chat.Sync, event.Long())
	event.OnSocket(r, "chat:typing", access.ShowTyping(), h.typing)
	event.OnSocket(r, "chat:read", access.MarkMessagesRead(), h.read)
	event.On(r, "presence:list", access.ListPresence(), h.listPeople, event.Long())
}

// Welcome tells a new socket who else is there, and of its user's conversations.
func (h *Handlers) Welcome(ctx context.Context, caller *event.Caller) error {
	if err := h.greet(ctx, caller); err != nil {
		return err
	}
	list, err := h.lists.List(ctx, caller.Who, conversations.Query{})
	if err != nil {
		return fmt.Errorf("list conversations: %w", err)
	}
	_ = caller.Emit(conversations.EventList, list) // it fails where there is nobody to tell any more
	return nil
}

// greet tells a socket who else is there.
func (h *Handlers) greet(ctx context.Context, caller *event.Caller) error {
	var gone error
	err := h.people.Greet(ctx, caller.Who, func(event string, payload any) error {
		gone = caller.Emit(event, payload)
		return gone
	})
	if err == nil || gone != nil {
		return nil //nolint:nilerr // there is nobody to tell any more
	}
	return fmt.Errorf("read presence list: %w", err)
}

// Renew tells a socket anew who else is there, and what has become of its user's conversations.
func (h *Handlers) Renew(ctx context.Context, caller *event.Caller) error {
	return h.Welcome(ctx, caller)
}

// Farewell tells the rooms a socket was in that it has gone.
func (h *Handlers) Farewell(ctx context.Context, who auth.Identity, chatRooms []roles.ChatRoom) {
	if err := h.chat.Left(ctx, who, chatRooms); err != nil {
		h.log.ErrorContext(ctx, "rooms not told who has left", "user", who.UserID, "error", err)
	}
}

type unread struct {
	Unread   int `json:"unread"`
	Mentions int `json:"mentions"`
}

func (h *Handlers) typing(ctx context.Context, caller *event.Caller, in chat.Typing) (call.Nothing, error) {
	return call.Nothing{}, h.chat.Typing(ctx, caller.Who, in, caller)
}

func (h *Handlers) read(ctx context.Context, caller *event.Caller, in chat.ReadUpTo) (unread, error) {
	left, err := h.chat.MarkRead(ctx, caller.Who, in, caller)
	return unread{Unread: left.Unread, Mentions: left.Mentions}, err
}

type peopleQuery struct {
	UserIDs []string `json:"userIds" validate:"max=500,dive,userid"`
}

type peopleList struct {
	Users []people.Person `json:"users"`
}

func (h *Handlers) listPeople(ctx context.Context, who auth.Identity, in peopleQuery) (peopleList, error) {
	found := []people.Person{}
	var err error
	switch {
	case in.UserIDs == nil:
		found, err = h.people.Around(ctx, who)
	case len(in.UserIDs) > 0: // an empty list asks for nobody
		found, err = h.people.Named(ctx, who, in.UserIDs)
	}
	return peopleList{Users: found}, err
}
