package engineio

// Latest is what a message tells that has only the newest values of several
// things in it, such as positions. While a client is slow to read, messages of one
// stream become one: for each key the newest value.
type Latest struct {
	// Stream tells which messages replace one another.
	Stream string
	Values []Value
	// Encode writes the text of a message with other values in it, in the shape
	// of this one.
	Encode func(values []Value) []byte
}

// Value is the newest value of one thing, as JSON. It must not be changed.
type Value struct {
	Key  string
	JSON []byte
}

// LatestMessage is a message packet that may be replaced by a newer one of its
// stream for as long as it has not been sent.
func LatestMessage(latest *Latest) *Message {
	m := TextMessage(latest.Encode(latest.Values))
	m.latest = latest
	return m
}

// valueCost is what a value of a merged message costs its session, in bytes. The
// JSON itself is shared with other sessions.
const valueCost = 128

// mergedMessage is what is left of several messages of one stream that wait in
// one session's queue.
type mergedMessage struct {
	newest *Message
	values []Value
	index  map[string]int // of each key in values
}

func newMergedMessage(first *Message) *mergedMessage {
	m := &mergedMessage{index: make(map[string]int, len(first.latest.Values))}
	m.merge(first)
	return m
}

// merge takes the values of a newer message.
func (m *mergedMessage) merge(newer *Message) {
	m.newest = newer
	for _, value := range newer.latest.Values {
		at, known := m.index[value.Key]
		if !known {
			m.index[value.Key] = len(m.values)
			m.values = append(m.values, value)
			continue
		}
		m.values[at] = value
	}
}

func (m *mergedMessage) cost() int64 { return messageOverhead + valueCost*int64(len(m.values)) }

// message is what remains to be sent.
func (m *mergedMessage) message() *Message {
	latest := *m.newest.latest
	latest.Values = m.values
	out := LatestMessage(&latest)
	out.meter = m.newest.meter
	return out
}
