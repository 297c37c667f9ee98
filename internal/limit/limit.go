// Package limit holds token buckets by key: for clients' addresses, and one for each user and kind of request, shared by
// all of the user's sockets and REST calls on this node, or on all that share a Central. They are forgotten once idle.
package limit

import (
	"context"
	"sync"
	"time"
)

// Kind is a class of requests that share a bucket.
type Kind string

// The kinds.
const (
	Chat   Kind = "chat"
	Typing Kind = "typing"
	Join   Kind = "join"
	// Location counts positions that are sent as they are taken.
	Location Kind = "location"
	// Backlog counts positions that a phone has kept while it could not send: arrays, and single ones of some time ago.
	Backlog Kind = "backlog"
	Read    Kind = "read"
	// Search counts searches among messages, which cost more than other reads.
	Search Kind = "search"
	Other  Kind = "other"
	// Upload counts attachments, and each further megabyte (2^20 bytes) that one has.
	Upload Kind = "upload"
	// Connect counts connects to namespaces.
	Connect Kind = "connect"
	// Failure counts bad events; whoever empties this bucket is disconnected for abuse.
	Failure Kind = "failure"
	// Shed counts events that were refused for their number alone, in the place of Failure: official clients send at
	// once what has gathered while they were away.
	Shed Kind = "shed"
)

// Defaults returns the rates of the wire contract.
func Defaults() map[Kind]Rate {
	return map[Kind]Rate{
		Chat:     {Requests: 10, Period: 10 * time.Second, Burst: 10},
		Typing:   {Requests: 5, Period: time.Second, Burst: 5},
		Join:     {Requests: 20, Period: 10 * time.Second, Burst: 100}, // as many rooms as a socket joins anew after a restart
		Location: {Requests: 10, Period: time.Second, Burst: 50},
		Backlog:  {Requests: 50, Period: time.Second, Burst: 4000},
		Read:     {Requests: 20, Period: time.Second, Burst: 20},
		Search:   {Requests: 20, Period: 10 * time.Second, Burst: 10},
		Other:    {Requests: 20, Period: time.Second, Burst: 20},
		Upload:   {Requests: 100, Period: time.Minute, Burst: 1000},
		Connect:  {Requests: 20, Period: 10 * time.Second, Burst: 100},
		Failure:  {Requests: 10, Period: time.Second, Burst: 200},
		Shed:     {Requests: 100, Period: time.Second, Burst: 30_000},
	}
}

type request struct {
	user string
	kind Kind
}

// Buckets holds the buckets of all users.
type Buckets struct {
	*Keyed[request]
	rates   map[Kind]Rate
	refused func(Kind) // nil where nobody counts
	shared  *shared    // nil where each node goes by its own
}

// NewBuckets returns Buckets with these rates, which must name every kind in use; a nil now is the clock.
func NewBuckets(rates map[Kind]Rate, now func() time.Time) *Buckets {
	return &Buckets{Keyed: NewKeyed(func(of request) Rate { return rates[of.kind] }, 0, now), rates: rates}
}

// Share has the buckets be those of all nodes with the same Central. It is called before any token is taken. While the
// Central cannot be reached each node goes by its own.
func (b *Buckets) Share(central Central) { b.shared = newShared(central) }

// Run evicts idle buckets, and tells the Central of what was granted, until ctx ends.
func (b *Buckets) Run(ctx context.Context, every time.Duration) {
	if b.shared == nil {
		b.Keyed.Run(ctx, every)
		return
	}
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { b.shared.report(ctx, b.now) })
	all.Go(func() { b.Keyed.Run(ctx, every) })
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.shared.evict(b.now())
		}
	}
}

// OnRefusal has tell called with the kind of every token that was not to be had. It is called before any is taken.
func (b *Buckets) OnRefusal(tell func(Kind)) { b.refused = tell }

// Take takes one of a user's tokens of a kind. Where none is left it returns false and how long until there is one.
func (b *Buckets) Take(user string, kind Kind) (ok bool, retryAfter time.Duration) {
	ok, retryAfter = b.take(request{user, kind}, 1, false)
	b.note(ok, kind)
	return ok, retryAfter
}

// Admit takes so many of a user's tokens of a kind at once; see Keyed.
func (b *Buckets) Admit(user string, kind Kind, tokens int) (ok bool, retryAfter time.Duration) {
	ok, retryAfter = b.take(request{user, kind}, tokens, true)
	b.note(ok, kind)
	return ok, retryAfter
}

func (b *Buckets) note(ok bool, kind Kind) {
	if !ok && b.refused != nil {
		b.refused(kind)
	}
}

func (b *Buckets) take(of request, tokens int, lined bool) (ok bool, retryAfter time.Duration) {
	if b.shared != nil {
		return b.takeShared(of, b.rates[of.kind], tokens, lined)
	}
	return b.takeOwn(of, tokens, lined)
}

// takeOwn takes tokens from this node's own bucket.
func (b *Buckets) takeOwn(of request, tokens int, lined bool) (ok bool, retryAfter time.Duration) {
	if lined {
		return b.Keyed.Admit(of, tokens)
	}
	return b.Keyed.Take(of)
}
