// Package peoplestore keeps the directory of people in a SQLite file.
package peoplestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"rolecall/internal/services/people"
	"rolecall/internal/store/sqlite"
	"rolecall/internal/store/sqlite/auditlog"
)

var _ people.Store = (*Store)(nil)

// Store implements people.Store.
type Store struct {
	db  *sqlite.DB
	log *auditlog.Log
	sql statements
}

// userColumns are those of a person, as scanUser reads them.
const userColumns = `user_id, username, role, company_id, last_seen, said_at`

// New returns the store of an open file. People who came into it before there were keys are given theirs first.
func New(ctx context.Context, db *sqlite.DB, log *auditlog.Log) (*Store, error) {
	s := &Store{db: db, log: log}
	if err := db.Prepare(ctx, s.sql.writes(), s.sql.reads()); err != nil {
		return nil, fmt.Errorf("people store: %w", err)
	}
	if err := s.keyEverybody(ctx); err != nil {
		return nil, fmt.Errorf("people store: %w", err)
	}
	return s, nil
}

// statements holds what is prepared once.
type statements struct {
	insertUsers, updateUsers, changeUser, meetUser, selectSaid, selectPeople, keyUser, selectUnkeyed, insertKeys, deleteKeys *sql.Stmt

	selectUsers [1 << userFilters]*sql.Stmt
	selectFound *sql.Stmt
	selectSeen  *sql.Stmt
}

func (s *statements) writes() sqlite.Statements {
	return sqlite.Statements{
		&s.insertUsers: `INSERT INTO users (user_id, username, role, company_id, last_seen, said_at, keyed)
			SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, 1 FROM json_each(?) WHERE NOT EXISTS (
				SELECT 1 FROM deletions d WHERE d.user_id = value->>0 AND d.at >= value->>5)
			ON CONFLICT DO NOTHING RETURNING user_id`,
		// It sets what stands in no index, which SQLite writes anew for whatever is set.
		&s.updateUsers: `UPDATE users SET last_seen = max(last_seen, seen.value->>4), said_at = max(said_at, seen.value->>5)
			FROM json_each(?) seen
			WHERE user_id = seen.value->>0 AND username = seen.value->>1 AND role = seen.value->>2 AND company_id = seen.value->>3
			RETURNING user_id`,
		&s.changeUser: `UPDATE users SET username = ?2, role = ?3, company_id = ?4, last_seen = max(last_seen, ?5), said_at = ?6
			WHERE user_id = ?1`,
		&s.meetUser:      `UPDATE users SET last_seen = max(last_seen, ?2) WHERE user_id = ?1`,
		&s.selectSaid:    `SELECT username, said_at FROM users WHERE user_id = ?`,
		&s.selectPeople:  `SELECT ` + userColumns + ` FROM users WHERE user_id IN (SELECT value FROM json_each(?))`,
		&s.keyUser:       `UPDATE users SET keyed = 1 WHERE user_id = ?`,
		&s.selectUnkeyed: `SELECT ` + userColumns + ` FROM users WHERE keyed = 0 LIMIT ?`,
		&s.insertKeys: `INSERT INTO user_keys (key, user_id) SELECT value->>0, value->>1 FROM json_each(?) WHERE true
			ON CONFLICT DO NOTHING`,
		&s.deleteKeys: `DELETE FROM user_keys WHERE user_id = ?1 AND key IN (SELECT value->>0 FROM json_each(?2))`,
	}
}

// reads has the directory for every set of conditions.
func (s *statements) reads() sqlite.Statements {
	const found = `SELECT k.key, u.user_id, u.username, u.role, u.company_id, u.last_seen, u.said_at
			FROM user_keys k CROSS JOIN users u ON u.user_id = k.user_id
			WHERE k.key >= ?1 AND k.key < ?2 AND (k.key, k.user_id) > (?3, ?4)`
	const inOrder = ` ORDER BY k.key, k.user_id LIMIT ?5`
	all := sqlite.Statements{
		&s.selectFound: found + inOrder,
		&s.selectSeen: found + ` AND (u.role IN (SELECT value FROM json_each(?6)) OR ?7 <> '' AND u.company_id = ?7
			OR u.user_id IN (SELECT value FROM json_each(?8)))` + inOrder,
	}
	for filter := range s.selectUsers {
		all[&s.selectUsers[filter]] = userFilter(filter).sql()
	}
	return all
}

// saveChunk is how many people are written, or given their keys, by one statement.
const saveChunk = 2000

