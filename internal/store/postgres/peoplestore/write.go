package peoplestore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/audit"
	"rolecall/internal/services/people"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/auditlog"
)

// WriteUsers implements people.Store.
func (s *Store) WriteUsers(ctx context.Context, users []people.User, lines []audit.Line) ([]people.Written, error) {
	written, err := postgres.Share(ctx, s.db, func(ctx context.Context, tx *postgres.Tx) ([]people.Written, error) {
		before, err := peopleOf(ctx, tx, users)
		if err != nil {
			return nil, err
		}
		newest, written := people.Rewrite(users, before)
		if err := save(ctx, tx, newest); err != nil {
			return nil, err
		}
		batch := &pgx.Batch{}
		for i := range written {
			if written[i] != people.Unchanged {
				auditlog.Queue(batch, lines[i])
			}
		}
		if batch.Len() == 0 {
			return written, nil
		}
		return written, tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return nil, fmt.Errorf("write users: %w", err)
	}
	return written, nil
}

// peopleOf reads what is known of people, by user id, and keeps others from changing them.
func peopleOf(ctx context.Context, tx *postgres.Tx, users []people.User) (map[string]people.User, error) {
	ids := make([]string, len(users))
	for i := range users {
		ids[i] = users[i].UserID
	}
	rows, err := tx.Query(ctx, selectPeople, ids)
	known, err := postgres.Collect(rows, err, scanUser)
	before := make(map[string]people.User, len(known))
	for _, user := range known {
		before[user.UserID] = user
	}
	return before, err
}
