// Package store opens what must last: a store for each domain, as its service declares it, all over one database: a SQLite file
// of one server, or a PostgreSQL database that several share.
package store

import (
	"context"
	"errors"
	"log/slog"

	"rolecall/internal/atrest"
	"rolecall/internal/services/administration"
	"rolecall/internal/services/attachments"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/closing"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/people/blocks"
	"rolecall/internal/services/reports"
	"rolecall/internal/services/rights"
	"rolecall/internal/services/tracking"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/sqlite"
	"rolecall/internal/store/sqlite/adminstore"
	"rolecall/internal/store/sqlite/attachmentstore"
	"rolecall/internal/store/sqlite/auditlog"
	"rolecall/internal/store/sqlite/chatstore"
	"rolecall/internal/store/sqlite/noticestore"
	"rolecall/internal/store/sqlite/peoplestore"
	"rolecall/internal/store/sqlite/safetystore"
	"rolecall/internal/store/sqlite/trackingstore"
)

// Store is what one database keeps for all domains.
type Store struct {
	Chat     chat.Store
	Groups   groups.Store
	Notices  notices.Store
	People   people.Store
	Tracking tracking.Store
	// Administration has what was revoked, and what admins do.
	Administration administration.Store

	// Conversations is what people ask of the rooms.
	Conversations people.Conversations
	// Blocks has who has blocked whom.
	Blocks blocks.Store
	// Reports has what people have reported, and Closing which rooms are closed.
	Reports reports.Store
	// Rights has who is to be deleted, and RightsInChat and Tracks what of them is in rooms and in tracks.
	Rights       rights.Store
	RightsInChat rights.Chat
	Tracks       rights.Positions
	Closing      closing.Store
	// Lists has the conversations of people.
	Lists conversations.Store
	// Search finds messages.
	Search search.Store
	// Texts has what was written in messages kept by other keys.
	Texts Texts
	// Attachments has what people have uploaded.
	Attachments attachments.Store

	database
}

// Texts is what people have written, as it is kept.
type Texts interface {
	// Reencrypt has the next messages kept by the first of the keys, beginning from a mark; Looked is 0 once there are none. What
	// is written meanwhile is left as it is.
	Reencrypt(ctx context.Context, from atrest.Mark) (atrest.Progress, error)
}

// database is what the stores of all domains share.
type database interface {
	// Ping reports whether the database can be read and written. It does not wait for other reads.
	Ping(ctx context.Context) error
	// Size is how many bytes the database takes.
	Size(ctx context.Context) (int64, error)
	// Lead runs work, until ctx ends, whenever this server is the one that does what is to be done once, of all that share
	// the database; work's ctx ends where it no longer is. It returns when work has. It is called once: two callers would be two
	// servers to each other.
	Lead(ctx context.Context, work func(ctx context.Context))
	// Close finishes what is being written and read. What is called afterwards fails.
	Close() error
}

// Shared reports whether other servers may use the database as well.
func (s *Store) Shared() bool {
	_, isPostgres := s.database.(*postgres.DB)
	return isPostgres
}

// Sentence says to a person why nothing is stored, of an error that comes from a database in trouble.
func Sentence(err error) (sentence string, known bool) {
	var file *sqlite.Unusable
	if errors.As(err, &file) {
		return file.Sentence, true
	}
	var server *postgres.Unusable
	if errors.As(err, &server) {
		return server.Sentence, true
	}
	return "", false
}

// OpenSQLite opens the file at path, made where there is none, with a schema that is up to date. Close closes it.
func OpenSQLite(ctx context.Context, path string, logger *slog.Logger) (s *Store, err error) {
	return OpenSQLiteWith(ctx, path, nil, logger)
}

// OpenSQLiteWith is OpenSQLite with keys that texts are encrypted with.
func OpenSQLiteWith(ctx context.Context, path string, keys *atrest.Keys, logger *slog.Logger) (s *Store, err error) {
	db, err := sqlite.Open(ctx, path, logger)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	s = &Store{database: db}
	log, err := auditlog.New(ctx, db)
	if err != nil {
		return nil, err
	}
	rooms, err := chatstore.NewEncrypted(ctx, db, log, atrest.NewMessages(keys, logger))
	if err != nil {
		return nil, err
	}
	s.Chat, s.Groups, s.Conversations, s.Lists, s.Search = rooms, rooms, rooms, rooms, rooms
	s.Texts = rooms
	s.Closing, s.RightsInChat = rooms, rooms
	if s.Attachments, err = attachmentstore.New(ctx, db); err != nil {
		return nil, err
	}
	if s.Notices, err = noticestore.New(ctx, db, log); err != nil {
		return nil, err
	}
	if s.Administration, err = adminstore.New(ctx, db, log); err != nil {
		return nil, err
	}
	if s.People, err = peoplestore.New(ctx, db, log); err != nil {
		return nil, err
	}
	safety, err := safetystore.New(ctx, db, log)
	if err != nil {
		return nil, err
	}
	s.Blocks, s.Reports, s.Rights = safety, safety, safety
	tracks, err := trackingstore.New(ctx, db)
	if err != nil {
		return nil, err
	}
	s.Tracking, s.Tracks = tracks, tracks
	return s, nil
}
