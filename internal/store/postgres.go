package store

import (
	"context"
	"errors"
	"log/slog"

	"rolecall/internal/atrest"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/adminstore"
	"rolecall/internal/store/postgres/attachmentstore"
	"rolecall/internal/store/postgres/chatstore"
	"rolecall/internal/store/postgres/noticestore"
	"rolecall/internal/store/postgres/peoplestore"
	"rolecall/internal/store/postgres/safetystore"
	"rolecall/internal/store/postgres/trackingstore"
)

// OpenPostgres opens the database of a URL (postgres://user:password@host:port/name), with a schema that is up to date. Close
// closes it.
func OpenPostgres(ctx context.Context, url string, log *slog.Logger) (s *Store, err error) {
	return OpenPostgresWith(ctx, url, nil, log)
}

// OpenPostgresWith is OpenPostgres with keys that texts are encrypted with.
func OpenPostgresWith(ctx context.Context, url string, keys *atrest.Keys, log *slog.Logger) (s *Store, err error) {
	db, err := postgres.Open(ctx, url, log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	s = &Store{database: db}
	rooms, err := chatstore.NewEncrypted(ctx, db, atrest.NewMessages(keys, log))
	if err != nil {
		return nil, err
	}
	s.Chat, s.Groups, s.Conversations, s.Lists, s.Search = rooms, rooms, rooms, rooms, rooms
	s.Texts = rooms
	s.Closing, s.RightsInChat = rooms, rooms
	if s.Attachments, err = attachmentstore.New(ctx, db); err != nil {
		return nil, err
	}
	if s.Notices, err = noticestore.New(ctx, db); err != nil {
		return nil, err
	}
	if s.Administration, err = adminstore.New(ctx, db); err != nil {
		return nil, err
	}
	if s.People, err = peoplestore.New(ctx, db); err != nil {
		return nil, err
	}
	safety, err := safetystore.New(ctx, db)
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
