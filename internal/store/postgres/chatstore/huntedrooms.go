package chatstore

import (
	"math"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/store/postgres"
)

// huntedRoom is a room that is looked through.
type huntedRoom struct {
	number int64
	room   roles.ChatRoom
	// top is when the newest message that the room may still give was said, at the latest.
	top int64
	// after and before are bounds on the seqs that have not been looked through.
	after, before int64
	size          int // how many are looked at next
	ready         []chat.Message
	isThrough     bool
}

func scanHunted(row postgres.Scanner) (*huntedRoom, error) {
	r := &huntedRoom{before: math.MaxInt64, size: 8}
	var id string
	err := row.Scan(&r.number, &id, &r.top, &r.after)
	if err == nil {
		r.room, err = roles.ParseChatRoom(id)
	}
	return r, err
}

// give takes the first of the messages that are ready.
func (r *huntedRoom) give() {
	r.top = int64(r.ready[0].Timestamp)
	if r.ready = r.ready[1:]; len(r.ready) > 0 {
		r.top = int64(r.ready[0].Timestamp)
	}
}

// huntedRooms are rooms by the newest message that they may still give; it implements heap.Interface.
type huntedRooms []*huntedRoom

// Len implements sort.Interface.
func (r huntedRooms) Len() int { return len(r) }

// Less implements sort.Interface.
func (r huntedRooms) Less(i, j int) bool {
	if r[i].top != r[j].top {
		return r[i].top > r[j].top
	}
	return r[i].number > r[j].number
}

// Swap implements sort.Interface.
func (r huntedRooms) Swap(i, j int) { r[i], r[j] = r[j], r[i] }

// Push implements heap.Interface.
func (r *huntedRooms) Push(room any) { *r = append(*r, room.(*huntedRoom)) }

// Pop implements heap.Interface.
func (r *huntedRooms) Pop() any {
	last := len(*r) - 1
	room := (*r)[last]
	*r = (*r)[:last]
	return room
}
