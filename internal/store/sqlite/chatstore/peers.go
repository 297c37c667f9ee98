package chatstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"rolecall/internal/roles"
	"rolecall/internal/services/people"
	"rolecall/internal/store/sqlite"
)

var _ people.Conversations = (*Store)(nil)

const (
	// peersChunk is how many people's peers are found by one query.
	peersChunk = 500
	// maxGroupPeers bounds how many people of a user's groups Among looks at.
	maxGroupPeers = 10_000
)

// Peers implements people.Conversations. They are in the order of user id.
func (s *Store) Peers(ctx context.Context, userIDs []string, limit int) (map[string][]string, error) {
	all := make(map[string][]string)
	userIDs = slices.DeleteFunc(slices.Clone(userIDs), func(userID string) bool { return !s.writers.mayHave(userID) })
	for ; len(userIDs) > 0; userIDs = userIDs[min(peersChunk, len(userIDs)):] {
		if err := s.peersOf(ctx, userIDs[:min(peersChunk, len(userIDs))], limit, all); err != nil {
			return nil, fmt.Errorf("list conversation peers: %w", err)
		}
	}
	return all, nil
}

// peersOf adds the peers of some people to all.
func (s *Store) peersOf(ctx context.Context, userIDs []string, limit int, all map[string][]string) error {
	list, err := sqlite.List(userIDs)
	if err != nil {
		return err
	}
	type found struct{ userID, peers string }
	rows, err := sqlite.ReadAll(ctx, s.db, s.sql.selectPeers, func(row sqlite.Scanner) (f found, err error) {
		return f, row.Scan(&f.userID, &f.peers)
	}, list, max(limit, 0))
	if err != nil {
		return err
	}
	for _, row := range rows {
		var peers []string
		if err := json.Unmarshal([]byte(row.peers), &peers); err != nil {
			return err
		}
		if len(peers) > 0 {
			all[row.userID] = peers
		}
	}
	return nil
}

// Among implements people.Conversations. Direct rooms are looked up by their ids. Of groups, in each of which the user has
// written, it looks at the first 10,000 places of others who have.
func (s *Store) Among(ctx context.Context, userID string, others []string) (map[string]bool, error) {
	sharing := make(map[string]bool)
	asked := make(map[string]bool, len(others))
	rooms := make([]string, 0, len(others))
	for _, other := range others {
		asked[other] = true
		if room, err := roles.DirectRoom(userID, other); err == nil && s.writers.mayHave(other) {
			rooms = append(rooms, room.String())
		}
	}
	if len(rooms) == 0 || !s.writers.mayHave(userID) {
		return sharing, nil
	}
	list, err := sqlite.List(rooms)
	if err != nil {
		return nil, fmt.Errorf("find who shares conversations: %w", err)
	}
	direct, err := sqlite.ReadAll(ctx, s.db, s.sql.selectDirectAmong, sqlite.ScanOne[string], userID, list)
	if err != nil {
		return nil, fmt.Errorf("find who shares conversations: %w", err)
	}
	grouped, err := sqlite.ReadAll(ctx, s.db, s.sql.selectGroupPeers, sqlite.ScanOne[string], userID, maxGroupPeers)
	if err != nil {
		return nil, fmt.Errorf("find who shares conversations: %w", err)
	}
	for _, peer := range append(direct, grouped...) {
		if asked[peer] {
			sharing[peer] = true
		}
	}
	return sharing, nil
}
