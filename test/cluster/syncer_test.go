//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

// syncer is somebody whose client keeps, of every room it has heard of, what the messages have become, and up to which revision
// it knows that.
type syncer struct {
	auth.Identity
	circle *circle
	token  string
	random *rand.Rand
	rooms  []string // those in which they write, as far as they know
	makes  int      // how many groups they still make
	said   int

	mu     sync.Mutex
	known  map[string]*syncedRoom
	client *sioclient.Client
	// told are the revisions by which rooms were told to change, over the present connection: by which kind of event.
	told map[string]map[int64]string
}

// syncedRoom is a room as somebody knows it.
type syncedRoom struct {
	revision int64
	messages map[int64]syncedMessage // by seq
	// from is the seq of the first message that is known: what was said before it is in the history.
	from int64
	out  bool
	// members and seesAfter are as PostgreSQL has them.
	members   map[string]bool
	seesAfter map[string]int64
}

// syncedMessage is what a message has become.
type syncedMessage struct {
	ID        string     `json:"id"`
	Room      string     `json:"roomId"`
	Seq       int64      `json:"seq"`
	Revision  int64      `json:"revision"`
	Kind      string     `json:"kind"`
	Text      string     `json:"text"`
	UserID    string     `json:"userId"`
	Deleted   bool       `json:"deleted"`
	Reactions []reaction `json:"reactions"`
}

type reaction struct {
	Emoji string `json:"emoji"`
	Count int    `json:"count"`
}

func newSyncedRoom() *syncedRoom { return &syncedRoom{messages: make(map[int64]syncedMessage)} }

func newSyncer(c *circle, who auth.Identity, seed uint64) *syncer {
	return &syncer{
		Identity: who, circle: c, token: harness.Token(c.t, who), random: rand.New(rand.NewPCG(seed, 8)),
		known: make(map[string]*syncedRoom),
	}
}

func (p *syncer) wrong(format string, arguments ...any) {
	p.circle.faults.add("%s: "+format, append([]any{p.UserID}, arguments...)...)
}

// connect connects to some node, and asks for what was missed. It returns false where ctx ends first.
func (p *syncer) connect(ctx context.Context) bool {
	for ctx.Err() == nil {
		p.mu.Lock()
		p.told = make(map[string]map[int64]string)
		p.mu.Unlock()
		connecting, cancel := context.WithTimeout(ctx, 2*callPatience)
		client, err := sioclient.Dial(connecting, p.circle.cluster.node(p.random.IntN(nodeCount)).URL,
			sioclient.Options{Auth: map[string]any{"token": p.token}, Observe: p.hear, OnlyEvents: []string{}})
		cancel()
		if err == nil {
			p.client = client
			if p.sync(ctx) {
				return true
			}
			client.Abort()
		}
		wait(ctx, again)
	}
	return false
}

// call asks over the present connection; an answer that is none ends it.
func (p *syncer) call(ctx context.Context, event string, payload, into any) (code string, ok bool) {
	for {
		calling, cancel := context.WithTimeout(ctx, callPatience)
		raw, err := p.client.Call(calling, event, payload)
		cancel()
		ack := harness.Ack{Raw: raw}
		switch {
		case err != nil || json.Unmarshal(raw, &ack) != nil:
			return "", false
		case passes(ack):
			if !wait(ctx, again) {
				return "", false
			}
			continue
		case ack.Status == "ok" && into != nil:
			if err := json.Unmarshal(raw, into); err != nil {
				p.wrong("%s: %v: %s", event, err, raw)
			}
		}
		return ack.Code, true
	}
}

