// Package turns lets a few pieces of work run at a time, and those who wait for theirs take turns: tenant by tenant, and
// within a tenant person by person. Who asks for much waits for it; who asks for little waits for no more than what is
// running.
package turns

import (
	"container/list"
	"context"
	"sync"
)

// Bounds is how many pieces of work run at a time: over all, of one tenant, and of one person.
type Bounds struct{ All, Tenant, Person int }

// Turns hands out turns. It is safe for use by many goroutines, and keeps nothing of who neither works nor waits.
type Turns struct {
	bounds Bounds

	mu      sync.Mutex
	running int
	tenants map[string]*tenant
	queue   list.List // of tenants with somebody who waits, the next first
}

type tenant struct {
	name    string
	running int
	people  map[string]*person
	queue   list.List // of people who wait, the next first
	place   *list.Element
}

type person struct {
	name    string
	running int
	waiting list.List // of turns
	place   *list.Element
}

// turn is closed when it has come.
type turn chan struct{}

// New returns Turns within bounds, each at least one.
func New(bounds Bounds) *Turns {
	return &Turns{bounds: bounds, tenants: make(map[string]*tenant)}
}

// Take waits for a turn of a tenant's person. The caller gives it back, once, by calling done. It fails where ctx ends
// first.
func (t *Turns) Take(ctx context.Context, tenantName, personName string) (done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t.mu.Lock()
	of, who := t.enterLocked(tenantName, personName)
	mine := make(turn)
	waits := who.waiting.PushBack(mine)
	t.queueLocked(of, who)
	t.handOutLocked()
	t.mu.Unlock()
	done = func() { t.giveBack(of, who) }
	select {
	case <-mine:
		return done, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	select {
	case <-mine: // in the same moment
		t.mu.Unlock()
		done()
	default:
		who.waiting.Remove(waits)
		t.leaveLocked(of, who)
		t.mu.Unlock()
	}
	return nil, ctx.Err()
}

// Waiting is how many wait for their turn.
func (t *Turns) Waiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	waiting := 0
	for _, of := range t.tenants {
		for _, who := range of.people {
			waiting += who.waiting.Len()
		}
	}
	return waiting
}

func (t *Turns) enterLocked(tenantName, personName string) (*tenant, *person) {
	of := t.tenants[tenantName]
	if of == nil {
		of = &tenant{name: tenantName, people: make(map[string]*person)}
		t.tenants[tenantName] = of
	}
	who := of.people[personName]
	if who == nil {
		who = &person{name: personName}
		of.people[personName] = who
	}
	return of, who
}

// queueLocked has somebody who waits stand in the queues.
func (t *Turns) queueLocked(of *tenant, who *person) {
	if who.place == nil {
		who.place = of.queue.PushBack(who)
	}
	if of.place == nil {
		of.place = t.queue.PushBack(of)
	}
}

// leaveLocked takes out of the queues whoever no longer waits, and forgets who neither waits nor works.
func (t *Turns) leaveLocked(of *tenant, who *person) {
	if who.waiting.Len() == 0 && who.place != nil {
		of.queue.Remove(who.place)
		who.place = nil
	}
	if who.waiting.Len() == 0 && who.running == 0 {
		delete(of.people, who.name)
	}
	if of.queue.Len() == 0 && of.place != nil {
		t.queue.Remove(of.place)
		of.place = nil
	}
	if len(of.people) == 0 {
		delete(t.tenants, of.name)
	}
}

// handOutLocked hands out turns as long as there are any and somebody may have one.
func (t *Turns) handOutLocked() {
	for t.running < t.bounds.All {
		of, who := t.nextLocked()
		if who == nil {
			return
		}
		next := who.waiting.Front()
		mine, _ := who.waiting.Remove(next).(turn)
		t.running, of.running, who.running = t.running+1, of.running+1, who.running+1
		close(mine)
		if who.place != nil {
			of.queue.MoveToBack(who.place)
		}
		t.queue.MoveToBack(of.place)
		t.leaveLocked(of, who)
	}
}

// nextLocked finds whose turn it is; few of those in front can have had their share already.
func (t *Turns) nextLocked() (*tenant, *person) {
	for at := t.queue.Front(); at != nil; at = at.Next() {
		of, _ := at.Value.(*tenant)
		if of.running >= t.bounds.Tenant {
			continue
		}
		for place := of.queue.Front(); place != nil; place = place.Next() {
			if who, _ := place.Value.(*person); who.running < t.bounds.Person {
				return of, who
			}
		}
	}
	return nil, nil
}

func (t *Turns) giveBack(of *tenant, who *person) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running, of.running, who.running = t.running-1, of.running-1, who.running-1
	t.leaveLocked(of, who)
	t.handOutLocked()
}
