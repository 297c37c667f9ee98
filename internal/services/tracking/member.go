package tracking

import "strings"

// member is one of a position's, as the wire contract names them.
type member uint8

const (
	unknown member = iota
	lat
	lng
	ts
	heading
	speed
	accuracy
	altitude
	battery
	seq
)

func memberOf(name string) member {
	switch name {
	case "lat":
		return lat
	case "lng":
		return lng
	case "ts":
		return ts
	case "heading":
		return heading
	case "speed":
		return speed
	case "accuracy":
		return accuracy
	case "altitude":
		return altitude
	case "battery":
		return battery
	case "seq":
		return seq
	default:
		return unknown
	}
}

func (m member) name() string {
	return [...]string{"", "lat", "lng", "ts", "heading", "speed", "accuracy", "altitude", "battery", "seq"}[m]
}

// holds reports whether a value lies in the member's range.
func (m member) holds(value float64) bool {
	switch m {
	case lat:
		return value >= -90 && value <= 90
	case lng:
		return value >= -180 && value <= 180
	case heading:
		return value >= 0 && value < 360
	case speed:
		return value >= 0 && value <= 1e5
	case accuracy:
		return value >= 0 && value <= 1e8
	case altitude:
		return value >= -1e5 && value <= 1e8
	case battery:
		return value >= 0 && value <= 1
	default:
		return false
	}
}

// maxMeant is the longest name looked at for what was meant by it, in bytes.
const maxMeant = 32

// meant is the member that a name which is none was plainly meant for: the same in other letters or with separators,
// what other interfaces call it or put it into, or one slip of the pen away; "" where there is none.
func meant(name string) string {
	if len(name) > maxMeant {
		return ""
	}
	folded := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
	switch folded {
	case "latitude", "coords", "coordinates", "coordinate", "location", "position", "point", "latlng":
		return "lat"
	case "lon", "long", "longitude":
		return "lng"
	case "timestamp", "time":
		return "ts"
	case "bearing", "course":
		return "heading"
	case "velocity":
		return "speed"
	case "acc":
		return "accuracy"
	case "alt":
		return "altitude"
	case "batterylevel":
		return "battery"
	case "sequence":
		return "seq"
	}
	for m := lat; m <= seq; m++ {
		if right := m.name(); folded == right || len(right) >= len("speed") && oneSlip(folded, right) {
			return right
		}
	}
	return ""
}

// oneSlip reports whether one letter too many, missing, wrong, or two swapped make the difference of two words.
func oneSlip(a, b string) bool {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a) <= 1 && len(b) <= 1 || len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
}
