//go:build unix

package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// circle is people on several servers who talk, and whose clients keep what they know of rooms as chat:sync has it.
type circle struct {
	t       *testing.T
	cluster *cluster
	people  []*syncer
	faults  faultList

	mu    sync.Mutex
	acked map[string]acknowledged // by the id of a message: the newest change that was acknowledged
}

// acknowledged is a change of a message as its maker was told of it.
type acknowledged struct {
	room          string
	seq, revision int64
	text          string
	deleted       bool
	isReaction    bool // it says nothing of the text
}

// TestSyncedRoomsEqualTheStore: people on three nodes send, edit, delete, react, read, and put each other into groups and out of
// them, and lose their connections, while nodes are killed and started again. Their clients hear what they hear, and ask chat:sync
// for what they have missed. In the end each of them has of its rooms what PostgreSQL has; and each was told of every change once.
func TestSyncedRoomsEqualTheStore(t *testing.T) {
	people, rooms, lasting, kills := 40, 12, 12*time.Second, 1
	if os.Getenv("SOAK") == "1" {
		people, rooms, lasting, kills = 200, 50, time.Minute, 4
	}
	seed := seed(t)
	random := rand.New(rand.NewPCG(seed, 7))
	c := &circle{t: t, cluster: startCluster(t), acked: make(map[string]acknowledged)}
	c.faults.began = time.Now()
	c.gather(people, rooms, random)
	ctx, end := context.WithTimeout(context.Background(), lasting+harness.Deadline)
	defer end()
	stop := make(chan struct{})
	var everybody sync.WaitGroup
	for _, p := range c.people {
		everybody.Go(func() { p.live(ctx, stop) })
	}
	for range kills {
		pass(lasting / time.Duration(kills+1))
		killed := random.IntN(nodeCount)
		c.cluster.node(killed).Kill()
		pass(time.Second)
		c.cluster.relaunch(killed)
	}
	pass(lasting / time.Duration(kills+1))
	close(stop)
	everybody.Wait()
	c.cluster.awaitReady()
	stored := c.readMessages(t)
	changes := 0
	for _, room := range stored {
		changes += int(room.revision)
	}
	t.Logf("%d rooms with %d changes, %d of which were acknowledged as the newest of a message", len(stored), changes, len(c.acked))
	for _, p := range c.people {
		everybody.Go(func() { p.settle(ctx, stored) })
	}
	everybody.Wait()
	c.judgeAcknowledged(stored)
	for _, line := range c.faults.lines {
		t.Error(line)
	}
}

// gather makes the people, each with some rooms: open ones, direct ones, and the groups of whoever is first in them.
func (c *circle) gather(people, rooms int, random *rand.Rand) {
	c.t.Helper()
	for i := range people {
		who := harness.Person(fmt.Sprintf("s%d", i), []roles.Role{roles.Vendor, roles.Provider, roles.Admin}[i%3], "")
		c.people = append(c.people, newSyncer(c, who, random.Uint64()))
	}
	for i := range rooms {
		one, other := c.people[random.IntN(people)], c.people[random.IntN(people)]
		switch {
		case i%3 == 0:
			room := fmt.Sprintf("open-%d", i)
			for range 4 {
				p := c.people[random.IntN(people)]
				p.rooms = append(p.rooms, room)
			}
		case i%3 == 1 && one != other:
			room, err := roles.DirectRoom(one.UserID, other.UserID)
			if err != nil {
				c.t.Fatal(err)
			}
			one.rooms, other.rooms = append(one.rooms, room.String()), append(other.rooms, room.String())
		default:
			one.makes++
		}
	}
}

// noteAcked keeps the newest acknowledged change of a message.
func (c *circle) noteAcked(id string, a acknowledged) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.revision > c.acked[id].revision {
		c.acked[id] = a
	}
}

// judgeAcknowledged holds what was acknowledged against what is stored.
func (c *circle) judgeAcknowledged(stored map[string]*syncedRoom) {
	for id, a := range c.acked {
		room := stored[a.room]
		if room == nil {
			c.faults.add("%s was acknowledged in %s, which is not stored", id, a.room)
			continue
		}
		m, there := room.messages[a.seq]
		switch {
		case !there || m.ID != id || m.Revision < a.revision:
			c.faults.add("%s was acknowledged as %+v, and is %+v", id, a, m)
		case m.Revision == a.revision && !a.isReaction && (m.Deleted != a.deleted || !a.deleted && m.Text != a.text):
			c.faults.add("%s was acknowledged as %+v, and is %+v", id, a, m)
		}
	}
}

// others are people beside one, in some order.
func (c *circle) others(of auth.Identity, random *rand.Rand, most int) (ids []string) {
	for range most {
		if p := c.people[random.IntN(len(c.people))]; p.UserID != of.UserID && !slices.Contains(ids, p.UserID) {
			ids = append(ids, p.UserID)
		}
	}
	return ids
}
