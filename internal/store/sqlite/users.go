package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"rolecall/internal/services/presence"
)

// SaveUser implements presence.Store.
func (s *Store) SaveUser(ctx context.Context, user presence.User) error {
	err := s.share(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.StmtContext(ctx, s.sql.upsertUser).ExecContext(ctx, user.UserID, user.Username,
			strings.ToLower(user.Username), string(user.Role), user.CompanyID, user.LastSeen)
		return err
	})
	if err != nil {
		return fmt.Errorf("save user: %w", err)
	}
	return nil
}

// Users implements presence.Store. It fails with invalid_payload for a malformed cursor.
func (s *Store) Users(ctx context.Context, query presence.UserQuery) ([]presence.User, string, error) {
	after := ""
	if query.Cursor != "" {
		var err error
		if after, err = decodeCursor(userCursor, query.Cursor); err != nil {
			return nil, "", fmt.Errorf("list users: %w", err)
		}
	}
	statement, args, err := usersSQL(query, after)
	if err != nil {
		return nil, "", fmt.Errorf("list users: %w", err)
	}
	rows, err := s.readers.QueryContext(ctx, statement, args...)
	users, err := collect(rows, err, func(row scanner) (u presence.User, err error) {
		return u, row.Scan(&u.UserID, &u.Username, &u.Role, &u.CompanyID, &u.LastSeen)
	})
	if err != nil {
		return nil, "", fmt.Errorf("list users: %w", err)
	}
	users, more := cutPage(users, query.Limit)
	if !more {
		return users, "", nil
	}
	return users, encodeCursor(userCursor, users[len(users)-1].UserID), nil
}

// usersSQL puts together only the conditions that are asked for, so that each can use its index.
func usersSQL(query presence.UserQuery, after string) (statement string, args []any, err error) {
	conditions := []string{"user_id > ?"}
	args = []any{after}
	where := func(condition string, values ...any) {
		conditions, args = append(conditions, condition), append(args, values...)
	}
	if query.Role != "" {
		where("role = ?", string(query.Role))
	}
	if query.CompanyID != "" {
		where("company_id = ?", query.CompanyID)
	}
	if len(query.IDs) > 0 {
		ids, err := list(query.IDs)
		if err != nil {
			return "", nil, err
		}
		where("user_id IN (SELECT value FROM json_each(?))", ids)
	}
	if query.Text != "" {
		// instr, unlike LIKE, has no wildcards to escape and compares what Unicode calls the same letter.
		folded := strings.ToLower(query.Text)
		where("(instr(folded_name, ?) > 0 OR instr(lower(user_id), ?) > 0)", folded, folded)
	}
	return `SELECT user_id, username, role, company_id, last_seen FROM users WHERE ` +
		strings.Join(conditions, " AND ") + ` ORDER BY user_id LIMIT ?`, append(args, overfetch(query.Limit)), nil
}

// ConversationPeers implements presence.Store. The people are in the order of user id.
func (s *Store) ConversationPeers(ctx context.Context, userID string, limit int) ([]string, error) {
	rows, err := s.sql.selectPeers.QueryContext(ctx, userID, max(limit, 0))
	peers, err := collect(rows, err, scanOne[string])
	if err != nil {
		return nil, fmt.Errorf("list conversation peers: %w", err)
	}
	return peers, nil
}
