package keyset

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Why there is no key for a token.
var (
	// ErrUnknown: the set has no such key.
	ErrUnknown = errors.New("unknown key")
	// ErrUnavailable: it is not known whether the provider has such a key.
	ErrUnavailable = errors.New("the identity provider has not told its keys")
)

// When the keys are fetched again. A key that the provider has only just published works within fetchInterval and the time
// the provider takes to answer, whatever others send; and no more is asked of the provider than that, whatever they send.
const (
	// fetchInterval is the least time between two fetches, fetchBurst how many may follow each other without it.
	fetchInterval = 3 * time.Second
	fetchBurst    = 3
	// refreshInterval is how long a key that the provider has taken back is still believed.
	refreshInterval = 5 * time.Minute
	// longestRetry bounds the wait before a provider that has failed is asked again, which doubles from fetchInterval.
	longestRetry = 30 * time.Second
)

// What callers with unknown keys may cost.
const (
	// waitMost is how long one waits for the next fetch, waitersMost how many do at a time.
	waitMost    = 5 * time.Second
	waitersMost = 1000
	// missingMost is how many key ids that the latest set lacks are remembered, missingIDMost how long each may be in bytes.
	missingMost   = 1000
	missingIDMost = 256
)

// Remote is the key set of an identity provider. It is safe for use by many goroutines.
type Remote struct {
	source *source
	log    *slog.Logger
	turns  *rate.Limiter
	// asked holds a wish for a fetch.
	asked chan struct{}

	mu  sync.Mutex
	set Set
	// missing are ids that were looked for in vain in the set that was fetched at fetched.
	missing map[string]struct{}
	fetched time.Time
	// started and finished number the fetches; failure is why the last one to finish was none.
	started, finished uint64
	failure           error
	// changed is closed by the next fetch to finish.
	changed chan struct{}
	waiting int
}

// NewRemote returns the keys that a URL serves. They are fetched until ctx ends; the first fetch is not waited for.
func NewRemote(ctx context.Context, url string, log *slog.Logger) (*Remote, error) {
	source, err := newSource(url)
	if err != nil {
		return nil, err
	}
	r := &Remote{
		source: source, log: log, turns: rate.NewLimiter(rate.Every(fetchInterval), fetchBurst),
		asked: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	go r.run(ctx)
	return r, nil
}

// Find returns the keys that may have signed a token whose header names this key, "" for none, and algorithm. A key that
// is not known is waited for while the provider is asked. It fails with ErrUnknown or ErrUnavailable.
func (r *Remote) Find(ctx context.Context, id, algorithm string) ([]crypto.PublicKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if keys, known := r.set.find(id, algorithm); known {
		return fitting(keys, id, algorithm)
	}
	if _, missing := r.missing[id]; missing && time.Since(r.fetched) < fetchInterval {
		return nil, fmt.Errorf("%w %q", ErrUnknown, id)
	}
	want := r.askLocked()
	if r.waiting >= waitersMost {
		return nil, fmt.Errorf("%w: too many wait for them", ErrUnavailable)
	}
	r.waiting++
	defer func() { r.waiting-- }()
	ctx, cancel := context.WithTimeout(ctx, waitMost)
	defer cancel()
	for r.finished < want {
		if !r.waitLocked(ctx) {
			return nil, fmt.Errorf("%w yet", ErrUnavailable)
		}
		if keys, known := r.set.find(id, algorithm); known {
			return fitting(keys, id, algorithm)
		}
	}
	if r.failure != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, r.failure)
	}
	if len(r.missing) < missingMost && len(id) <= missingIDMost {
		r.missing[id] = struct{}{}
	}
	return nil, fmt.Errorf("%w %q", ErrUnknown, id)
}

func fitting(keys []crypto.PublicKey, id, algorithm string) ([]crypto.PublicKey, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: none named %q is for %s", ErrUnknown, id, algorithm)
	}
	return keys, nil
}

// Suspect has the keys fetched again, since a signature did not match: providers have been seen to give a new key the name
// of the old one, or none at all.
func (r *Remote) Suspect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.askLocked()
}

// askLocked wishes for a fetch, and returns the number of the first one that begins from now on: one under way may have
// been answered before the key was there. Of a set that has never been there any answer will do.
func (r *Remote) askLocked() uint64 {
	if r.finished == 0 {
		return 1
	}
	select {
	case r.asked <- struct{}{}:
	default: // there is a wish already
	}
	return r.started + 1
}

// waitLocked waits, without the lock, for a fetch to finish; it reports false where ctx ends first.
func (r *Remote) waitLocked(ctx context.Context) bool {
	changed := r.changed
	r.mu.Unlock()
	defer r.mu.Lock()
	select {
	case <-changed:
		return true
	case <-ctx.Done():
		return false
	}
}

// run fetches, one fetch at a time, when it is wished for and when the set has become old.
func (r *Remote) run(ctx context.Context) {
	defer r.source.close()
	next := time.NewTimer(0)
	defer next.Stop()
	outage := outage{log: r.log, url: r.source.shown}
	retry := fetchInterval
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		case <-r.asked:
		}
		if r.turns.Wait(ctx) != nil {
			return
		}
		r.begin()
		set, leftOut, err := r.source.fetch(ctx)
		if ctx.Err() != nil {
			return
		}
		outage.note(ctx, err) // before those who wait hear of it
		changed := r.finish(set, err)
		if err != nil {
			next.Reset(retry)
			retry = min(2*retry, longestRetry)
			continue
		}
		retry = fetchInterval
		next.Reset(refreshInterval)
		if changed {
			r.tell(ctx, set, leftOut)
		}
	}
}

// begin starts a fetch, which answers all wishes so far.
func (r *Remote) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started++
	select {
	case <-r.asked:
	default:
	}
}

// finish puts the outcome of a fetch in place, and reports whether the keys are others than before. After a failure the
// keys so far are believed further.
func (r *Remote) finish(set Set, err error) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished = r.started
	if r.failure = err; err == nil {
		changed = r.fetched.IsZero() || !r.set.equal(set)
		r.set, r.missing, r.fetched = set, make(map[string]struct{}), time.Now()
	}
	close(r.changed)
	r.changed = make(chan struct{})
	return changed
}

// tell logs which keys there are now.
func (r *Remote) tell(ctx context.Context, set Set, leftOut []LeftOut) {
	if len(set) == 0 {
		r.log.WarnContext(ctx, "the identity provider has no keys for signatures: no token is believed", "url", r.source.shown, "left_out", leftOut)
		return
	}
	r.log.InfoContext(ctx, "identity provider's keys", "url", r.source.shown, "keys", set.IDs(), "left_out", leftOut)
}
