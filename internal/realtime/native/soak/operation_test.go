package soak_test

import (
	"fmt"
	"math/bits"
	"strings"

	"pgregory.net/rapid"
)

// kind says what an operation does.
type kind uint8

const (
	idle         kind = iota // nothing: what shrinking makes of an operation that does not matter
	broadcast                // Emitter.Emit to the rooms, except the rooms
	join                     // Conn.Join, of all the rooms in one call; without a socket, connect with these rooms
	leave                    // Conn.Leave
	askToJoin                // the client asks with an event and waits for the ack, the handler joins
	askToLeave               // the same for leaving
	cross                    // join one room while leaving another, from two goroutines
	end                      // the socket ends, see ending
	endInJoining             // the socket ends while it joins a room, from two goroutines
	visit                    // a client comes and leaves before CONNECT has been answered, see parting
)

func (k kind) String() string {
	return [...]string{"idle", "broadcast", "join", "leave", "ask to join", "ask to leave", "cross", "end",
		"end in joining", "visit"}[k]
}

// ending is how a socket ends.
type ending uint8

const (
	clientCloses  ending = iota // a Close frame
	engineCloses                // the Engine.IO packet "close"
	clientCuts                  // the end of the TCP connection
	clientResets                // a reset of the TCP connection
	serverCloses                // Conn.Disconnect(true)
	serverLeaves                // Conn.Disconnect(false); the client connects anew over the same connection
	clientReenter               // DISCONNECT and CONNECT in one breath
	endings
)

// parting is how a visitor leaves, whose CONNECT has not been answered yet or is being answered.
type parting uint8

const (
	visitorCuts parting = iota
	visitorResets
	visitorCloses
	visitorEngineCloses
	visitorDisconnects // DISCONNECT, which before the answer is a breach of the protocol
	visitorRefused     // it stays until it has been refused
	partings
)

// roomCount is the number of rooms.
const roomCount = 12

// roomSet is a set of rooms, a bit for each.
type roomSet uint16

func (s roomSet) has(room int) bool { return s>>room&1 == 1 }

// list is the rooms by number, ascending.
func (s roomSet) list() []int {
	rooms := make([]int, 0, bits.OnesCount16(uint16(s)))
	for ; s != 0; s &= s - 1 {
		rooms = append(rooms, bits.TrailingZeros16(uint16(s)))
	}
	return rooms
}

// names is the rooms by name.
func (s roomSet) names() []string {
	var names []string
	for _, room := range s.list() {
		names = append(names, fmt.Sprintf("room-%d", room))
	}
	return names
}

func (s roomSet) String() string { return "{" + strings.Join(s.names(), " ") + "}" }

// operation is one step of one worker.
type operation struct {
	kind   kind
	slot   int     // which of the worker's sockets, if it is about one
	rooms  roomSet // at least one
	except roomSet // for broadcasts; has none of rooms
	ending ending
	// parting of a visit.
	parting parting
	// pipelined: a connection that this opens sends CONNECT with the opening handshake.
	pipelined bool
}

// GoString is how an operation shows in a counterexample.
func (o operation) GoString() string {
	switch o.kind {
	case idle:
		return "idle"
	case broadcast:
		return fmt.Sprintf("broadcast to %v except %v", o.rooms, o.except)
	case visit:
		return fmt.Sprintf("visit %v parting %d pipelined %v", o.rooms, o.parting, o.pipelined)
	default:
		return fmt.Sprintf("%v slot %d %v ending %d pipelined %v", o.kind, o.slot, o.rooms, o.ending, o.pipelined)
	}
}

// kindOf deals out the kinds, each with its share of a thousand. More leave than join, so that rooms stay small.
func kindOf(thousandth uint64) kind {
	for _, share := range [...]struct {
		kind  kind
		below uint64
	}{
		{broadcast, 400}, {join, 560}, {leave, 830}, {askToJoin, 860}, {askToLeave, 900}, {cross, 960}, {end, 980},
		{endInJoining, 986},
	} {
		if thousandth < share.below {
			return share.kind
		}
	}
	return visit
}

// operations draws one operation of a worker with so many sockets. Small numbers are drawn more often than large
// ones, so the drawn number is mixed before it is taken apart; 0 stays what shrinking leads to.
func operations(slots int) *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		drawn := rapid.Uint64().Draw(t, "operation")
		if drawn == 0 {
			return operation{}
		}
		mixed := mix(drawn)
		take := func(n uint64) uint64 {
			v := mixed % n
			mixed = mix(mixed)
			return v
		}
		room := func() roomSet { return 1 << take(roomCount) }
		o := operation{kind: kindOf(take(1000)), slot: int(take(uint64(slots)))}
		o.rooms = room()
		if take(4) == 0 { // one or two more
			o.rooms |= room()
			o.rooms |= room()
		}
		if take(4) == 0 {
			o.except = room()
			o.except |= room()
			o.except &^= o.rooms
		}
		o.ending, o.parting = ending(take(uint64(endings))), parting(take(uint64(partings)))
		o.pipelined = take(2) == 0
		return o
	})
}

// mix is the output function of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
func mix(v uint64) uint64 {
	v += 0x9e3779b97f4a7c15
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31
}
