package people

import (
	"context"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// maxStored is how many people are remembered to be in the store, some 5 MB.
	maxStored = 65_536
	// newcomerPatience is how long somebody is held up who has never been here before.
	newcomerPatience = 2 * time.Second
)

// newcomers has people written down at once who are not in the store yet, where several servers share it: what one of them
// knows of somebody who has just come for the first time, the others read there. It is nil where there is one server.
type newcomers struct {
	seen *seen
	// stored is who is known to be in the store, by user id. Nobody is ever taken out of it.
	stored *lru.Cache[string, struct{}]
}

func newNewcomers(seen *seen) *newcomers {
	stored, _ := lru.New[string, struct{}](maxStored) // it fails for a size that is not positive alone
	return &newcomers{seen: seen, stored: stored}
}

// writeDown returns when somebody who was noted is in the store, or patience has ended: then they are written in time, like
// those who have been here before. Those who come together are written together.
func (n *newcomers) writeDown(ctx context.Context, userID string) {
	if n == nil || n.stored.Contains(userID) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, newcomerPatience)
	defer cancel()
	known, err := n.seen.store.Users(ctx, UserQuery{IDs: []string{userID}}, "", 1)
	if err != nil {
		return
	}
	if len(known) == 0 && !n.seen.writeNow(ctx, userID) {
		return
	}
	n.stored.Add(userID, struct{}{})
}
