package peoplestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"rolecall/internal/audit"
	"rolecall/internal/services/people"
	"rolecall/internal/store/sqlite"
)

// WriteUsers implements people.Store.
func (s *Store) WriteUsers(ctx context.Context, users []people.User, lines []audit.Line) ([]people.Written, error) {
	written, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) ([]people.Written, error) {
		before, err := s.peopleOf(ctx, tx, users)
		if err != nil {
			return nil, err
		}
		newest, written := people.Rewrite(users, before)
		if err := s.saveChunk(ctx, tx, newest); err != nil {
			return nil, err
		}
		for i := range written {
			if written[i] == people.Unchanged {
				continue
			}
			if _, err := s.log.Append(ctx, tx, lines[i]); err != nil {
				return nil, err
			}
		}
		return written, nil
	})
	if err != nil {
		return nil, fmt.Errorf("write users: %w", err)
	}
	return written, nil
}

// peopleOf reads what is known of people, by user id.
func (s *Store) peopleOf(ctx context.Context, tx *sql.Tx, users []people.User) (map[string]people.User, error) {
	ids := make([]string, len(users))
	for i := range users {
		ids[i] = users[i].UserID
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	rows, err := tx.StmtContext(ctx, s.sql.selectPeople).QueryContext(ctx, string(list))
	known, err := sqlite.Collect(rows, err, scanUser)
	before := make(map[string]people.User, len(known))
	for _, user := range known {
		before[user.UserID] = user
	}
	return before, err
}
