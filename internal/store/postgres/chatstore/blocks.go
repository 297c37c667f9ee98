package chatstore

import (
	"github.com/jackc/pgx/v5"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/store/postgres"
)

// queueBlocking asks who has blocked whom of the people of the direct rooms that the batch changes.
func (b *batch) queueBlocking(asked *pgx.Batch) {
	seen := make(map[block]bool)
	var userIDs, peers []string
	for _, change := range b.changes {
		by := ""
		switch change := change.(type) {
		case chat.Append:
			by = change.UserID
		case chat.MessageChange:
			by = change.Of().By.UserID
		}
		peer, isDirect := change.ChatRoom().Peer(by)
		if pair := (block{by, peer}); isDirect && peer != by && !seen[pair] {
			seen[pair] = true
			userIDs, peers = append(userIDs, by), append(peers, peer)
		}
	}
	if len(userIDs) == 0 {
		return
	}
	asked.Queue(selectBlocking, userIDs, peers).Query(func(rows pgx.Rows) error {
		_, err := postgres.Collect(rows, nil, func(row postgres.Scanner) (none struct{}, err error) {
			var found block
			err = row.Scan(&found.userID, &found.blockedID)
			b.blocks[found] = true
			return none, err
		})
		return err
	})
}

// terms are those on which somebody changes a room.
func (b *batch) terms(id roles.ChatRoom, userID string) (on chat.Terms) {
	if room, there := b.rooms[id.String()]; there {
		on.Closed = room.isClosed
	}
	if peer, isDirect := id.Peer(userID); isDirect {
		on.Blocks, on.IsBlocked = b.blocks[block{userID, peer}], b.blocks[block{peer, userID}]
	}
	return on
}

// note notes that a message was said in the room.
func (r *room) note(message *chat.Message) {
	r.activeAt = max(r.activeAt, int64(message.Timestamp))
	switch {
	case message.Room.Kind() != roles.DirectKind:
	case message.Alone == chat.Unshown:
		if r.aloneAt == nil {
			r.aloneAt = make(map[string]int64)
		}
		r.aloneAt[message.UserID] = r.activeAt
	default:
		r.directAt = r.activeAt
	}
}

// queueAlone adds when direct rooms were last active for those alone who are shown what was said. It is queued behind what was
// said to both, as one statement changes a row once.
func (b *batch) queueAlone(wanted *pgx.Batch) {
	var rooms, times []int64
	var userIDs []string
	for _, room := range b.rooms {
		for userID, at := range room.aloneAt {
			rooms, times, userIDs = append(rooms, room.number), append(times, at), append(userIDs, userID)
		}
	}
	if len(rooms) > 0 {
		wanted.Queue(updateDirectActive, rooms, times, userIDs)
	}
}
