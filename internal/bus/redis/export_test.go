package redis

import "time"

// Alone says that the node knows of no other.
func (b *Bus) Alone() bool { return b.peers.alone() }

// Waiting is how many bytes wait to be published.
func (b *Bus) Waiting() int {
	o := b.lanes[0].outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

// Drained is ready when some of it may have been.
func (b *Bus) Drained() <-chan time.Time { return time.After(time.Millisecond) }
