package peoplestore

import (
	"context"
	"fmt"

	"rolecall/internal/services/people"
	"rolecall/internal/store/keysearch"
	"rolecall/internal/store/postgres"
)

// Users implements people.Store.
func (s *Store) Users(ctx context.Context, query people.UserQuery, after string, limit int) ([]people.User, error) {
	text, args := usersQuery(query, after, max(limit, 0))
	users, err := postgres.ReadAll(ctx, s.db, text, scanUser, args...)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}

// usersQuery has only the conditions that are asked for, so that each can use its index.
func usersQuery(query people.UserQuery, after string, limit int) (text string, args []any) {
	text, args = `SELECT `+userColumns+` FROM users WHERE user_id > $1`, []any{after}
	where := func(condition string, arg any) {
		args = append(args, arg)
		text += fmt.Sprintf(condition, len(args))
	}
	if query.Role != "" {
		where(` AND role = $%d`, string(query.Role))
	}
	if query.CompanyID != "" {
		where(` AND company_id = $%d`, query.CompanyID)
	}
	if len(query.IDs) > 0 {
		where(` AND user_id = ANY($%d::text[])`, query.IDs)
	}
	where(` ORDER BY user_id LIMIT $%d`, limit)
	return text, args
}

func scanUser(row postgres.Scanner) (u people.User, err error) {
	return u, row.Scan(&u.UserID, (*postgres.Text)(&u.Username), &u.Role, &u.CompanyID, &u.LastSeen, &u.SaidAt)
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
	text := selectFound
	args := []any{postgres.Text(span.From), postgres.Text(span.Before), postgres.Text(span.AfterKey), span.AfterUser, span.Limit}
	if sight := span.Sight; sight != nil {
		named := make([]string, len(sight.Roles))
		for i, role := range sight.Roles {
			named[i] = string(role)
		}
		text, args = selectSeen, append(args, named, sight.CompanyID, sight.IDs)
	}
	return postgres.ReadAll(ctx, s.db, text, scanKeyed, args...)
}

func scanKeyed(row postgres.Scanner) (k keysearch.Keyed, err error) {
	return k, row.Scan((*postgres.Text)(&k.Key), &k.UserID, (*postgres.Text)(&k.Username), &k.Role, &k.CompanyID, &k.LastSeen, &k.SaidAt)
}
