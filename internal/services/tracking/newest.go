package tracking

import (
	"encoding/json"
	"fmt"
	"sync"

	"rolecall/internal/bus"
)

// newest is a position that is shown as where a driver is. It does not change once it is made.
type newest struct {
	Position
	// rank orders it among those of its driver: its ts, and no later than it was received. A phone whose clock runs ahead
	// would otherwise hide its own next positions when its clock is put right.
	rank int64
	// away: it was taken in by another node, or before this one began.
	away bool
	name string // the driver's, then

	encoding sync.Once
	encoded  bus.Value
	err      error
}

// rankOf is the rank of a position received at an instant, Unix milliseconds.
func rankOf(p *Position, received int64) int64 { return min(p.TS, received) }

// value is the position as watchers hear of it, encoded by the first who asks: a flush, or a snapshot. Its key has the
// company as well: who sees all fleets is to hear of a driver who drives for two in both.
func (n *newest) value() (bus.Value, error) {
	n.encoding.Do(func() {
		n.encoded.Key = n.key()
		n.encoded.JSON, n.err = json.Marshal(&n.Position)
		if n.err != nil {
			n.err = fmt.Errorf("encode position of driver %s: %w", n.DriverID, n.err)
		}
	})
	return n.encoded, n.err
}

// isEncodedAs notes the value that another node has made of it for its own watchers.
func (n *newest) isEncodedAs(text json.RawMessage) {
	n.encoding.Do(func() { n.encoded = bus.Value{Key: n.key(), JSON: text} })
}

func (n *newest) key() string { return n.CompanyID + "/" + n.DriverID } // no id has a slash

func (p *Position) equal(q *Position) bool {
	return p.DriverID == q.DriverID && p.CompanyID == q.CompanyID && p.Lat == q.Lat && p.Lng == q.Lng && p.TS == q.TS &&
		same(p.Heading, q.Heading) && same(p.Speed, q.Speed) && same(p.Accuracy, q.Accuracy) &&
		same(p.Altitude, q.Altitude) && same(p.Battery, q.Battery) && same(p.Seq, q.Seq)
}

func same[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
