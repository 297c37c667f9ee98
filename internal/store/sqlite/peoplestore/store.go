// Package peoplestore keeps the directory of people in a SQLite file.
package peoplestore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"rolecall/internal/services/people"
	"rolecall/internal/store/sqlite"
)

var _ people.Store = (*Store)(nil)

// Store implements people.Store.
type Store struct {
	db  *sqlite.DB
	sql statements
}

// New returns the store of an open file.
func New(ctx context.Context, db *sqlite.DB) (*Store, error) {
	s := &Store{db: db}
	if err := db.Prepare(ctx, s.sql.writes(), s.sql.reads()); err != nil {
		return nil, fmt.Errorf("people store: %w", err)
	}
	return s, nil
}

// statements holds what is prepared once.
type statements struct {
	upsertUser *sql.Stmt // the only write

	selectUsers [1 << userFilters]*sql.Stmt
}

func (s *statements) writes() sqlite.Statements {
	return sqlite.Statements{
		&s.upsertUser: `INSERT INTO users (user_id, username, folded_name, role, company_id, last_seen)
			VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (user_id) DO UPDATE SET username = excluded.username, folded_name = excluded.folded_name,
				role = excluded.role, company_id = excluded.company_id, last_seen = excluded.last_seen`,
	}
}

// reads has the directory for every set of conditions.
func (s *statements) reads() sqlite.Statements {
	all := sqlite.Statements{}
	for filter := range s.selectUsers {
		all[&s.selectUsers[filter]] = userFilter(filter).sql()
	}
	return all
}

// SaveUsers implements people.Store.
func (s *Store) SaveUsers(ctx context.Context, users []people.User) error {
	_, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (none struct{}, err error) {
		upsert := tx.StmtContext(ctx, s.sql.upsertUser)
		for i := range users {
			user := &users[i]
			_, err := upsert.ExecContext(ctx, user.UserID, user.Username, strings.ToLower(user.Username),
				string(user.Role), user.CompanyID, user.LastSeen)
			if err != nil {
				return none, err
			}
		}
		return none, nil
	})
	if err != nil {
		return fmt.Errorf("save users: %w", err)
	}
	return nil
}

// Users implements people.Store.
func (s *Store) Users(ctx context.Context, query people.UserQuery, after string, limit int) ([]people.User, error) {
	ids, err := sqlite.List(query.IDs)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	users, err := sqlite.ReadAll(ctx, s.db, s.sql.selectUsers[filterOf(query)], scanUser,
		after, string(query.Role), query.CompanyID, ids, strings.ToLower(query.Text), max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}

func scanUser(row sqlite.Scanner) (u people.User, err error) {
	return u, row.Scan(&u.UserID, &u.Username, &u.Role, &u.CompanyID, &u.LastSeen)
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
