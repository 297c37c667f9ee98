package peoplestore

import (
	"context"
	"fmt"
	"strings"

	"rolecall/internal/services/people"
	"rolecall/internal/store/sqlite"
)

const (
	// maxLooked bounds how many keys one search looks at, of people who are not asked for or have been found before.
	maxLooked = 500
	// minLook is how many keys are looked at together, at least.
	minLook = 64
	// placeSeparator stands between key and user id of a place. No user id holds it.
	placeSeparator = "\x00"
	// beyond sorts behind whatever a key goes on with: no character begins with this byte.
	beyond = "\xff"
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

// Search implements people.Store. It costs what maxLooked keys cost at most.
func (s *Store) Search(ctx context.Context, query people.UserQuery, after string, limit int) ([]people.Found, string, error) {
	asked := people.SearchKey(query.Text)
	found := []people.Found{}
	for looked := 0; len(found) < limit; {
		look := min(max(limit-len(found), minLook), maxLooked-looked)
		if look <= 0 {
			return found, after, nil
		}
		keys, err := s.look(ctx, asked, after, look)
		if err != nil {
			return nil, "", fmt.Errorf("search users: %w", err)
		}
		looked += len(keys)
		for i := range keys {
			after = keys[i].place()
			if !keys[i].isWanted(query, asked) {
				continue
			}
			if found = append(found, people.Found{User: keys[i].User, Place: after}); len(found) == limit {
				return found, after, nil
			}
		}
		if len(keys) < look {
			return found, "", nil
		}
	}
	return found, "", nil
}

// keyed is somebody, and one of the keys by which they are found.
type keyed struct {
	key string
	people.User
}

func (k keyed) place() string { return k.key + placeSeparator + k.UserID }

// isWanted reports whether the person is asked for, and met for the first time.
func (k keyed) isWanted(query people.UserQuery, asked string) bool {
	return (query.Role == "" || query.Role == k.Role) && (query.CompanyID == "" || query.CompanyID == k.CompanyID) &&
		people.FirstKey(people.SearchKeys(k.UserID, k.Username), asked) == k.key
}

func (s *Store) look(ctx context.Context, asked, after string, limit int) ([]keyed, error) {
	at := strings.LastIndex(after, placeSeparator) // a key may hold one
	key, userID := after[:max(at, 0)], after[at+1:]
	return sqlite.ReadAll(ctx, s.db, s.sql.selectFound, func(row sqlite.Scanner) (k keyed, err error) {
		return k, row.Scan(&k.key, &k.UserID, &k.Username, &k.Role, &k.CompanyID, &k.LastSeen)
	}, asked, asked+beyond, key, userID, limit)
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
	text := `SELECT user_id, username, role, company_id, last_seen FROM users WHERE user_id > ?1`
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
