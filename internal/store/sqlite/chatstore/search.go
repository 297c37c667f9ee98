package chatstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/store/sqlite"
	"rolecall/internal/words"
)

// few is how many messages that have the terms, in whatever rooms, are looked at one by one.
const few = 256

// firstLook and longestLook are how many messages are looked at at a time: more and more where few are those that were meant.
const (
	firstLook   = 32
	longestLook = 1024
)

// Search implements search.Store. The last taken is the one of the greatest number.
func (s *Store) Search(ctx context.Context, asked search.Asked) (search.Found, error) {
	found, err := s.search(ctx, asked)
	if err != nil {
		return search.Found{}, fmt.Errorf("search messages: %w", err)
	}
	return found, nil
}

func (s *Store) search(ctx context.Context, asked search.Asked) (found search.Found, err error) {
	if s.cannotSearch {
		return found, search.ErrKeyMissing
	}
	indexed, err := sqlite.ReadOne(ctx, s.db, s.sql.selectIndexed, sqlite.ScanOne[int64])
	if err != nil {
		return found, err
	}
	found.Indexing, found.Messages = indexed > 0, []chat.Message{}
	groups, err := s.groupsOf(ctx, asked.UserID)
	if err != nil {
		return found, err
	}
	match, err := s.match(ctx, &asked, groups)
	if err != nil || match == "" {
		return found, err
	}
	from, below, err := s.bounds(ctx, &asked)
	if err != nil {
		return found, err
	}
	looked := 0
	for size := firstLook; looked < search.MaxLooked; size = min(4*size, longestLook) {
		some, err := sqlite.ReadAll(ctx, s.db, s.sql.selectFound, s.scanUnindexed, match, from, below, size)
		if err != nil {
			return found, err
		}
		for i := range some {
			m := &some[i].message
			if isTheirs(&some[i], &asked, groups) && isWithin(m, &asked) && asked.Accepts(m) {
				found.Messages = append(found.Messages, *m)
			}
			if len(found.Messages) > asked.Limit {
				return s.stillTheirs(ctx, &asked, found)
			}
		}
		if len(some) < size {
			found.Next = nil
			return s.stillTheirs(ctx, &asked, found)
		}
		looked += size
		below = some[size-1].number
		found.Next = new(search.PlaceOf(&some[size-1].message))
	}
	return s.stillTheirs(ctx, &asked, found)
}

// isTheirs reports whether a message is in a room that is looked through, where who asks sees it.
func isTheirs(n *numbered, asked *search.Asked, groups map[int64]int64) bool {
	room := n.message.Room
	if asked.Room != (roles.ChatRoom{}) && room != asked.Room {
		return false
	}
	switch room.Kind() {
	case roles.DirectKind:
		_, theirs := room.Peer(asked.UserID)
		return theirs
	case roles.GroupKind:
		seesAfter, belongs := groups[n.room]
		return belongs && n.message.Seq > seesAfter
	default:
		return asked.Room == room || asked.Open && (asked.Enters == nil || asked.Enters(room))
	}
}

func isWithin(m *chat.Message, asked *search.Asked) bool {
	at := int64(m.Timestamp)
	return at >= asked.From && (asked.To == 0 || at < asked.To)
}

// match is the query of the index: the terms, in any of the rooms that are looked through; "" where there are none.
func (s *Store) match(ctx context.Context, asked *search.Asked, groups map[int64]int64) (string, error) {
	within, err := s.within(ctx, asked, groups)
	if err != nil || len(within) == 0 {
		return "", err
	}
	var terms strings.Builder
	s.tokens(&terms, asked.Terms)
	wanted := strings.ReplaceAll(terms.String(), " ", " AND ")
	count, err := sqlite.ReadOne(ctx, s.db, s.sql.countFew, sqlite.ScanOne[int], wanted, few)
	if err != nil || count < few { // then they are looked at, which is quicker than to look for those that are in the rooms
		return wanted, err
	}
	return "(" + strings.Join(within, " OR ") + ") AND " + wanted, nil
}

// groupsOf are the groups to which somebody belongs, and the seqs of the last messages there that they do not see.
func (s *Store) groupsOf(ctx context.Context, userID string) (map[int64]int64, error) {
	groups := make(map[int64]int64)
	_, err := sqlite.ReadAll(ctx, s.db, s.sql.selectGroups, func(row sqlite.Scanner) (none struct{}, err error) {
		var number, seesAfter int64
		err = row.Scan(&number, &seesAfter)
		groups[number] = seesAfter
		return none, err
	}, userID)
	return groups, err
}

// within are the tokens of the rooms that are looked through.
func (s *Store) within(ctx context.Context, asked *search.Asked, groups map[int64]int64) ([]string, error) {
	if asked.Room != (roles.ChatRoom{}) {
		number, err := sqlite.ReadOne(ctx, s.db, s.sql.selectRoomNumber, sqlite.ScanOne[int64], asked.Room.String())
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		if _, belongs := groups[number]; asked.Room.Kind() == roles.GroupKind && !belongs {
			return nil, err
		}
		return []string{roomToken(number)}, err
	}
	var direct strings.Builder
	s.tokens(&direct, []string{words.Addressee(asked.UserID)})
	within := []string{direct.String()}
	for number := range groups {
		within = append(within, roomToken(number))
	}
	switch {
	case !asked.Open:
		return within, nil
	case asked.Enters == nil:
		return append(within, openToken), nil
	}
	_, err := sqlite.ReadAll(ctx, s.db, s.sql.selectOpen, func(row sqlite.Scanner) (none struct{}, err error) {
		var number int64
		var id string
		if err := row.Scan(&number, &id); err != nil {
			return none, err
		}
		if room, err := roles.ParseChatRoom(id); err == nil && asked.Enters(room) {
			within = append(within, roomToken(number))
		}
		return none, nil
	})
	return within, err
}

