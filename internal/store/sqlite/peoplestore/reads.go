package peoplestore

import (
	"context"
	"fmt"

	"rolecall/internal/services/people"
	"rolecall/internal/store/keysearch"
	"rolecall/internal/store/sqlite"
)

// Users implements people.Store.
func (s *Store) Users(ctx context.Context, query people.UserQuery, after string, limit int) ([]people.User, error) {
	ids, err := sqlite.List(query.IDs)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	users, err := sqlite.ReadAll(ctx, s.db, s.sql.selectUsers[filterOf(query)], scanUser,
		after, string(query.Role), query.CompanyID, ids, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}

// Search implements people.Store.
func (s *Store) Search(ctx context.Context, query people.UserQuery, after string, limit int) ([]people.Found, string, error) {
	found, next, err := keysearch.Search(ctx, s.look, query, after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("search users: %w", err)
	}
	return found, next, nil
}

func (s *Store) look(ctx context.Context, span keysearch.Span) ([]keysearch.Keyed, error) {
	statement, args := s.sql.selectFound, []any{span.From, span.Before, span.AfterKey, span.AfterUser, span.Limit}
	if sight := span.Sight; sight != nil {
		roles, err := sqlite.List(sight.Roles)
		if err != nil {
			return nil, err
		}
		ids, err := sqlite.List(sight.IDs)
		if err != nil {
			return nil, err
		}
		statement, args = s.sql.selectSeen, append(args, roles, sight.CompanyID, ids)
	}
	return sqlite.ReadAll(ctx, s.db, statement, scanKeyed, args...)
}

func scanKeyed(row sqlite.Scanner) (k keysearch.Keyed, err error) {
	return k, row.Scan(&k.Key, &k.UserID, &k.Username, &k.Role, &k.CompanyID, &k.LastSeen, &k.SaidAt)
}

func scanUser(row sqlite.Scanner) (u people.User, err error) {
	return u, row.Scan(&u.UserID, &u.Username, &u.Role, &u.CompanyID, &u.LastSeen, &u.SaidAt)
}

// userFilter is a set of conditions on the people listed.
type userFilter uint8

const (
	byRole userFilter = 1 << iota
	byCompany
	byID
	userFilters = iota
)

// filterOf returns the conditions that are asked for.
func filterOf(query people.UserQuery) (filter userFilter) {
	for i, asked := range [userFilters]bool{query.Role != "", query.CompanyID != "", len(query.IDs) > 0} {
		if asked {
			filter |= 1 << i
		}
	}
	return filter
}

// sql has only the conditions of the filter, so that each can use its index, and the same parameters always.
func (f userFilter) sql() string {
	text := `SELECT ` + userColumns + ` FROM users WHERE user_id > ?1`
	for i, condition := range [userFilters]string{
		`role = ?2`,
		`company_id = ?3`,
		`user_id IN (SELECT value FROM json_each(?4))`,
	} {
		if f&(1<<i) != 0 {
			text += ` AND ` + condition
		}
	}
	return text + ` ORDER BY user_id LIMIT ?5`
}
