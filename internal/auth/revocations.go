package auth

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Revocation says that the tokens of a user which were issued up to a moment are believed no longer.
type Revocation struct {
	UserID string
	// At is in Unix milliseconds. Tokens count whole seconds (RFC 7519, section 2): those of the same second are revoked, too.
	At int64
}

// Revocations are those that stand. To look somebody up, which is done for every token, takes no lock and makes no garbage;
// a change copies all, which are few.
type Revocations struct {
	changing sync.Mutex
	// standing is the moments by user. A map is never changed once it is here; nil is an empty one.
	standing atomic.Pointer[map[string]int64]
}

// NewRevocations returns Revocations without any.
func NewRevocations() *Revocations { return &Revocations{} }

// Add notes revocations. Of several of a user the latest stands, in whatever order they come. It returns those that were not
// known.
func (r *Revocations) Add(all ...Revocation) (news []Revocation) {
	if len(all) == 0 {
		return nil
	}
	r.change(func(standing map[string]int64) {
		for _, one := range all {
			if at, known := standing[one.UserID]; !known || at < one.At {
				standing[one.UserID] = one.At
				news = append(news, one)
			}
		}
	})
	return news
}

// ForgetBefore forgets those that are older than so many Unix milliseconds.
func (r *Revocations) ForgetBefore(before int64) {
	r.change(func(standing map[string]int64) {
		maps.DeleteFunc(standing, func(_ string, at int64) bool { return at < before })
	})
}

// Len is how many stand.
func (r *Revocations) Len() int { return len(r.load()) }

func (r *Revocations) change(apply func(standing map[string]int64)) {
	r.changing.Lock()
	defer r.changing.Unlock()
	changed := maps.Clone(r.load())
	if changed == nil {
		changed = make(map[string]int64)
	}
	apply(changed)
	r.standing.Store(&changed)
}

func (r *Revocations) load() map[string]int64 {
	if r == nil {
		return nil
	}
	if standing := r.standing.Load(); standing != nil {
		return *standing
	}
	return nil
}

// cover reports whether the token of an identity is revoked. One that does not say when it was issued may have been at any
// time, and one that says it will be issued later than latest is not to be trusted in this.
func (r *Revocations) cover(id Identity, latest time.Time) bool {
	at, revoked := r.load()[id.UserID]
	if !revoked {
		return false
	}
	return id.IssuedAt.IsZero() || id.IssuedAt.Unix() <= time.UnixMilli(at).Unix() || id.IssuedAt.After(latest)
}
