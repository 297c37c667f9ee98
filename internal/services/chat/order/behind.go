package order

import (
	"context"
	"slices"
	"time"

	"rolecall/internal/roles"
)

// clockSlack is by how much the clocks of nodes are taken to differ at most, where it matters who was there first.
const clockSlack = time.Second

// readLater has the room read from the store after a while, unless what is missing comes before. It is called with the room
// locked.
func (c *Cluster) readLater(r *room, wait time.Duration) {
	if r.timer != nil || r.closed {
		return
	}
	r.timer = time.AfterFunc(wait, func() { c.work(func() { c.readNow(r) }) })
}

// readNow tells what has not been told of a room and the store has. Where the store fails it is tried again.
func (c *Cluster) readNow(r *room) {
	select {
	case <-c.ctx.Done():
		return
	case c.turns <- struct{}{}:
	}
	defer func() { <-c.turns }()
	if r.hold(c.ctx) != nil {
		return
	}
	r.mu.Lock()
	r.timer, r.again = nil, false
	lowest := r.lowest()
	r.mu.Unlock()
	err := c.tellUpTo(c.ctx, r, everything)
	r.mu.Lock()
	if err != nil {
		c.readLater(r, c.options.Retry)
	} else {
		r.inDoubt = false
		if lowest > r.told+1 { // what comes before it is kept no longer
			r.told = lowest - 1
		}
	}
	r.mu.Unlock()
	if err != nil && c.ctx.Err() == nil {
		c.log.ErrorContext(c.ctx, "changes of a room not read", "room", r.id, "error", err)
	}
	c.letGo(c.ctx, r)
}

// tellUpTo tells, from the store, what has not been told up to a revision. Whoever calls it holds the room.
func (c *Cluster) tellUpTo(ctx context.Context, r *room, upTo int64) error {
	r.mu.Lock()
	told, known := r.told, r.known
	r.mu.Unlock()
	if known && told >= upTo {
		return nil
	}
	if !known {
		var err error
		if told, err = c.Log.Before(ctx, r.id, c.horizon()); err != nil {
			return err
		}
		told = min(told, upTo)
	}
	for more := told < upTo; more; {
		var changes []Past
		var err error
		changes, more, err = c.Log.Since(ctx, r.id, told, upTo)
		if err != nil {
			return err
		}
		more = more && len(changes) > 0
		for i := range changes {
			c.tellPast(ctx, r, &changes[i], known)
			told = changes[i].Revision
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if upTo != everything {
		told = upTo // what comes before it, and was not there, is kept no longer
	}
	r.known, r.told = true, max(r.told, told)
	return nil
}

// horizon is from when on changes are looked for in rooms of which nothing is known, Unix milliseconds.
func (c *Cluster) horizon() int64 {
	since := c.options.Now().Add(-c.options.Window)
	if since.Before(c.started) {
		since = c.started
	}
	return since.UnixMilli()
}

// tellPast tells of a change that comes from the store. Where the room was not known, those are not told who have come since:
// they may have heard of it elsewhere.
func (c *Cluster) tellPast(ctx context.Context, r *room, past *Past, known bool) {
	made, err := changeOf(past.Deliveries)
	if err != nil {
		c.log.ErrorContext(ctx, "change not told", "room", r.id, "error", err)
		return
	}
	if made.membersChanged && c.MembersChanged != nil {
		c.MembersChanged(r.id)
	}
	r.mu.Lock()
	inDoubt := r.inDoubt
	if r.waiting[past.Revision] != nil { // it has just come, for whoever is here
		known = true
	}
	r.mu.Unlock()
	if inDoubt {
		c.publish(ctx, &made)
	}
	if !known {
		at := time.UnixMilli(past.At)
		for i := range made.told {
			made.told[i].to = slices.DeleteFunc(slices.Clone(made.told[i].to), func(to roles.Room) bool {
				return c.cameAfter(to, at)
			})
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c.tell(ctx, r, &made)
}

func (c *Cluster) cameAfter(to roles.Room, at time.Time) bool {
	userID, isUser := roles.UserAmong([]string{string(to)})
	if !isUser {
		return false
	}
	since, here := c.Listeners.Since(userID)
	return !here || since.After(at.Add(clockSlack))
}

// miss is called when what others have told may have been missed. It does not wait for the store.
func (c *Cluster) miss(context.Context) {
	if c.Missed != nil {
		c.Missed()
	}
	select {
	case c.lost <- struct{}{}:
	default:
	}
}

// look compares what has been told with the store after losses, and forgets rooms, until the end.
func (c *Cluster) look() {
	around := time.NewTicker(lookAround)
	defer around.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-around.C:
			c.Listeners.Users() // which has it forget who has left
			c.rooms.forget(c.options.Now().Add(-2 * c.options.Window))
			continue
		case <-c.lost:
		}
		for c.compare() != nil {
			select {
			case <-c.ctx.Done():
				return
			case <-time.After(c.options.Retry):
			}
		}
	}
}

// chunk is how many rooms, or people, are asked for at a time.
const chunk = 500

// compare has those rooms read that others have changed, as the store has it, and that have listeners here.
func (c *Cluster) compare() (err error) {
	defer func() {
		if err != nil && c.ctx.Err() == nil {
			c.log.ErrorContext(c.ctx, "rooms not compared with the store", "error", err)
		}
	}()
	since := c.horizon()
	for some := range slices.Chunk(c.rooms.all(), chunk) {
		ids := make([]roles.ChatRoom, len(some))
		for i, r := range some {
			ids[i] = r.id
		}
		heads, err := c.Log.Heads(c.ctx, ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			c.readIfBehind(id, heads[id])
		}
	}
	for some := range slices.Chunk(c.Listeners.Users(), chunk) {
		changed, err := c.Log.Changed(c.ctx, some, since)
		if err != nil {
			return err
		}
		for _, id := range changed {
			if r := c.rooms.find(id, c.options.Now()); r != nil { // which has been compared
				c.rooms.release(r)
				continue
			}
			c.readIfBehind(id, everything)
		}
	}
	return nil
}

// readIfBehind has a room read if it has come further than has been told here.
func (c *Cluster) readIfBehind(id roles.ChatRoom, head int64) {
	r := c.rooms.acquire(id, c.options.Now())
	defer c.rooms.release(r)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known || r.told < head {
		c.readLater(r, 0)
	}
}
