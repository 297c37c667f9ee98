package bridge

import (
	"context"
	"sync"
	"time"
)

// Bounds of what waits.
const (
	// maxWaiting is how many bytes of what has come may wait to be handled, and as many of what is to be sent.
	maxWaiting = 16 << 20
	// messageCost is what a message costs beside its bytes.
	messageCost = 128
	// maxLate is how long something may wait for a connection. What comes later than that is news no more.
	maxLate = 10 * time.Second
	// batch is how many messages are sent at a time.
	batch = 256
)

// queue is a queue within a bound of bytes.
type queue[T any] struct {
	// wake holds a token while there is something.
	wake chan struct{}

	mu    sync.Mutex
	items []T
	bytes int
	// empty is closed when there is nothing left; nil while nobody waits for that.
	empty chan struct{}
	// taken have not been done yet.
	taken int
}

func newQueue[T any]() *queue[T] { return &queue[T]{wake: make(chan struct{}, 1)} }

// put queues something of that many bytes, and reports false where there is no room.
func (q *queue[T]) put(item T, bytes int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if cost := bytes + messageCost; q.bytes+cost <= maxWaiting {
		q.bytes += cost
	} else {
		return false
	}
	q.items = append(q.items, item)
	q.awake()
	return true
}

func (q *queue[T]) awake() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take returns up to most of what waits first, of which size tells the bytes. Whoever takes calls done.
func (q *queue[T]) take(most int, size func(T) int) []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(most, len(q.items))
	first := append([]T(nil), q.items[:n]...)
	clear(q.items[:n])
	if q.items = q.items[n:]; len(q.items) == 0 {
		q.items = nil
	} else {
		q.awake()
	}
	for _, item := range first {
		q.bytes -= size(item) + messageCost
	}
	q.taken = n
	return first
}

func (q *queue[T]) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken = 0; len(q.items) == 0 && q.empty != nil {
		close(q.empty)
		q.empty = nil
	}
}

// emptied returns what is closed when nothing waits any more; nil where nothing does.
func (q *queue[T]) emptied() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 && q.taken == 0 {
		return nil
	}
	if q.empty == nil {
		q.empty = make(chan struct{})
	}
	return q.empty
}

// incoming is a message as it has come.
type incoming struct {
	namespace *namespace
	kind      kind
	channel   string
	message   string
}

// kind says what a message is by its channel.
type kind int

const (
	kindBroadcast kind = iota
	kindRequest
)

type inbox = queue[incoming]

func newInbox() *inbox { return newQueue[incoming]() }

// outgoing is a message that is to be sent.
type outgoing struct {
	channel string
	message []byte
	since   time.Time
}

type outbox = queue[outgoing]

func newOutbox() *outbox { return newQueue[outgoing]() }

// send queues a message. It never waits.
func (b *Bridge) send(ctx context.Context, channel string, message []byte) {
	if !b.outbox.put(outgoing{channel, message, time.Now()}, len(message)) {
		b.counters.dropped.Add(1)
		b.log.WarnContext(ctx, "bridge: what was emitted does not reach other servers: too much waits for Redis")
	}
}
