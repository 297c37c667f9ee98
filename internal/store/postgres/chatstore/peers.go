package chatstore

import (
	"context"
	"fmt"

	"rolecall/internal/roles"
	"rolecall/internal/store/postgres"
)

const (
	// peersChunk is how many people's peers are found by one query.
	peersChunk = 500
	// maxGroupPeers bounds how many people of a user's groups Among looks at.
	maxGroupPeers = 10_000
)

// Peers implements people.Conversations. They are in the order of user id.
func (s *Store) Peers(ctx context.Context, userIDs []string, limit int) (map[string][]string, error) {
	all := make(map[string][]string)
	for ; len(userIDs) > 0; userIDs = userIDs[min(peersChunk, len(userIDs)):] {
		_, err := postgres.ReadAll(ctx, s.db, selectPeers, func(row postgres.Scanner) (none struct{}, err error) {
			var userID string
			var peers []string
			err = row.Scan(&userID, &peers)
			all[userID] = peers
			return none, err
		}, userIDs[:min(peersChunk, len(userIDs))], max(limit, 0))
		if err != nil {
			return nil, fmt.Errorf("list conversation peers: %w", err)
		}
	}
	return all, nil
}

// Among implements people.Conversations. Direct rooms are looked up by their ids. Of groups, in each of which the user has
// written, it looks at the first 10,000 places of others who have.
func (s *Store) Among(ctx context.Context, userID string, others []string) (map[string]bool, error) {
	sharing := make(map[string]bool)
	asked := make(map[string]bool, len(others))
	rooms := make([]string, 0, len(others))
	for _, other := range others {
		asked[other] = true
		if room, err := roles.DirectRoom(userID, other); err == nil {
			rooms = append(rooms, room.String())
		}
	}
	if len(rooms) == 0 {
		return sharing, nil
	}
	direct, err := postgres.ReadAll(ctx, s.db, selectDirectAmong, postgres.ScanOne[string], userID, rooms)
	if err != nil {
		return nil, fmt.Errorf("find who shares conversations: %w", err)
	}
	grouped, err := postgres.ReadAll(ctx, s.db, selectGroupPeers, postgres.ScanOne[string], userID, maxGroupPeers)
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
