// Package peoplestore keeps the directory of people in a PostgreSQL database.
package peoplestore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/services/people"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/auditlog"
)

var _ people.Store = (*Store)(nil)

// Store implements people.Store.
type Store struct{ db *postgres.DB }

// New returns the store of an open database.
func New(ctx context.Context, db *postgres.DB) (*Store, error) {
	if err := db.Check(ctx, statements()...); err != nil {
		return nil, fmt.Errorf("people store: %w", err)
	}
	return &Store{db: db}, nil
}

// crowd is people as parameters of a statement, a column each.
const crowd = `unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
	AS seen (user_id, username, role, company_id, last_seen, said_at)`

// userColumns are those of a person, as scanUser reads them.
const userColumns = `user_id, username, role, company_id, last_seen, said_at`

const (
	insertUsers = `INSERT INTO users (` + userColumns + `)
		SELECT * FROM ` + crowd + `
		WHERE NOT EXISTS (SELECT 1 FROM deletions d WHERE d.user_id = seen.user_id AND d.at >= seen.said_at)
		ORDER BY seen.user_id ON CONFLICT DO NOTHING RETURNING user_id`
	// It sets what stands in no index, so that the row stays where it is.
	updateUsers = `UPDATE users SET last_seen = greatest(users.last_seen, seen.last_seen),
			said_at = greatest(users.said_at, seen.said_at) FROM ` + crowd + `
		WHERE users.user_id = seen.user_id AND users.username = seen.username AND users.role = seen.role
			AND users.company_id = seen.company_id RETURNING users.user_id`
	selectSaid = `SELECT username, said_at FROM users WHERE user_id = $1 FOR NO KEY UPDATE`
	changeUser = `UPDATE users SET username = $2, role = $3, company_id = $4, last_seen = greatest(last_seen, $5), said_at = $6
		WHERE user_id = $1`
	meetUser     = `UPDATE users SET last_seen = greatest(last_seen, $2) WHERE user_id = $1`
	selectPeople = `SELECT ` + userColumns + ` FROM users WHERE user_id = ANY($1::text[]) ORDER BY user_id FOR NO KEY UPDATE`
	insertKeys   = `INSERT INTO user_keys (key, user_id) SELECT * FROM unnest($1::bytea[], $2::text[]) AS made (key, user_id)
		ORDER BY made.key, made.user_id ON CONFLICT DO NOTHING`
	deleteKeys  = `DELETE FROM user_keys WHERE user_id = $1 AND key = ANY($2::bytea[])`
	selectFound = `SELECT k.key, u.user_id, u.username, u.role, u.company_id, u.last_seen, u.said_at FROM (
			SELECT key, user_id FROM user_keys WHERE key >= $1 AND key < $2 AND (key, user_id) > ($3, $4)
			ORDER BY key, user_id LIMIT $5) k
		JOIN users u ON u.user_id = k.user_id ORDER BY k.key, k.user_id`
	selectSeen = `SELECT k.key, u.user_id, u.username, u.role, u.company_id, u.last_seen, u.said_at
		FROM user_keys k JOIN users u ON u.user_id = k.user_id
		WHERE k.key >= $1 AND k.key < $2 AND (k.key, k.user_id) > ($3, $4)
			AND (u.role = ANY($6::text[]) OR $7::text <> '' AND u.company_id = $7 OR u.user_id = ANY($8::text[]))
		ORDER BY k.key, k.user_id LIMIT $5`
)

// statements is everything that the store runs.
func statements() []string {
	all := slices.Concat(auditlog.Statements(), []string{
		insertUsers, updateUsers, selectSaid, changeUser, meetUser, selectPeople, insertKeys, deleteKeys, selectFound, selectSeen,
	})
	for _, query := range []people.UserQuery{{}, {Role: "r", CompanyID: "c", IDs: []string{"i"}}} {
		text, _ := usersQuery(query, "", 1)
		all = append(all, text)
	}
	return all
}

// saveChunk is how many people are written by one statement.
const saveChunk = 2000

// SaveUsers implements people.Store.
func (s *Store) SaveUsers(ctx context.Context, users []people.User) error {
	_, err := postgres.Share(ctx, s.db, func(ctx context.Context, tx *postgres.Tx) (none struct{}, err error) {
		for chunk := range slices.Chunk(users, saveChunk) {
			if err := save(ctx, tx, chunk); err != nil {
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

// save makes keys only for who is new, or another now.
func save(ctx context.Context, tx *postgres.Tx, users []people.User) error {
	columns := columnsOf(users)
	made, err := writeUsers(ctx, tx, insertUsers, columns)
	if err != nil {
		return err
	}
	same := made
	if len(made) < len(users) {
		if same, err = writeUsers(ctx, tx, updateUsers, columns); err != nil {
			return err
		}
	}
	var keys keys
	for i := range users {
		switch user := &users[i]; {
		case made[user.UserID]:
			keys.add(user.UserID, user.Username)
		case !same[user.UserID]:
			if err := change(ctx, tx, user, &keys); err != nil {
				return err
			}
		}
	}
	return keys.insert(ctx, tx)
}

// columnsOf is people as the parameters of crowd.
func columnsOf(users []people.User) []any {
	size := len(users)
	ids, names, roles := make([]string, size), make([]postgres.Text, size), make([]string, size)
	companies, seen, said := make([]string, size), make([]int64, size), make([]int64, size)
	for i := range users {
		user := &users[i]
		ids[i], names[i], roles[i] = user.UserID, postgres.Text(user.Username), string(user.Role)
		companies[i], seen[i], said[i] = user.CompanyID, user.LastSeen, user.SaidAt
	}
	return []any{ids, names, roles, companies, seen, said}
}

// writeUsers returns whom a statement has written.
func writeUsers(ctx context.Context, tx *postgres.Tx, statement string, columns []any) (map[string]bool, error) {
	rows, err := tx.Query(ctx, statement, columns...)
	written, err := postgres.Collect(rows, err, postgres.ScanOne[string])
	ids := make(map[string]bool, len(written))
	for _, userID := range written {
		ids[userID] = true
	}
	return ids, err
}

// change writes somebody who is another than before, and adds their new keys; where that was said later, only that they were
// seen; and nothing of who was deleted since it was said. Nobody else changes them meanwhile.
func change(ctx context.Context, tx *postgres.Tx, user *people.User, made *keys) error {
	var before postgres.Text
	var said int64
	err := tx.QueryRow(ctx, selectSaid, user.UserID).Scan(&before, &said)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	if user.SaidAt < said {
		_, err := tx.Exec(ctx, meetUser, user.UserID, user.LastSeen)
		return err
	}
	if string(before) != user.Username {
		var old keys
		old.add(user.UserID, string(before))
		if _, err := tx.Exec(ctx, deleteKeys, user.UserID, old.texts); err != nil {
			return err
		}
		made.add(user.UserID, user.Username)
	}
	_, err = tx.Exec(ctx, changeUser, user.UserID, postgres.Text(user.Username), string(user.Role), user.CompanyID,
		user.LastSeen, user.SaidAt)
	return err
}

// keys is by what people are found, each key with the id of one of them.
type keys struct {
	texts   []postgres.Text
	userIDs []string
}

// add adds the keys by which somebody of this name is found.
func (k *keys) add(userID, username string) {
	for _, key := range people.SearchKeys(userID, username) {
		k.texts, k.userIDs = append(k.texts, postgres.Text(key)), append(k.userIDs, userID)
	}
}

func (k *keys) insert(ctx context.Context, tx *postgres.Tx) error {
	if len(k.texts) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, insertKeys, k.texts, k.userIDs)
	return err
}
