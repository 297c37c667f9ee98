package groups

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"rolecall/internal/roles"
)

// maxCachedMembers is how many members of groups are remembered, over all groups: some 10 MB.
const maxCachedMembers = 100_000

// memberCache remembers the members of the groups in which something happened last, so that a message to a group does
// not read them anew.
type memberCache struct {
	mu     sync.Mutex
	groups *simplelru.LRU[roles.ChatRoom, Group]
	size   int // members of all groups
	most   int // of them
	// version counts the changes that were told of. Members read under another version may be out of date.
	version uint64
}

func newMemberCache(most int) *memberCache {
	c := &memberCache{most: most}
	// It fails for a size that is not positive alone. A group has a member at least.
	c.groups, _ = simplelru.NewLRU(max(most, 1), func(_ roles.ChatRoom, gone Group) { c.size -= len(gone.Members) })
	return c
}

// get returns the members of a group if they are known, and else the version to put them with.
func (c *memberCache) get(room roles.ChatRoom) (found Group, version uint64, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, known = c.groups.Get(room)
	return found, c.version, known
}

// put remembers members that were read after get had returned the version, unless any group has changed since: they may
// be those from before.
func (c *memberCache) put(room roles.ChatRoom, found Group, version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := len(found.Members)
	if version != c.version || size == 0 || size > c.most || c.groups.Contains(room) {
		return
	}
	for c.size+size > c.most {
		c.groups.RemoveOldest()
	}
	c.groups.Add(room, found)
	c.size += size
}

// forgetAll is forget of every group.
func (c *memberCache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	c.groups.Purge()
}

func (c *memberCache) forget(room roles.ChatRoom) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	c.groups.Remove(room)
}
