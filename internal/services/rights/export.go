package rights

import (
	"context"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/people/blocks"
	"rolecall/internal/services/tracking"
)

// Kind is what a line of an export is. The values are promises to clients.
type Kind string

// The kinds, in the order in which they come.
const (
	ExportedProfile      Kind = "profile"
	ExportedBlock        Kind = "block"
	ExportedConversation Kind = "conversation"
	ExportedMessage      Kind = "message"
	ExportedReaction     Kind = "reaction"
	ExportedNotice       Kind = "notice"
	ExportedPosition     Kind = "position"
	ExportedReport       Kind = "report"
	// ExportedEnd is the last line: without it an export is not whole.
	ExportedEnd Kind = "end"
)

// Line is one line of an export.
type Line struct {
	Kind Kind `json:"kind"`
	Data any  `json:"data,omitempty"`
}

// exportPage is how much is read at a time, in rows.
const exportPage = 100

// Exports are where what is kept of somebody is read from.
type Exports struct {
	People        people.Store
	Blocks        blocks.Store
	Conversations conversations.Store
	Tracking      tracking.Store
	// Notices reads an inbox.
	Notices interface {
		History(ctx context.Context, who auth.Identity, query notices.HistoryQuery) (notices.History, error)
	}
}

// Profile is who somebody is.
type Profile struct{ people.Person }

// Standing is a room of somebody's, with their own marks.
type Standing struct {
	Room    roles.ChatRoom `json:"roomId"`
	Name    string         `json:"name,omitempty"`
	LastSeq int64          `json:"lastSeq"`
	ReadSeq int64          `json:"readSeq"`
	Muted   bool           `json:"muted"`
}

// ExportSelf is Export of the caller.
func (s *Service) ExportSelf(ctx context.Context, who auth.Identity, _ struct{}, each func(Line) error) error {
	if err := s.writeDown(ctx, who, who.UserID); err != nil {
		return err
	}
	return s.export(ctx, who, each)
}

// writeDown has the audit say that somebody was exported.
func (s *Service) writeDown(ctx context.Context, who auth.Identity, userID string) error {
	_, _, err := s.Log.Record(ctx, audit.Line{
		At: instant.Stamp(s.options.Now().UnixMilli()), Actor: audit.Actor{UserID: who.UserID, Username: who.Username},
		Action: audit.ExportUser, Target: userID,
	}, 0)
	return err
}

// Whom names somebody.
type Whom struct {
	UserID string `json:"id" validate:"required,userid"`
}

// Exported is Export of whom an admin names. It fails with forbidden, and not_found for somebody of whom nothing is kept.
func (s *Service) Exported(ctx context.Context, who auth.Identity, whom Whom, each func(Line) error) error {
	if !who.Can(roles.ExportPeople) {
		return fault.New(fault.Forbidden, "Only admins export what is kept of others")
	}
	users, err := s.Export.People.Users(ctx, people.UserQuery{IDs: []string{whom.UserID}}, "", 1)
	switch {
	case err != nil:
		return err
	case len(users) == 0:
		return fault.New(fault.NotFound, "There is no such person")
	}
	if err := s.writeDown(ctx, who, whom.UserID); err != nil {
		return err
	}
	user := &users[0]
	return s.export(ctx, auth.Identity{UserID: user.UserID, Username: user.Username, Role: user.Role, CompanyID: user.CompanyID}, each)
}

// export calls each for every line of what is kept of somebody, kind by kind and within a kind in one order, and reads no more of it
// than a page at a time. What comes or goes meanwhile may be in it or not.
func (s *Service) export(ctx context.Context, who auth.Identity, each func(Line) error) error {
	for _, part := range []func(context.Context, auth.Identity, func(Line) error) error{
		s.exportProfile, s.exportBlocks, s.exportConversations, s.exportMessages, s.exportReactions, s.exportNotices, s.exportPositions,
		s.exportReports,
	} {
		if err := part(ctx, who, each); err != nil {
			return err
		}
	}
	return each(Line{Kind: ExportedEnd})
}

// pages calls each for every item of all pages that read returns, the next behind the last item of the one before.
func pages[T any](ctx context.Context, kind Kind, each func(Line) error, read func(ctx context.Context, limit int, last *T) ([]T, error)) error {
	var last *T
	for {
		items, err := read(ctx, exportPage, last)
		if err != nil {
			return err
		}
		for i := range items {
			if err := each(Line{kind, items[i]}); err != nil {
				return err
			}
		}
		if len(items) == 0 {
			return nil
		}
		last = &items[len(items)-1]
	}
}

