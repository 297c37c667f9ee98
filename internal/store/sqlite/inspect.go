package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
)

// State is what can be told of a file from outside.
type State struct {
	// There is false where there is no file yet.
	There bool
	Size  uint64
	// Version is that of the schema, Known the newest that this program has.
	Version, Known int64
	// Checked tells that the whole content was read and is whole, Damaged that it is not.
	Checked, Damaged bool
	// Newest is the latest time that the server has noted, in Unix milliseconds; 0 for none.
	Newest int64
	// TextKeys are the ids of the keys that messages are encrypted with, "" among them where some are not.
	TextKeys []string
}

// selectNewest are times that the server notes by its own clock.
const selectNewest = `SELECT max(coalesce((SELECT max(last_seen) FROM users), 0),
	coalesce((SELECT created_at FROM notices ORDER BY seq DESC LIMIT 1), 0),
	coalesce((SELECT max(timestamp) FROM messages), 0), coalesce((SELECT max(at) FROM audit), 0))`

// maxChecked is how large a file is read in full, in bytes: some seconds.
const maxChecked = 1 << 30

// Inspect looks at the file at path, which a server may be using, and changes nothing.
func Inspect(ctx context.Context, path string) (state State, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return State{}, err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return State{}, nil
	case err != nil:
		return State{}, err
	}
	state = State{There: true, Size: uint64(max(info.Size(), 0))}
	reader, err := sql.Open("sqlite", dataSource(path, url.Values{
		"mode": {"ro"}, "_pragma": {busyTimeout, "query_only(ON)", "cache_size(-2048)"},
	}))
	if err != nil {
		return state, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	if err := state.readVersions(ctx, reader); err != nil {
		what, known := troubleOf(err)
		state.Damaged = known && what.kind == damaged
		return state, fmt.Errorf("read schema version: %w", err)
	}
	if state.Version == state.Known {
		if state.Newest, err = ScanOne[int64](reader.QueryRowContext(ctx, selectNewest)); err != nil {
			return state, fmt.Errorf("read newest time: %w", err)
		}
		keys, err := reader.QueryContext(ctx, `SELECT DISTINCT key_id FROM messages WHERE text <> '' ORDER BY key_id`)
		if state.TextKeys, err = Collect(keys, err, ScanOne[string]); err != nil {
			return state, fmt.Errorf("read which keys there are: %w", err)
		}
	}
	if state.Size > maxChecked {
		return state, nil
	}
	db := DB{path: path}
	err = db.quickCheck(ctx)
	state.Checked, state.Damaged = err == nil, errors.Is(err, errNotWhole)
	return state, err
}

func (s *State) readVersions(ctx context.Context, reader *sql.DB) error {
	provider, err := migrator(reader, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	sources := provider.ListSources()
	if len(sources) > 0 {
		s.Known = sources[len(sources)-1].Version
	}
	s.Version, err = ScanOne[int64](reader.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version`))
	return err
}