// live has somebody do one thing after the other, over one connection after the other, until stop is closed.
func (p *syncer) live(ctx context.Context, stop <-chan struct{}) {
	for isOpen(stop) && p.connect(ctx) {
		stays := time.Now().Add(time.Duration(p.random.ExpFloat64() * float64(5*time.Second)))
		for isOpen(stop) && time.Now().Before(stays) && isOpen(p.client.Done()) {
			if !p.act(ctx) {
				break
			}
			select {
			case <-stop:
			case <-time.After(time.Duration(p.random.ExpFloat64() * float64(500*time.Millisecond))):
			}
		}
		if p.random.IntN(2) == 0 {
			p.client.Close()
		} else {
			p.client.Abort()
		}
	}
}

// hear takes what is told without being asked for.
func (p *syncer) hear(event sioclient.Event) {
	if len(event.Args) == 0 {
		return
	}
	var told struct {
		syncedMessage
		Emoji string `json:"emoji"`
		Count int    `json:"count"`
	}
	switch event.Name {
	case chat.EventMessage, chat.EventEdited, chat.EventDeleted, chat.EventReaction, groups.EventAdded, groups.EventUpdated, groups.EventRemoved:
		if err := json.Unmarshal(event.Args[0], &told); err != nil {
			p.wrong("%s: %v: %s", event.Name, err, event.Args[0])
			return
		}
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noteTold(event.Name, told.syncedMessage)
	room := p.roomLocked(told.Room)
	switch event.Name {
	case groups.EventAdded:
		room.out = false // what is told of it anew is asked for
		return
	case groups.EventRemoved:
		room.out = true
		return
	case groups.EventUpdated: // its entry comes as a message, of the same revision
		return
	}
	if told.Revision != room.revision+1 { // it is known, or something before it is not: then it is asked for
		return
	}
	room.revision = told.Revision
	m := room.messages[told.Seq]
	switch event.Name {
	case chat.EventMessage:
		m = told.syncedMessage
	case chat.EventEdited:
		m.Text = told.Text
	case chat.EventDeleted:
		m.Text, m.Deleted, m.Reactions = "", true, nil
	case chat.EventReaction:
		m.Reactions = reacted(m.Reactions, reaction{told.Emoji, told.Count})
	}
	if m.ID != "" { // else it is older than all that is known
		m.Revision = told.Revision
		room.messages[told.Seq] = m
	}
}

// noteTold holds it against what was told before: each change is told once, but that a change of a group is told by its event and
// by its entry.
func (p *syncer) noteTold(event string, m syncedMessage) {
	told := p.told[m.Room]
	if told == nil {
		told = make(map[int64]string)
		p.told[m.Room] = told
	}
	by := event
	if m.Kind != "" {
		by = "entry"
	}
	if before := told[m.Revision]; before == by || before != "" && by != "entry" && before != "entry" {
		p.wrong("change %d of %s is told by %s and %s", m.Revision, m.Room, before, by)
	}
	told[m.Revision] = by
}

func (p *syncer) roomLocked(id string) *syncedRoom {
	room := p.known[id]
	if room == nil {
		room = newSyncedRoom()
		p.known[id] = room
	}
	return room
}

func reacted(all []reaction, now reaction) []reaction {
	all = slices.DeleteFunc(slices.Clone(all), func(r reaction) bool { return r.Emoji == now.Emoji })
	if now.Count > 0 {
		all = append(all, now)
	}
	return all
}

// synced is the answer to chat:sync.
type synced struct {
	Rooms map[string]struct {
		Changes []struct {
			Kind     string        `json:"kind"`
			Revision int64         `json:"revision"`
			Message  syncedMessage `json:"message"`
		} `json:"changes"`
		Revision int64  `json:"revision"`
		HasMore  bool   `json:"hasMore"`
		Reset    bool   `json:"reset"`
		Code     string `json:"code"`
	} `json:"rooms"`
	HasMore bool `json:"hasMore"`
}

// sync asks for what is lacking until nothing is.
func (p *syncer) sync(ctx context.Context) bool {
	for {
		p.mu.Lock()
		asked := make(map[string]int64, len(p.known))
		for id, room := range p.known {
			asked[id] = room.revision
		}
		p.mu.Unlock()
		for _, id := range p.rooms { // an open room is asked for by its name
			asked[id] += 0
		}
		var answer synced
		code, ok := p.call(ctx, "chat:sync", map[string]any{"rooms": asked}, &answer)
		if !ok {
			return false
		}
		if code != "" {
			p.wrong("chat:sync is refused: %s", code)
			return false
		}
		p.takeSynced(asked, &answer)
		if !answer.HasMore {
			return true
		}
	}
}

func (p *syncer) takeSynced(asked map[string]int64, answer *synced) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, told := range answer.Rooms {
		room := p.roomLocked(id)
		room.out = told.Code != ""
		if told.Code != "" {
			if told.Code != "room_forbidden" {
				p.wrong("%s is not synced: %s", id, told.Code)
			}
			continue
		}
		if told.Reset {
			room.messages, room.revision, room.from = make(map[int64]syncedMessage), 0, 0
		}
		last := asked[id]
		for _, change := range told.Changes {
			if !told.Reset && change.Revision <= last {
				p.wrong("chat:sync tells change %d of %s, which was asked for beyond %d, behind %d", change.Revision, id, asked[id], last)
			}
			last = change.Revision
			if m := change.Message; m.ID != "" {
				if has := room.messages[m.Seq]; m.Revision >= has.Revision {
					room.messages[m.Seq] = m
				}
				if told.Reset && (room.from == 0 || m.Seq < room.from) {
					room.from = m.Seq
				}
			}
		}
		room.revision = max(room.revision, told.Revision)
	}
}

