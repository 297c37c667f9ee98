package postgres

import (
	"context"
	"errors"
	"fmt"
)

// TextKeys are the ids of the keys that messages of a database are encrypted with, "" among them where some are not; none where
// the schema is from before there were any.
func TextKeys(ctx context.Context, url string) (keys []string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read which keys there are: %w", err)
		}
	}()
	settings, err := parse(url)
	if err != nil {
		return nil, err
	}
	conn, err := connect(ctx, settings.ConnConfig)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	there := false
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('messages') AND attname = 'key_id')`).
		Scan(&there); err != nil || !there {
		return nil, err
	}
	rows, err := conn.Query(ctx, `SELECT DISTINCT key_id FROM messages WHERE text <> '' ORDER BY key_id`)
	return Collect(rows, err, ScanOne[string])
}
