package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"rolecall/internal/services/people"
)

// SaveUser implements people.Store.
func (s *Store) SaveUser(ctx context.Context, user people.User) error {
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

// Users implements people.Store. It fails with invalid_payload for a malformed cursor.
func (s *Store) Users(ctx context.Context, query people.UserQuery) ([]people.User, string, error) {
	after := ""
	if query.Cursor != "" {
		var err error
		if after, err = decodeCursor(userCursor, query.Cursor); err != nil {
			return nil, "", fmt.Errorf("list users: %w", err)
		}
	}
	ids, err := list(query.IDs)
	if err != nil {
		return nil, "", fmt.Errorf("list users: %w", err)
	}
	users, err := readAll(ctx, s, s.sql.selectUsers[filterOf(query)], func(row scanner) (u people.User, err error) {
		return u, row.Scan(&u.UserID, &u.Username, &u.Role, &u.CompanyID, &u.LastSeen)
	}, after, string(query.Role), query.CompanyID, ids, strings.ToLower(query.Text), overfetch(query.Limit))
	if err != nil {
		return nil, "", fmt.Errorf("list users: %w", err)
	}
	users, more := cutPage(users, query.Limit)
	if !more {
		return users, "", nil
	}
	return users, encodeCursor(userCursor, users[len(users)-1].UserID), nil
}

// userFilter is a set of conditions on the people listed.
type userFilter uint8

const (
	byRole userFilter = 1 << iota
	byCompany
	byID
	byText
	userFilters = iota
)

// filterOf returns the conditions that are asked for.
func filterOf(query people.UserQuery) (filter userFilter) {
	for i, asked := range [userFilters]bool{query.Role != "", query.CompanyID != "", len(query.IDs) > 0, query.Text != ""} {
		if asked {
			filter |= 1 << i
		}
	}
	return filter
}

// sql has only the conditions of the filter, so that each can use its index, and the same parameters always.
func (f userFilter) sql() string {
	text := `SELECT user_id, username, role, company_id, last_seen FROM users WHERE user_id > ?1`
	for i, condition := range [userFilters]string{
		`role = ?2`,
		`company_id = ?3`,
		`user_id IN (SELECT value FROM json_each(?4))`,
		// instr, unlike LIKE, has no wildcards to escape.
		`(instr(folded_name, ?5) > 0 OR instr(lower(user_id), ?5) > 0)`,
	} {
		if f&(1<<i) != 0 {
			text += ` AND ` + condition
		}
	}
	return text + ` ORDER BY user_id LIMIT ?6`
}

// userReads prepares the directory for every set of conditions.
func (s *statements) userReads() []statement {
	all := make([]statement, len(s.selectUsers))
	for filter := range all {
		all[filter] = statement{&s.selectUsers[filter], userFilter(filter).sql()}
	}
	return all
}

// ConversationPeers implements people.Store. The people are in the order of user id.
func (s *Store) ConversationPeers(ctx context.Context, userID string, limit int) ([]string, error) {
	peers, err := readAll(ctx, s, s.sql.selectPeers, scanOne[string], userID, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("list conversation peers: %w", err)
	}
	return peers, nil
}