// SaveUsers implements people.Store.
func (s *Store) SaveUsers(ctx context.Context, users []people.User) error {
	_, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (none struct{}, err error) {
		for chunk := range slices.Chunk(users, saveChunk) {
			if err := s.saveChunk(ctx, tx, chunk); err != nil {
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

// saveChunk makes keys only for who is new, or another now.
func (s *Store) saveChunk(ctx context.Context, tx *sql.Tx, users []people.User) error {
	rows := make([][6]any, len(users))
	for i := range users {
		rows[i] = columnsOf(&users[i])
	}
	list, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	made, err := s.writeUsers(ctx, tx, s.sql.insertUsers, list)
	if err != nil {
		return err
	}
	same := made
	if len(made) < len(users) {
		if same, err = s.writeUsers(ctx, tx, s.sql.updateUsers, list); err != nil {
			return err
		}
	}
	var keys [][2]string
	for i := range users {
		switch user := &users[i]; {
		case made[user.UserID]:
			keys = appendKeys(keys, user.UserID, user.Username)
		case !same[user.UserID]:
			if keys, err = s.change(ctx, tx, user, keys); err != nil {
				return err
			}
		}
	}
	return s.insertKeys(ctx, tx, keys)
}

// columnsOf is a person in the order of the columns.
func columnsOf(user *people.User) [6]any {
	return [6]any{user.UserID, user.Username, string(user.Role), user.CompanyID, user.LastSeen, user.SaidAt}
}

// writeUsers returns whom a statement has written.
func (s *Store) writeUsers(ctx context.Context, tx *sql.Tx, statement *sql.Stmt, list []byte) (map[string]bool, error) {
	rows, err := tx.StmtContext(ctx, statement).QueryContext(ctx, string(list))
	written, err := sqlite.Collect(rows, err, sqlite.ScanOne[string])
	ids := make(map[string]bool, len(written))
	for _, userID := range written {
		ids[userID] = true
	}
	return ids, err
}

// change writes somebody who is another than before, and adds their new keys; where that was said later, only that they were
// seen; and nothing of who was deleted since it was said.
func (s *Store) change(ctx context.Context, tx *sql.Tx, user *people.User, keys [][2]string) ([][2]string, error) {
	var before string
	var said int64
	err := tx.StmtContext(ctx, s.sql.selectSaid).QueryRowContext(ctx, user.UserID).Scan(&before, &said)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return keys, nil
	case err != nil:
		return nil, err
	}
	if user.SaidAt < said {
		_, err := tx.StmtContext(ctx, s.sql.meetUser).ExecContext(ctx, user.UserID, user.LastSeen)
		return keys, err
	}
	if before != user.Username {
		old, err := json.Marshal(appendKeys(nil, user.UserID, before))
		if err != nil {
			return nil, err
		}
		if _, err := tx.StmtContext(ctx, s.sql.deleteKeys).ExecContext(ctx, user.UserID, string(old)); err != nil {
			return nil, err
		}
		keys = appendKeys(keys, user.UserID, user.Username)
	}
	columns := columnsOf(user)
	_, err = tx.StmtContext(ctx, s.sql.changeUser).ExecContext(ctx, columns[:]...)
	return keys, err
}

// appendKeys adds the keys by which somebody of this name is found, each with the person's id.
func appendKeys(keys [][2]string, userID, username string) [][2]string {
	for _, key := range people.SearchKeys(userID, username) {
		keys = append(keys, [2]string{key, userID})
	}
	return keys
}

func (s *Store) insertKeys(ctx context.Context, tx *sql.Tx, keys [][2]string) error {
	if len(keys) == 0 {
		return nil
	}
	list, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	_, err = tx.StmtContext(ctx, s.sql.insertKeys).ExecContext(ctx, string(list))
	return err
}

// keyEverybody gives keys to those who have none, in a file that was made before there were any.
func (s *Store) keyEverybody(ctx context.Context) error {
	for keyed := saveChunk; keyed == saveChunk; {
		err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
			keyed, err = s.keySome(ctx, tx)
			return err
		})
		if err != nil {
			return fmt.Errorf("make search keys: %w", err)
		}
	}
	return nil
}

func (s *Store) keySome(ctx context.Context, tx *sql.Tx) (int, error) {
	rows, err := tx.StmtContext(ctx, s.sql.selectUnkeyed).QueryContext(ctx, saveChunk)
	users, err := sqlite.Collect(rows, err, scanUser)
	var keys [][2]string
	for i := range users {
		if _, err := tx.StmtContext(ctx, s.sql.keyUser).ExecContext(ctx, users[i].UserID); err != nil {
			return 0, err
		}
		keys = appendKeys(keys, users[i].UserID, users[i].Username)
	}
	if err != nil {
		return 0, err
	}
	return len(users), s.insertKeys(ctx, tx, keys)
}
