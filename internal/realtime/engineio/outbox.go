package engineio

import "sync/atomic"

// outbox is what waits for a client to read it, in order. It belongs to a session
// and is guarded by its lock.
type outbox struct {
	queue []waiting
	taken []waiting // in the hands of whoever writes
	// streams is where in the queue the message of each stream stands. Few
	// streams ever meet in one queue.
	streams []streamPlace

	cost  int64         // of queue and taken, in bytes
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
	return w.message.cost()
}

func (o *outbox) empty() bool { return len(o.queue) == 0 }

// add puts a message at the end, or its values in the place of an older message
// of its stream, which it reports.
func (o *outbox) add(m *Message) (replaced bool) {
	if m.latest != nil {
		for _, place := range o.streams {
			if place.stream == m.latest.Stream {
				o.replace(place.at, m)
				return true
			}
		}
		o.streams = append(o.streams, streamPlace{m.latest.Stream, len(o.queue)})
	}
	w := waiting{message: m}
	o.queue = append(o.queue, w)
	o.count(w, 1)
	return false
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

// take hands the queue to a writer, which calls release when it is done with it.
func (o *outbox) take() []*Message {
	if len(o.queue) == 0 {
		return nil
	}
	o.taken, o.queue, o.streams = o.queue, nil, nil
	batch := make([]*Message, len(o.taken))
	for i, w := range o.taken {
		batch[i] = w.message
		if w.merged != nil {
			batch[i] = w.merged.message()
		}
	}
	return batch
}

// release forgets what was taken last.
func (o *outbox) release() {
	for _, w := range o.taken {
		o.count(w, -1)
	}
	o.taken = nil
}

// drop forgets what nobody has taken.
func (o *outbox) drop() {
	for _, w := range o.queue {
		o.count(w, -1)
	}
	o.queue, o.streams = nil, nil
}
