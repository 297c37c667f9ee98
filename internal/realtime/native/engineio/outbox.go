package engineio

import (
	"slices"
	"sync/atomic"
)

// outbox is what waits for a client to read it, in order. It belongs to a session
// and is guarded by its lock.
type outbox struct {
	queue []waiting
	// streams is where in the queue the messages stand that newer ones of their
	// stream may be merged into. Few streams ever meet in one queue.
	streams []streamPlace

	cost  int64         // of the queue, and of what has been taken and not released, in bytes
	total *atomic.Int64 // the cost of all outboxes
}

// waiting is a message in the queue: as it came, or merged with others.
type waiting struct {
	message *Message
	merged  *mergedMessage // if there is one, it is what will be sent
}

type streamPlace struct {
	stream string
	at     int
}

func (w waiting) cost() int64 {
	if w.merged != nil {
		return w.merged.cost()
	}
	return w.message.Cost()
}

func (o *outbox) empty() bool { return len(o.queue) == 0 }

// add puts a message at the end, or its values in the place of an older message
// of its stream, which it reports. Nothing is merged past a message that is none of
// newest values: what was sent behind that stays behind it.
func (o *outbox) add(m *Message) (replaced bool) {
	switch {
	case m.latest != nil:
		if place := o.find(m.latest.Stream); place >= 0 {
			o.replace(place, m)
			return true
		}
		o.streams = append(o.streams, streamPlace{m.latest.Stream, len(o.queue)})
	case m.isContent():
		o.streams = nil
	}
	w := waiting{message: m}
	o.queue = append(o.queue, w)
	o.count(w, 1)
	return false
}

// costWith is what the cost would be, at most, with these messages as well. Values
// that replace others add little.
func (o *outbox) costWith(messages []*Message) int64 {
	cost := o.cost
	for _, m := range messages {
		if m.latest == nil || o.find(m.latest.Stream) < 0 {
			cost += m.Cost()
		}
	}
	return cost
}

// find is where in the queue a message of the stream stands that a newer one may be
// merged into; -1 if there is none.
func (o *outbox) find(stream string) int {
	for _, place := range o.streams {
		if place.stream == stream {
			return place.at
		}
	}
	return -1
}

func (o *outbox) replace(at int, newer *Message) {
	w := &o.queue[at]
	o.count(*w, -1)
	if w.merged == nil {
		w.merged = newMergedMessage(w.message)
	}
	w.merged.merge(newer)
	w.message = newer
	o.count(*w, 1)
}

func (o *outbox) count(w waiting, sign int64) {
	change := sign * w.cost()
	o.cost += change
	o.total.Add(change)
	if w.message.meter != nil {
		w.message.meter.Add(change)
	}
}

// batch is what a writer has taken from an outbox.
type batch []waiting

// messages are what is to be written. Merged ones are encoded here, which takes a
// while and needs no lock.
func (b batch) messages() []*Message {
	messages := make([]*Message, len(b))
	for i, w := range b {
		messages[i] = w.message
		if w.merged != nil {
			messages[i] = w.merged.message()
		}
	}
	return messages
}

// merged says whether there is something to encode.
func (b batch) merged() bool {
	return slices.ContainsFunc(b, func(w waiting) bool { return w.merged != nil })
}

// take hands the queue to a writer, which calls release when it is done with it.
func (o *outbox) take() batch {
	taken := batch(o.queue)
	o.queue, o.streams = nil, nil
	return taken
}

// release forgets what was taken.
func (o *outbox) release(taken batch) {
	for _, w := range taken {
		o.count(w, -1)
	}
}

// drop forgets what nobody has taken, but for the attachments of a packet of which
// the beginning has been.
func (o *outbox) drop() {
	kept := 0
	for kept < len(o.queue) && o.queue[kept].message.binary {
		kept++
	}
	o.release(o.queue[kept:])
	o.queue, o.streams = o.queue[:kept:kept], nil
}

// clear forgets all that nobody has taken.
func (o *outbox) clear() {
	o.release(o.queue)
	o.queue, o.streams = nil, nil
}