// bounds is between which numbers lies what is asked for: from the first to before the second. Times rise with the numbers, but
// that a clock may have been set back a little; who looks at the messages takes account of that.
func (s *Store) bounds(ctx context.Context, asked *search.Asked) (from, below int64, err error) {
	below = math.MaxInt64
	if asked.Below != search.Top() {
		below, err = sqlite.ReadOne(ctx, s.db, s.sql.selectPlace, sqlite.ScanOne[int64],
			asked.Below.Room.String(), asked.Below.Seq, asked.Below.At)
		if err != nil {
			return 0, 0, err
		}
	}
	if asked.To != 0 {
		last, err := sqlite.ReadOne(ctx, s.db, s.sql.selectNumberBefore, sqlite.ScanOne[int64], asked.To)
		if err != nil {
			return 0, 0, err
		}
		below = min(below, last+1)
	}
	if asked.From != 0 {
		from, err = sqlite.ReadOne(ctx, s.db, s.sql.selectNumberFrom, sqlite.ScanOne[int64], asked.From)
	}
	return from, below, err
}

// stillTheirs cuts the page, and leaves out what was said in groups to which who asks belongs no longer, or anew.
func (s *Store) stillTheirs(ctx context.Context, asked *search.Asked, found search.Found) (search.Found, error) {
	if len(found.Messages) > asked.Limit {
		found.Messages = found.Messages[:asked.Limit]
		found.Next = nil
		if asked.Limit > 0 {
			found.Next = new(search.PlaceOf(&found.Messages[asked.Limit-1]))
		}
	}
	var groups []string
	for i := range found.Messages {
		if room := found.Messages[i].Room; room.Kind() == roles.GroupKind {
			groups = append(groups, room.String())
		}
	}
	if len(groups) == 0 {
		return found, nil
	}
	slices.Sort(groups)
	list, err := sqlite.List(slices.Compact(groups))
	if err != nil {
		return found, err
	}
	seen := make(map[string]int64)
	_, err = sqlite.ReadAll(ctx, s.db, s.sql.selectTheirs, func(row sqlite.Scanner) (none struct{}, err error) {
		var id string
		var seesAfter int64
		err = row.Scan(&id, &seesAfter)
		seen[id] = seesAfter
		return none, err
	}, list, asked.UserID)
	if err != nil {
		return found, err
	}
	found.Messages = slices.DeleteFunc(found.Messages, func(m chat.Message) bool {
		seesAfter, belongs := seen[m.Room.String()]
		return m.Room.Kind() == roles.GroupKind && (!belongs || m.Seq <= seesAfter)
	})
	return found, nil
}

// nearby is how many messages are looked at for those whose times are not in the order of their numbers.
const nearby = "100"

func (s *statements) termReads() sqlite.Statements {
	return sqlite.Statements{
		&s.countFew:      `SELECT count(*) FROM (SELECT 1 FROM message_terms WHERE message_terms MATCH ? LIMIT ?)`,
		&s.selectIndexed: `SELECT below FROM message_index`,
		&s.selectFound: `SELECT m.number, m.room, r.room_id, ` + messageColumns + ` FROM (
				SELECT rowid AS number FROM message_terms WHERE message_terms MATCH ?1 AND rowid >= ?2 AND rowid < ?3
				ORDER BY rowid DESC LIMIT ?4) found
			CROSS JOIN messages m ON m.number = found.number CROSS JOIN rooms r ON r.number = m.room ORDER BY m.number DESC`,
		&s.selectRoomNumber: `SELECT number FROM rooms WHERE room_id = ?`,
		&s.selectOpen:       `SELECT number, room_id FROM rooms WHERE kind = 'open'`,
		&s.selectGroups:     `SELECT room, sees_after FROM room_members WHERE user_id = ? AND kind = 'group'`,
		&s.selectTheirs: `SELECT r.room_id, me.sees_after FROM json_each(?1) asked CROSS JOIN rooms r ON r.room_id = asked.value
			CROSS JOIN room_members me ON me.room = r.number AND me.user_id = ?2`,
		// A place whose message is not kept any more is behind all that was said by then.
		&s.selectPlace: `SELECT coalesce(
			(SELECT m.number FROM rooms r CROSS JOIN messages m ON m.room = r.number AND m.seq = ?2 WHERE r.room_id = ?1),
			(SELECT number + 1 FROM messages WHERE timestamp <= ?3 ORDER BY timestamp DESC, number DESC LIMIT 1), 0)`,
		&s.selectNumberBefore: `SELECT coalesce(max(number), 0) FROM (
			SELECT number FROM messages WHERE timestamp < ? ORDER BY timestamp DESC LIMIT ` + nearby + `)`,
		&s.selectNumberFrom: `SELECT coalesce(min(number), 9223372036854775807) FROM (
			SELECT number FROM messages WHERE timestamp >= ? ORDER BY timestamp LIMIT ` + nearby + `)`,
	}
}