// settle connects and asks until the client has what is stored, and complains where it does not come to that.
func (p *syncer) settle(ctx context.Context, stored map[string]*syncedRoom) {
	deadline := time.Now().Add(harness.Deadline / 2)
	for p.connect(ctx) {
		lines := p.compare(stored)
		p.client.Close()
		if len(lines) == 0 {
			return
		}
		if time.Now().After(deadline) {
			for _, line := range lines {
				p.wrong("%s", line)
			}
			return
		}
		wait(ctx, again)
	}
	p.wrong("no connection in the end")
}

// compare tells where the client's rooms are not the store's.
func (p *syncer) compare(stored map[string]*syncedRoom) (lines []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, room := range stored {
		if room.members != nil && !room.members[p.UserID] {
			continue
		}
		has := p.known[id]
		if has == nil || has.out {
			if room.members != nil && len(room.messages) > 0 {
				lines = append(lines, fmt.Sprintf("has nothing of %s, of which there is revision %d", id, room.revision))
			}
			continue
		}
		if has.revision != room.revision {
			lines = append(lines, fmt.Sprintf("knows %s up to %d, it has come to %d", id, has.revision, room.revision))
		}
		from := max(has.from, room.seesAfter[p.UserID]+1)
		for _, seq := range slices.Sorted(maps.Keys(room.messages)) {
			want, got := room.messages[seq], has.messages[seq]
			if seq >= from && !got.isSame(want) {
				lines = append(lines, fmt.Sprintf("has %+v in %s, stored is %+v", got, id, want))
			}
			if seq <= room.seesAfter[p.UserID] && got.ID != "" && has.from > 0 && seq >= has.from {
				lines = append(lines, fmt.Sprintf("has message %d of %s, which was there before they were", seq, id))
			}
		}
	}
	return lines
}

func (m syncedMessage) isSame(as syncedMessage) bool {
	order := func(a, b reaction) int { return cmpText(a.Emoji, b.Emoji) }
	mine, theirs := slices.SortedFunc(slices.Values(m.Reactions), order), slices.SortedFunc(slices.Values(as.Reactions), order)
	return m.ID == as.ID && m.Seq == as.Seq && m.Revision == as.Revision && m.Deleted == as.Deleted && m.Kind == as.Kind &&
		(m.Kind != "" || m.Text == as.Text && m.UserID == as.UserID) && slices.Equal(mine, theirs)
}
