// Package attachmentstore keeps in a SQLite file what people have uploaded, as far as it is no file.
package attachmentstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"rolecall/internal/roles"
	"rolecall/internal/services/attachments"
	"rolecall/internal/store/sqlite"
)

var _ attachments.Store = (*Store)(nil)

// Store implements attachments.Store.
type Store struct {
	db  *sqlite.DB
	sql statements
}

// New returns the store of an open file.
func New(ctx context.Context, db *sqlite.DB) (*Store, error) {
	s := &Store{db: db}
	if err := db.Prepare(ctx, s.sql.writes(), s.sql.reads()); err != nil {
		return nil, fmt.Errorf("attachment store: %w", err)
	}
	return s, nil
}

// statements holds what is prepared once.
type statements struct {
	insert, selectSent, abandon, selectAbandoned, forget, insertKey, selectKey *sql.Stmt

	selectByID, selectPlace *sql.Stmt
}

// columns are those of a record, as scanRecord reads them.
const columns = `a.attachment_id, a.user_id, coalesce(a.client_id, ''), a.received, a.created_at, a.details`

func (s *statements) writes() sqlite.Statements {
	return sqlite.Statements{
		&s.insert: `INSERT INTO attachments (attachment_id, user_id, client_id, received, created_at, details)
			VALUES (?1, ?2, nullif(?3, ''), ?4, ?5, ?6) ON CONFLICT (user_id, client_id) WHERE client_id IS NOT NULL DO NOTHING`,
		&s.selectSent: `SELECT ` + columns + ` FROM attachments a WHERE a.user_id = ? AND a.client_id = ?`,
		&s.abandon:    `UPDATE attachments SET spent = 1 WHERE room IS NULL AND spent = 0 AND created_at < ?`,
		&s.selectAbandoned: `SELECT attachment_id FROM attachments WHERE room IS NULL AND spent = 1
			ORDER BY created_at LIMIT ?`,
		&s.forget:    `DELETE FROM attachments WHERE attachment_id IN (SELECT value FROM json_each(?)) AND room IS NULL`,
		&s.insertKey: `INSERT INTO server_keys (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING`,
		&s.selectKey: `SELECT value FROM server_keys WHERE name = ?`,
	}
}

func (s *statements) reads() sqlite.Statements {
	return sqlite.Statements{
		&s.selectByID: `SELECT ` + columns + ` FROM json_each(?) asked
			CROSS JOIN attachments a ON a.attachment_id = asked.value`,
		&s.selectPlace: `SELECT ` + columns + `, a.spent, coalesce(r.room_id, ''), coalesce(a.seq, 0), coalesce(
				(SELECT x.removed_at FROM room_removals x WHERE x.room = a.room ORDER BY x.revision DESC LIMIT 1), 0)
			FROM attachments a LEFT JOIN rooms r ON r.number = a.room WHERE a.attachment_id = ?`,
	}
}

func scanRecord(row sqlite.Scanner, behind ...any) (r attachments.Record, err error) {
	var details string
	var id string
	err = row.Scan(append([]any{&id, &r.UserID, &r.ClientID, &r.Received, &r.CreatedAt, &details}, behind...)...)
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
	before, err = sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (*attachments.Record, error) {
		added, err := sqlite.Affected(tx.StmtContext(ctx, s.sql.insert).ExecContext(ctx, record.ID, record.UserID, record.ClientID,
			record.Received, record.CreatedAt, string(details)))
		if err != nil || added > 0 {
			return nil, err
		}
		found, err := scanRecord(tx.StmtContext(ctx, s.sql.selectSent).QueryRowContext(ctx, record.UserID, record.ClientID))
		return &found, err
	})
	if err != nil {
		return nil, fmt.Errorf("add attachment: %w", err)
	}
	return before, nil
}

// Attachments implements attachments.Store.
func (s *Store) Attachments(ctx context.Context, ids []string) ([]attachments.Record, error) {
	list, err := sqlite.List(ids)
	if err != nil {
		return nil, fmt.Errorf("read attachments: %w", err)
	}
	records, err := sqlite.ReadAll(ctx, s.db, s.sql.selectByID, func(row sqlite.Scanner) (attachments.Record, error) {
		return scanRecord(row)
	}, list)
	if err != nil {
		return nil, fmt.Errorf("read attachments: %w", err)
	}
	return records, nil
}

// PlaceOf implements attachments.Store.
func (s *Store) PlaceOf(ctx context.Context, id string) (attachments.Placed, bool, error) {
	placed, err := sqlite.ReadOne(ctx, s.db, s.sql.selectPlace, func(row sqlite.Scanner) (p attachments.Placed, err error) {
		var roomID string
		if p.Record, err = scanRecord(row, &p.Spent, &roomID, &p.Seq, &p.RemovedAt); err == nil && roomID != "" {
			p.Room, err = roles.ParseChatRoom(roomID)
		}
		return p, err
	}, id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return attachments.Placed{}, false, nil
	case err != nil:
		return attachments.Placed{}, false, fmt.Errorf("find attachment: %w", err)
	}
	return placed, true, nil
}

// AbandonAttachments implements attachments.Store.
func (s *Store) AbandonAttachments(ctx context.Context, before int64, limit int) ([]string, error) {
	ids, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) ([]string, error) {
		if _, err := tx.StmtContext(ctx, s.sql.abandon).ExecContext(ctx, before); err != nil {
			return nil, err
		}
		rows, err := tx.StmtContext(ctx, s.sql.selectAbandoned).QueryContext(ctx, limit)
		return sqlite.Collect(rows, err, sqlite.ScanOne[string])
	})
	if err != nil {
		return nil, fmt.Errorf("abandon attachments: %w", err)
	}
	return ids, nil
}

// ForgetAttachments implements attachments.Store.
func (s *Store) ForgetAttachments(ctx context.Context, ids []string) error {
	list, err := sqlite.List(ids)
	if err == nil && len(ids) > 0 {
		_, err = sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (struct{}, error) {
			_, err := tx.StmtContext(ctx, s.sql.forget).ExecContext(ctx, list)
			return struct{}{}, err
		})
	}
	if err != nil {
		return fmt.Errorf("forget attachments: %w", err)
	}
	return nil
}

// ServerKey implements attachments.Store.
func (s *Store) ServerKey(ctx context.Context, name, fresh string) (string, error) {
	key, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (key string, err error) {
		if _, err := tx.StmtContext(ctx, s.sql.insertKey).ExecContext(ctx, name, fresh); err != nil {
			return "", err
		}
		err = tx.StmtContext(ctx, s.sql.selectKey).QueryRowContext(ctx, name).Scan(&key)
		return key, err
	})
	if err != nil {
		return "", fmt.Errorf("key of the servers: %w", err)
	}
	return key, nil
}