func (s *Service) exportProfile(ctx context.Context, who auth.Identity, each func(Line) error) error {
	users, err := s.Export.People.Users(ctx, people.UserQuery{IDs: []string{who.UserID}}, "", 1)
	if err != nil {
		return err
	}
	profile := Profile{Person: people.Person{UserID: who.UserID, Username: who.Username, Role: who.Role, CompanyID: who.CompanyID}}
	for i := range users {
		if users[i].LastSeen > 0 {
			profile.LastSeen = new(instant.Stamp(users[i].LastSeen))
		}
	}
	return each(Line{ExportedProfile, profile})
}

func (s *Service) exportBlocks(ctx context.Context, who auth.Identity, each func(Line) error) error {
	return pages(ctx, ExportedBlock, each, func(ctx context.Context, limit int, last *blocks.Block) ([]blocks.Block, error) {
		after := ""
		if last != nil {
			after = last.UserID
		}
		return s.Export.Blocks.Blocked(ctx, who.UserID, after, limit)
	})
}

func (s *Service) exportConversations(ctx context.Context, who auth.Identity, each func(Line) error) error {
	place := conversations.Top()
	for {
		rows, err := s.Export.Conversations.Conversations(ctx, who.UserID, place, exportPage, true)
		if err != nil || len(rows) == 0 {
			return err
		}
		for i := range rows {
			row := &rows[i]
			standing := Standing{Room: row.Room, Name: row.Name, LastSeq: row.LastSeq, ReadSeq: row.ReadSeq, Muted: row.Muted}
			if err := each(Line{ExportedConversation, standing}); err != nil {
				return err
			}
		}
		place = rows[len(rows)-1].Place()
	}
}

func (s *Service) exportMessages(ctx context.Context, who auth.Identity, each func(Line) error) error {
	rooms, err := s.Chat.RoomsOf(ctx, who.UserID)
	for _, room := range rooms.All {
		for after := int64(0); err == nil; {
			messages, failed := s.Chat.MessagesBy(ctx, who.UserID, room, after, exportPage)
			if err = failed; len(messages) == 0 {
				break
			}
			for i := range messages {
				if err := each(Line{ExportedMessage, messages[i]}); err != nil {
					return err
				}
				after = messages[i].Seq
			}
		}
	}
	return err
}

func (s *Service) exportReactions(ctx context.Context, who auth.Identity, each func(Line) error) error {
	rooms, err := s.Chat.RoomsOf(ctx, who.UserID)
	for _, room := range rooms.All {
		if err != nil {
			break
		}
		err = pages(ctx, ExportedReaction, each, func(ctx context.Context, limit int, last *Reacted) ([]Reacted, error) {
			var after Place
			if last != nil {
				after = Place{last.Seq, last.Emoji}
			}
			return s.Chat.ReactionsBy(ctx, who.UserID, room, after, limit)
		})
	}
	return err
}

func (s *Service) exportNotices(ctx context.Context, who auth.Identity, each func(Line) error) error {
	for cursor := ""; ; {
		history, err := s.Export.Notices.History(ctx, who, notices.HistoryQuery{State: notices.All, Cursor: cursor, Limit: exportPage})
		if err != nil {
			return err
		}
		for i := range history.Items {
			if err := each(Line{ExportedNotice, history.Items[i]}); err != nil {
				return err
			}
		}
		if cursor = history.Next; cursor == "" {
			return nil
		}
	}
}

func (s *Service) exportPositions(ctx context.Context, who auth.Identity, each func(Line) error) error {
	if !who.Can(roles.PublishPosition) {
		return nil
	}
	after := tracking.TrackStart()
	for {
		recorded, err := s.Export.Tracking.Track(ctx, tracking.TrackQuery{DriverID: who.UserID}, after, exportPage*10)
		if err != nil || len(recorded) == 0 {
			return err
		}
		for i := range recorded {
			if err := each(Line{ExportedPosition, recorded[i].Position}); err != nil {
				return err
			}
			after = tracking.Place{TS: recorded[i].TS, Number: recorded[i].Number}
		}
	}
}

func (s *Service) exportReports(ctx context.Context, who auth.Identity, each func(Line) error) error {
	for after := int64(0); ; {
		made, err := s.Store.ReportsBy(ctx, who.UserID, after, exportPage/10)
		if err != nil || len(made) == 0 {
			return err
		}
		for i := range made {
			after = made[i].Number
			made[i].ResolvedBy, made[i].Resolution = "", "" // the admins' own
			if err := each(Line{ExportedReport, made[i]}); err != nil {
				return err
			}
		}
	}
}
