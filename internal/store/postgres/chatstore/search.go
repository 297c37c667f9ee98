package chatstore

import (
	"container/heap"
	"context"
	"fmt"
	"math"
	"slices"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/store/postgres"
)

// A search goes through rooms in the order of the newest message that each may still give: their own terms are an index of each
// room, and what has not been active since the messages that are found already need not be looked at.

// Statements of reads.
const (
	selectSearched = `SELECT r.number, r.room_id, r.active_at, me.sees_after FROM room_members me JOIN rooms r ON r.number = me.room
			WHERE me.user_id = $1 AND me.kind IN ('direct', 'group')
		UNION ALL SELECT number, room_id, active_at, 0 FROM rooms WHERE kind = 'open' AND $2`
	selectSearchedRoom = `SELECT r.number, r.room_id, r.active_at, coalesce(me.sees_after, 0)
		FROM rooms r LEFT JOIN room_members me ON me.room = r.number AND me.user_id = $2
		WHERE r.room_id = $1 AND (r.kind <> 'group' OR me.room IS NOT NULL)`
	// selectLastBefore finds the last message of rooms before a time, by halving what is between two of which one was before and
	// the other was not: times never fall in a room.
	selectLastBefore = `SELECT r.number, (WITH RECURSIVE search (low, high) AS (
				SELECT ` + lost + `, r.last_seq + 1
				UNION ALL SELECT CASE WHEN m.timestamp < $2 THEN m.seq ELSE low END, CASE WHEN m.timestamp < $2 THEN high ELSE m.seq END
					FROM search JOIN messages m ON m.room = r.number AND m.seq = (low + high) / 2 WHERE high - low > 1)
			SELECT max(low) FROM search)
		FROM rooms r WHERE r.number = ANY($1::bigint[])`
	// countTerms counts in rooms how often each term is there, up to some number.
	countTerms = `SELECT a.term, (SELECT count(*) FROM (
			SELECT 1 FROM unnest($1::bigint[]) r (number) JOIN message_terms t ON t.room = r.number AND t.term = a.term LIMIT 300) counted)
		FROM unnest($2::bigint[]) a (term)`
	// selectCandidates finds the last messages of rooms that have a term ($4), between two seqs, and says which have the others
	// ($5) as well.
	selectCandidates = `SELECT a.room, p.seq, p.fits
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) a (room, after, before)
		CROSS JOIN LATERAL (SELECT t.seq, NOT EXISTS (SELECT 1 FROM unnest($5::bigint[]) other (term) WHERE NOT EXISTS (
				SELECT 1 FROM message_terms x WHERE x.room = a.room AND x.term = other.term AND x.seq = t.seq)) AS fits
			FROM message_terms t WHERE t.room = a.room AND t.term = $4 AND t.seq > a.after AND t.seq < a.before
			ORDER BY t.seq DESC LIMIT $6) p`
	selectHit = `SELECT m.room, ` + messageColumns + ` FROM unnest($1::bigint[], $2::bigint[]) a (room, seq)
		JOIN messages m ON m.room = a.room AND m.seq = a.seq`
	selectTheirs = `SELECT r.room_id, me.sees_after FROM rooms r JOIN room_members me ON me.room = r.number AND me.user_id = $2
		WHERE r.room_id = ANY($1::text[])`
)

// hunt is a search under way.
type hunt struct {
	*Store
	asked  *search.Asked
	term   int64 // the one that is looked up
	others []int64
	rooms  huntedRooms
	looked int
	width  int   // how many rooms are looked through at a time
	below  int64 // the number of the room of the place where the search goes on
}

// Search implements search.Store. Of messages of the same moment those of the room of the greater number are first.
func (s *Store) Search(ctx context.Context, asked search.Asked) (search.Found, error) {
	if s.cannotSearch {
		return search.Found{}, search.ErrKeyMissing
	}
	h := &hunt{Store: s, asked: &asked, width: 1}
	found, err := h.run(ctx)
	if err != nil {
		return search.Found{}, fmt.Errorf("search messages: %w", err)
	}
	return found, nil
}

