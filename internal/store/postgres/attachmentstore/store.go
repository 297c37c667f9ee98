// Package attachmentstore keeps in a PostgreSQL database what people have uploaded, as far as it is no file.
package attachmentstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/roles"
	"rolecall/internal/services/attachments"
	"rolecall/internal/store/postgres"
)

var _ attachments.Store = (*Store)(nil)

// Store implements attachments.Store.
type Store struct{ db *postgres.DB }

// New returns the store of an open database. It fails where its statements do not fit the schema.
func New(ctx context.Context, db *postgres.DB) (*Store, error) {
	err := db.Check(ctx, insert, selectSent, abandon, selectAbandoned, forget, insertKey, selectKey, selectByID, selectPlace)
	if err != nil {
		return nil, fmt.Errorf("attachment store: %w", err)
	}
	return &Store{db: db}, nil
}

const (
	// columns are those of a record, as scanRecord reads them.
	columns = `a.attachment_id, a.user_id, coalesce(a.client_id, ''), a.received, a.created_at, a.details`

	insert = `INSERT INTO attachments (attachment_id, user_id, client_id, received, created_at, details)
		VALUES ($1, $2, nullif($3::bytea, ''), $4, $5, $6) ON CONFLICT (user_id, client_id) WHERE client_id IS NOT NULL DO NOTHING`
	selectSent = `SELECT ` + columns + ` FROM attachments a WHERE a.user_id = $1 AND a.client_id = $2`
	abandon    = `UPDATE attachments SET spent = true WHERE room IS NULL AND NOT spent AND created_at < $1`
	// selectAbandoned names those that no transaction under way can put into a message any more.
	selectAbandoned = `SELECT attachment_id FROM attachments WHERE room IS NULL AND spent ORDER BY created_at LIMIT $1`
	forget          = `DELETE FROM attachments WHERE attachment_id = ANY($1::text[]) AND room IS NULL`
	insertKey       = `INSERT INTO server_keys (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	selectKey       = `SELECT value FROM server_keys WHERE name = $1`
	selectByID      = `SELECT ` + columns + ` FROM attachments a WHERE a.attachment_id = ANY($1::text[])`
	selectPlace     = `SELECT ` + columns + `, a.spent, coalesce(r.room_id, ''), coalesce(a.seq, 0), coalesce(
			(SELECT x.removed_at FROM room_removals x WHERE x.room = a.room ORDER BY x.revision DESC LIMIT 1), 0)
		FROM attachments a LEFT JOIN rooms r ON r.number = a.room WHERE a.attachment_id = $1`
)

func scanRecord(row postgres.Scanner, behind ...any) (r attachments.Record, err error) {
	var id, details string
	err = row.Scan(append([]any{&id, &r.UserID, (*postgres.Text)(&r.ClientID), &r.Received, &r.CreatedAt, &details}, behind...)...)
	if err == nil {
		err = json.Unmarshal([]byte(details), &r.Attachment)
	}
	return r, err
}

// AddAttachment implements attachments.Store.
func (s *Store) AddAttachment(ctx context.Context, record attachments.Record) (before *attachments.Record, err error) {
	details, err := json.Marshal(record.WithoutAddresses())
	if err != nil {
		return nil, fmt.Errorf("add attachment: %w", err)
	}
	before, err = postgres.Share(ctx, s.db, func(ctx context.Context, tx *postgres.Tx) (*attachments.Record, error) {
		added, err := postgres.Affected(tx.Exec(ctx, insert, record.ID, record.UserID, postgres.Text(record.ClientID), record.Received,
			record.CreatedAt, string(details)))
		if err != nil || added > 0 {
			return nil, err
		}
		found, err := scanRecord(tx.QueryRow(ctx, selectSent, record.UserID, postgres.Text(record.ClientID)))
		return &found, err
	})
	if err != nil {
		return nil, fmt.Errorf("add attachment: %w", err)
	}
	return before, nil
}

// Attachments implements attachments.Store.
func (s *Store) Attachments(ctx context.Context, ids []string) ([]attachments.Record, error) {
	records, err := postgres.ReadAll(ctx, s.db, selectByID, func(row postgres.Scanner) (attachments.Record, error) {
		return scanRecord(row)
	}, postgres.Array(ids))
	if err != nil {
		return nil, fmt.Errorf("read attachments: %w", err)
	}
	return records, nil
}

// PlaceOf implements attachments.Store.
func (s *Store) PlaceOf(ctx context.Context, id string) (attachments.Placed, bool, error) {
	placed, err := postgres.ReadOne(ctx, s.db, selectPlace, func(row postgres.Scanner) (p attachments.Placed, err error) {
		var roomID string
		if p.Record, err = scanRecord(row, &p.Spent, &roomID, &p.Seq, &p.RemovedAt); err == nil && roomID != "" {
			p.Room, err = roles.ParseChatRoom(roomID)
		}
		return p, err
	}, id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return attachments.Placed{}, false, nil
	case err != nil:
		return attachments.Placed{}, false, fmt.Errorf("find attachment: %w", err)
	}
	return placed, true, nil
}

// AbandonAttachments implements attachments.Store.
func (s *Store) AbandonAttachments(ctx context.Context, before int64, limit int) (ids []string, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if _, err := tx.Exec(ctx, abandon, before); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, selectAbandoned, int64(limit))
		ids, err = postgres.Collect(rows, err, postgres.ScanOne[string])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("abandon attachments: %w", err)
	}
	return ids, nil
}

// ForgetAttachments implements attachments.Store.
func (s *Store) ForgetAttachments(ctx context.Context, ids []string) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.Exec(ctx, forget, postgres.Array(ids))
		return err
	})
	if err != nil {
		return fmt.Errorf("forget attachments: %w", err)
	}
	return nil
}

// ServerKey implements attachments.Store.
func (s *Store) ServerKey(ctx context.Context, name, fresh string) (key string, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if _, err := tx.Exec(ctx, insertKey, name, fresh); err != nil {
			return err
		}
		return tx.QueryRow(ctx, selectKey, name).Scan(&key)
	})
	if err != nil {
		return "", fmt.Errorf("key of the servers: %w", err)
	}
	return key, nil
}
