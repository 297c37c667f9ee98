//go:build unix

package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func cmpText(a, b string) int { return strings.Compare(a, b) }

// emojis are those with which people react.
func emojis() []string { return []string{"👍", "🎉", "❤️"} }

// act does one thing. It reports false where the connection is of no use any more.
func (p *syncer) act(ctx context.Context) bool {
	if p.makes > 0 {
		return p.makeGroup(ctx)
	}
	room, m, there := p.someMessage()
	chance := p.random.IntN(100)
	switch {
	case !there || chance < 50:
		return p.say(ctx)
	case chance < 62 && m.UserID == p.UserID:
		return p.edit(ctx, room, m)
	case chance < 70 && m.UserID == p.UserID:
		return p.remove(ctx, room, m)
	case chance < 88:
		return p.react(ctx, room, m)
	case chance < 94:
		_, ok := p.call(ctx, "chat:read", map[string]any{"roomId": room, "messageId": m.ID}, nil)
		return ok
	default:
		return p.changeMembers(ctx)
	}
}

// someMessage is one that somebody has said and that is still there.
func (p *syncer) someMessage() (room string, m syncedMessage, there bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := slices.Sorted(maps.Keys(p.known))
	p.random.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	for _, id := range ids {
		known := p.known[id]
		if known.out {
			continue
		}
		for seq := range known.messages {
			if m := known.messages[seq]; m.Kind == "" && !m.Deleted {
				return id, m, true
			}
		}
	}
	return "", m, false
}

// mine are the rooms in which somebody may write: their own, and the groups they have heard of.
func (p *syncer) mine() []string {
	rooms := slices.Clone(p.rooms)
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, room := range p.known {
		if strings.HasPrefix(id, "group:") && !room.out {
			rooms = append(rooms, id)
		}
	}
	slices.Sort(rooms)
	return rooms
}

// receipt is the answer to a change of a message.
type receipt struct {
	ID       string `json:"messageId"`
	Seq      int64  `json:"seq"`
	Revision int64  `json:"revision"`
}

func (p *syncer) say(ctx context.Context) bool {
	rooms := p.mine()
	if len(rooms) == 0 {
		return true
	}
	room := rooms[p.random.IntN(len(rooms))]
	p.said++
	text := fmt.Sprintf("%s says %d", p.UserID, p.said)
	var made receipt
	code, ok := p.call(ctx, "chat:message", map[string]any{"roomId": room, "text": text, "clientId": text}, &made)
	if ok && code == "" {
		p.circle.noteAcked(made.ID, acknowledged{room: room, seq: made.Seq, revision: 1, text: text, isReaction: true})
	}
	return p.took("chat:message", code, ok)
}

// took tells whether a refusal is one that may be.
func (p *syncer) took(event, code string, ok bool) bool {
	switch code {
	case "", "room_forbidden", "not_found", "forbidden", "conflict":
	default:
		p.wrong("%s is refused: %s", event, code)
	}
	return ok
}

func (p *syncer) edit(ctx context.Context, room string, m syncedMessage) bool {
	p.said++
	text := fmt.Sprintf("%s says %d", p.UserID, p.said)
	var made receipt
	code, ok := p.call(ctx, "chat:edit", map[string]any{"roomId": room, "messageId": m.ID, "text": text}, &made)
	if ok && code == "" {
		p.circle.noteAcked(m.ID, acknowledged{room: room, seq: made.Seq, revision: made.Revision, text: text})
	}
	return p.took("chat:edit", code, ok)
}

func (p *syncer) remove(ctx context.Context, room string, m syncedMessage) bool {
	var made receipt
	code, ok := p.call(ctx, "chat:delete", map[string]any{"roomId": room, "messageId": m.ID}, &made)
	if ok && code == "" {
		p.circle.noteAcked(m.ID, acknowledged{room: room, seq: made.Seq, revision: made.Revision, deleted: true})
	}
	return p.took("chat:delete", code, ok)
}