func (h *hunt) run(ctx context.Context) (found search.Found, err error) {
	indexed, err := postgres.ReadOne(ctx, h.db, selectIndex, scanPlace)
	if err != nil {
		return found, err
	}
	found.Messages, found.Indexing = []chat.Message{}, indexed.at != math.MinInt64
	if err := h.begin(ctx); err != nil {
		return found, err
	}
	for len(h.rooms) > 0 && len(found.Messages) <= h.asked.Limit {
		first := h.rooms[0]
		switch {
		case len(first.ready) > 0:
			found.Messages = append(found.Messages, first.ready[0])
			first.give()
			heap.Fix(&h.rooms, 0)
		case first.isThrough:
			heap.Pop(&h.rooms)
		case h.looked >= search.MaxLooked:
			found.Next = &search.Place{At: first.top, Room: first.room, Seq: first.before}
			return h.stillTheirs(ctx, found)
		default:
			if err := h.look(ctx); err != nil {
				return found, err
			}
		}
	}
	return h.stillTheirs(ctx, found)
}

// begin finds the rooms to look through, and by which term.
func (h *hunt) begin(ctx context.Context) error {
	var all []*huntedRoom
	var err error
	if h.asked.Room != (roles.ChatRoom{}) {
		all, err = postgres.ReadAll(ctx, h.db, selectSearchedRoom, scanHunted, h.asked.Room.String(), h.asked.UserID)
	} else {
		all, err = postgres.ReadAll(ctx, h.db, selectSearched, scanHunted, h.asked.UserID, h.asked.Open)
	}
	if err != nil {
		return err
	}
	h.rooms = slices.DeleteFunc(all, func(r *huntedRoom) bool {
		return r.top < h.asked.From || r.room.Kind() == roles.OpenKind && h.asked.Enters != nil && !h.asked.Enters(r.room)
	})
	for _, r := range h.rooms {
		if r.room == h.asked.Below.Room {
			h.below = r.number
		}
	}
	if err := h.bound(ctx); err != nil {
		return err
	}
	heap.Init(&h.rooms)
	return h.choose(ctx)
}

// bound leaves out what was said too early, too late, or above the place where the search goes on.
func (h *hunt) bound(ctx context.Context) error {
	until := int64(math.MaxInt64) // exclusive
	if h.asked.Below.At < until {
		until = h.asked.Below.At + 1
	}
	if h.asked.To != 0 {
		until = min(until, h.asked.To)
	}
	var late, all []int64
	for _, r := range h.rooms {
		all = append(all, r.number)
		if r.top >= until {
			late = append(late, r.number)
		}
	}
	last, err := h.lastBefore(ctx, late, until)
	if err != nil {
		return err
	}
	var first map[int64]int64
	if h.asked.From != 0 {
		if first, err = h.lastBefore(ctx, all, h.asked.From); err != nil {
			return err
		}
	}
	for _, r := range h.rooms {
		r.after = max(r.after, first[r.number])
		if seq, isLate := last[r.number]; isLate {
			r.before, r.top = seq+1, until-1
		}
		if r.room == h.asked.Below.Room {
			r.before = min(r.before, h.asked.Below.Seq)
		}
		if len(h.rooms) == 1 {
			r.size = h.asked.Limit + 1
		}
	}
	return nil
}

// lastBefore are the last messages of rooms before a time.
func (h *hunt) lastBefore(ctx context.Context, rooms []int64, at int64) (map[int64]int64, error) {
	last := make(map[int64]int64, len(rooms))
	if len(rooms) == 0 {
		return last, nil
	}
	_, err := postgres.ReadAll(ctx, h.db, selectLastBefore, func(row postgres.Scanner) (none struct{}, err error) {
		var room, seq int64
		err = row.Scan(&room, &seq)
		last[room] = seq
		return none, err
	}, rooms, at)
	return last, err
}

// choose takes the term that the fewest messages have, of the rooms that were active last.
func (h *hunt) choose(ctx context.Context) error {
	numbers := h.key.Numbers(h.asked.Terms)
	h.term, h.others = numbers[0], numbers[1:]
	if len(h.others) == 0 {
		return nil
	}
	const some = 32
	var rooms []int64
	for _, r := range h.rooms[:min(len(h.rooms), some)] {
		rooms = append(rooms, r.number)
	}
	least := int64(math.MaxInt64)
	_, err := postgres.ReadAll(ctx, h.db, countTerms, func(row postgres.Scanner) (none struct{}, err error) {
		var term, count int64
		if err = row.Scan(&term, &count); count < least {
			least, h.term = count, term
		}
		return none, err
	}, rooms, numbers)
	h.others = slices.DeleteFunc(numbers, func(term int64) bool { return term == h.term })
	return err
}

// widest is how many rooms are looked through at a time at most, longest how many messages of one.
const (
	widest  = 1024
	longest = 1024
)

// look goes through the next messages of the first rooms that have none ready.
func (h *hunt) look(ctx context.Context) error {
	var some []*huntedRoom
	var numbers, after, before []int64
	size := 0
	for len(h.rooms) > 0 && len(some) < h.width {
		first := h.rooms[0]
		if len(first.ready) > 0 || len(some) > 0 && first.size != size {
			break
		}
		heap.Pop(&h.rooms)
		if first.isThrough {
			continue
		}
		size = first.size
		some = append(some, first)
		numbers, after, before = append(numbers, first.number), append(after, first.after), append(before, first.before)
	}
	h.width = min(4*h.width, widest)
	type candidate struct {
		room, seq int64
		fits      bool
	}
	found, err := postgres.ReadAll(ctx, h.db, selectCandidates, func(row postgres.Scanner) (c candidate, err error) {
		return c, row.Scan(&c.room, &c.seq, &c.fits)
	}, numbers, after, before, h.term, h.others, int64(size))
	if err != nil {
		return err
	}
	byNumber := make(map[int64]*huntedRoom, len(some))
	counts := make(map[int64]int, len(some))
	for _, r := range some {
		byNumber[r.number] = r
	}
	var rooms, seqs []int64
	for _, c := range found {
		counts[c.room]++
		byNumber[c.room].before = min(byNumber[c.room].before, c.seq)
		if c.fits {
			rooms, seqs = append(rooms, c.room), append(seqs, c.seq)
		}
	}
	h.looked += len(found)
	if err := h.fetch(ctx, byNumber, rooms, seqs); err != nil {
		return err
	}
	for _, r := range some {
		r.isThrough = counts[r.number] < size
		r.size = min(4*r.size, longest)
		if len(r.ready) > 0 {
			r.top = int64(r.ready[0].Timestamp)
		}
		heap.Push(&h.rooms, r)
	}
	return nil
}

// fetch reads messages, and has those ready that are what was asked for.
func (h *hunt) fetch(ctx context.Context, byNumber map[int64]*huntedRoom, rooms, seqs []int64) error {
	if len(rooms) == 0 {
		return nil
	}
	_, err := postgres.ReadAll(ctx, h.db, selectHit, func(row postgres.Scanner) (none struct{}, err error) {
		var number int64
		m, err := h.scanMessage(row, &number)
		if err != nil {
			return none, err
		}
		r := byNumber[number]
		if m.Room = r.room; h.isBelow(&m, r) && h.asked.Accepts(&m) {
			r.ready = append(r.ready, m)
		}
		return none, nil
	}, rooms, seqs)
	for _, r := range byNumber {
		slices.SortFunc(r.ready, func(a, b chat.Message) int { return int(b.Seq - a.Seq) })
		r.ready = slices.CompactFunc(r.ready, func(a, b chat.Message) bool { return a.Seq == b.Seq })
	}
	return err
}

// isBelow reports whether a message is within the time asked for, and below the place where the search goes on.
func (h *hunt) isBelow(m *chat.Message, r *huntedRoom) bool {
	at, below := int64(m.Timestamp), h.asked.Below
	if at < h.asked.From || h.asked.To != 0 && at >= h.asked.To {
		return false
	}
	if at != below.At {
		return at < below.At
	}
	if r.room == below.Room {
		return m.Seq < below.Seq
	}
	return r.number < h.below
}

// stillTheirs cuts the page, and leaves out what was said in groups to which who asks belongs no longer, or anew.
func (h *hunt) stillTheirs(ctx context.Context, found search.Found) (search.Found, error) {
	if limit := h.asked.Limit; len(found.Messages) > limit {
		if found.Messages = found.Messages[:limit]; limit > 0 {
			found.Next = new(search.PlaceOf(&found.Messages[limit-1]))
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
	seen := make(map[string]int64)
	_, err := postgres.ReadAll(ctx, h.db, selectTheirs, func(row postgres.Scanner) (none struct{}, err error) {
		var id string
		var seesAfter int64
		err = row.Scan(&id, &seesAfter)
		seen[id] = seesAfter
		return none, err
	}, slices.Compact(groups), h.asked.UserID)
	found.Messages = slices.DeleteFunc(found.Messages, func(m chat.Message) bool {
		seesAfter, belongs := seen[m.Room.String()]
		return m.Room.Kind() == roles.GroupKind && (!belongs || m.Seq <= seesAfter)
	})
	return found, err
}