func (p *syncer) react(ctx context.Context, room string, m syncedMessage) bool {
	var made receipt
	emoji := emojis()[p.random.IntN(3)]
	code, ok := p.call(ctx, "chat:react",
		map[string]any{"roomId": room, "messageId": m.ID, "emoji": emoji, "on": p.random.IntN(3) > 0}, &made)
	if ok && code == "" {
		p.circle.noteAcked(m.ID, acknowledged{room: room, seq: made.Seq, revision: made.Revision, isReaction: true})
	}
	return p.took("chat:react", code, ok)
}

func (p *syncer) makeGroup(ctx context.Context) bool {
	number := p.makes
	code, ok := p.call(ctx, "room:create", map[string]any{
		"name": fmt.Sprint("group ", number), "members": p.circle.others(p.Identity, p.random, 5),
		"clientId": fmt.Sprint("group ", number), "history": []string{"joined", "all"}[p.random.IntN(2)],
	}, nil)
	switch {
	case ok && (code == "" || code == "conflict"): // it was made, perhaps before, of which nothing was heard
		p.makes--
	case ok && code == "not_found": // somebody who has not come yet
		return true
	}
	return p.took("room:create", code, ok)
}

// changeMembers puts somebody into a group or out of it, or leaves one.
func (p *syncer) changeMembers(ctx context.Context) bool {
	var mine []string
	for _, id := range p.mine() {
		if strings.HasPrefix(id, "group:") {
			mine = append(mine, id)
		}
	}
	if len(mine) == 0 {
		return true
	}
	room, event, members := mine[p.random.IntN(len(mine))], "room:add", p.circle.others(p.Identity, p.random, 2)
	switch p.random.IntN(4) {
	case 0:
		event = "room:remove"
	case 1:
		event, members = "room:remove", []string{p.UserID}
	}
	if len(members) == 0 {
		return true
	}
	code, ok := p.call(ctx, event, map[string]any{"roomId": room, "members": members}, nil)
	return p.took(event, code, ok)
}

// readMessages reads from PostgreSQL what the rooms have become.
func (c *circle) readMessages(t *testing.T) map[string]*syncedRoom {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, c.cluster.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	rooms := make(map[string]*syncedRoom)
	var id, userID, emoji string
	var revision, seq int64
	var count int
	var m syncedMessage
	for _, read := range []struct {
		query string
		into  []any
		take  func()
	}{
		{`SELECT room_id, revision FROM rooms`, []any{&id, &revision}, func() {
			rooms[id] = newSyncedRoom()
			if rooms[id].revision = revision; isHeardAnyhow(id) {
				rooms[id].members, rooms[id].seesAfter = make(map[string]bool), make(map[string]int64)
			}
		}},
		{`SELECT room_id, user_id, sees_after FROM room_members JOIN rooms ON number = room`, []any{&id, &userID, &seq}, func() {
			if rooms[id].members != nil {
				rooms[id].members[userID], rooms[id].seesAfter[userID] = true, seq
			}
		}},
		{`SELECT room_id, seq, greatest(m.revision, m.changed), message_id, user_id, convert_from(text, 'UTF8'), deleted_at > 0,
			CASE WHEN m.system = '' THEN '' ELSE 'system' END FROM messages m JOIN rooms ON number = room`,
			[]any{&id, &m.Seq, &m.Revision, &m.ID, &m.UserID, &m.Text, &m.Deleted, &m.Kind}, func() { rooms[id].messages[m.Seq] = m }},
		{`SELECT room_id, seq, emoji, count(*) FROM message_reactions r JOIN rooms ON number = room GROUP BY 1, 2, 3`,
			[]any{&id, &seq, &emoji, &count}, func() {
				its := rooms[id].messages[seq]
				its.Reactions = append(its.Reactions, reaction{emoji, count})
				rooms[id].messages[seq] = its
			}},
	} {
		if err := each(ctx, conn, read.query, read.into, func() error { read.take(); return nil }); err != nil {
			t.Fatalf("read the store: %v", err)
		}
	}
	return rooms
}
