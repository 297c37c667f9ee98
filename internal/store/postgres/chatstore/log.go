package chatstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"rolecall/internal/audit"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/store/mentioned"
	"rolecall/internal/store/postgres"
)

// maxRaces is how often a batch is begun anew, as another server has made its rooms, or stored one of its drafts, meanwhile.
const maxRaces = 10

// errRaced tells that another server was faster, and nothing was stored.
var errRaced = errors.New("another server has stored a message with the same client id")

// Apply implements chat.Store. However many changes there are, it takes four round trips: to begin, to lock the rooms and look
// at them, to write, and to commit; and one transaction before, where rooms are to be made.
func (s *Store) Apply(ctx context.Context, changes []chat.Change) ([]chat.Applied, error) {
	applied, err := s.apply(ctx, changes)
	if err != nil {
		return nil, fmt.Errorf("change rooms: %w", err)
	}
	return applied, nil
}

func (s *Store) apply(ctx context.Context, changes []chat.Change) ([]chat.Applied, error) {
	for _, change := range changes {
		switch change.(type) {
		case chat.Append, chat.MessageChange:
		default:
			return nil, fmt.Errorf("%T is no change that this store knows", change)
		}
	}
	if len(changes) == 0 {
		return []chat.Applied{}, nil
	}
	for attempt := 1; ; attempt++ {
		var b *batch
		err := s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
			b = newBatch(s, changes)
			return b.run(ctx, tx)
		})
		var missing *missingRooms
		switch {
		case err == nil:
			return b.applied, nil
		case attempt == maxRaces:
			return nil, err
		case errors.As(err, &missing):
			err = s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error { return missing.create(ctx, tx) })
		}
		if err != nil && !errors.Is(err, errRaced) {
			return nil, err
		}
	}
}

// missingRooms is why a batch cannot be stored yet. Rooms are made in a transaction before that of the batch, which then
// locks all its rooms in order: to make some while others are held could have two batches wait for each other.
type missingRooms struct{ rooms []groups.Founding }

// Error implements error.
func (m *missingRooms) Error() string { return "there are no such rooms yet" }

// create makes them, with the members that their ids name; a group that nobody has made has none.
func (m *missingRooms) create(ctx context.Context, tx *postgres.Tx) error {
	if _, err := createRooms(ctx, tx, m.rooms); err != nil {
		return err
	}
	return addMembers(ctx, tx, m.rooms)
}

// room is what changing a room takes to know of it.
type room struct {
	number, lastSeq, revision, membersSince, activeAt int64

	latest     instant.Stamp // the time of its newest message, 0 where there is none
	isOutdated bool          // a change was asked for among other members
	isClosed   bool
	changed    bool

	// directAt is when something was said last in a direct room, in this batch, and aloneAt what was shown to its author alone.
	directAt int64
	aloneAt  map[string]int64
}

// lockedRooms are the rooms that lockRooms has found, by id.
func lockedRooms(rows pgx.Rows, failed error) (map[string]*room, error) {
	rooms := make(map[string]*room)
	_, err := postgres.Collect(rows, failed, func(row postgres.Scanner) (none struct{}, err error) {
		var found room
		var id string
		err = row.Scan(&found.number, &id, &found.lastSeq, &found.revision, &found.membersSince, &found.activeAt, &found.isClosed)
		rooms[id] = &found
		return none, err
	})
	return rooms, err
}

// author is somebody in a room.
type author struct{ roomID, userID string }

// sending is what a sender calls a message.
type sending struct{ userID, clientID string }

// block is that somebody has blocked another.
type block struct{ userID, blockedID string }

// batch is the transaction of a batch of changes.
type batch struct {
	store   *Store
	changes []chat.Change
	applied []chat.Applied

	rooms map[string]*room
	nths  map[author]int64 // how many messages an author has written in a room
	sent  map[sending]chat.Applied
	added []added
	wrote []author          // who writes in a room with members for the first time
	came  []added           // the first messages of those who begin to take part in an open room
	free  map[string]string // who has uploaded each of the attachments that may be put into a message

	blocks map[block]bool

	targets map[target]chat.Message // as the batch has left them, without reactions
	saids   map[target]int64        // digests of what they said at first, 0 for none
	reacted map[target]*reacted
	amended []amended
	lines   []audit.Line
}

// added is a message to insert.
type added struct {
	*chat.Message
	room, authorNth int64
}

func newBatch(store *Store, changes []chat.Change) *batch {
	return &batch{
		store: store, changes: changes, applied: make([]chat.Applied, 0, len(changes)),
		nths: make(map[author]int64), sent: make(map[sending]chat.Applied), targets: make(map[target]chat.Message), saids: make(map[target]int64),
		reacted: make(map[target]*reacted), free: make(map[string]string), blocks: make(map[block]bool),
	}
}

// drafts are the messages among the changes.
func (b *batch) drafts() iter.Seq[*chat.Append] {
	return func(yield func(*chat.Append) bool) {
		for _, change := range b.changes {
			if draft, is := change.(chat.Append); is && !yield(&draft) {
				return
			}
		}
	}
}

func (b *batch) run(ctx context.Context, tx *postgres.Tx) error {
	if err := b.read(ctx, tx); err != nil {
		return err
	}
	if missing := b.missing(); len(missing) > 0 {
		return &missingRooms{missing}
	}
	for _, change := range b.changes {
		switch change := change.(type) {
		case chat.Append:
			b.applied = append(b.applied, b.append(&change))
		case chat.MessageChange:
			b.applied = append(b.applied, b.amend(change))
		}
	}
	return b.write(ctx, tx)
}

// read locks the rooms of the batch, and then looks at what is in them.
func (b *batch) read(ctx context.Context, tx *postgres.Tx) error {
	var roomIDs, authorRooms, authorIDs, senders []string
	var clientIDs []postgres.Text
	seen := make(map[author]bool)
	for draft := range b.drafts() {
		who := author{draft.Room.String(), draft.UserID}
		if !seen[who] {
			seen[who] = true
			roomIDs = append(roomIDs, who.roomID)
			authorRooms, authorIDs = append(authorRooms, who.roomID), append(authorIDs, who.userID)
		}
		if draft.ClientID != "" {
			senders, clientIDs = append(senders, draft.UserID), append(clientIDs, postgres.Text(draft.ClientID))
		}
	}
	targetRooms, targetIDs := b.wantedTargets()
	roomIDs = append(roomIDs, targetRooms...)
	slices.Sort(roomIDs)
	roomIDs = slices.Compact(roomIDs)
	asked := &pgx.Batch{}
	asked.Queue(lockRooms, roomIDs).Query(func(rows pgx.Rows) (err error) {
		b.rooms, err = lockedRooms(rows, nil)
		return err
	})
	asked.Queue(selectLatest, roomIDs).Query(b.readLatest)
	asked.Queue(selectAuthors, authorRooms, authorIDs).Query(b.readAuthors)
	if len(senders) > 0 {
		asked.Queue(selectSent, senders, clientIDs).Query(b.readSent)
	}
	b.queueAttachable(asked)
	b.queueBlocking(asked)
	if len(targetIDs) > 0 {
		asked.Queue(selectTargets, targetRooms, targetIDs).Query(b.readTargets)
		b.queueReacted(asked)
	}
	if err := tx.SendBatch(ctx, asked).Close(); err != nil {
		return fmt.Errorf("lock and read rooms: %w", err)
	}
	return nil
}

func (b *batch) readLatest(rows pgx.Rows) error {
	var id string
	var latest instant.Stamp
	_, err := pgx.ForEachRow(rows, []any{&id, &latest}, func() error {
		if found, locked := b.rooms[id]; locked { // and not made a moment ago
			found.latest = latest
		}
		return nil
	})
	return err
}

func (b *batch) readAuthors(rows pgx.Rows) error {
	var who author
	var nth int64
	_, err := pgx.ForEachRow(rows, []any{&who.roomID, &who.userID, &nth}, func() error {
		b.nths[who] = nth
		return nil
	})
	return err
}

func (b *batch) readSent(rows pgx.Rows) error {
	_, err := postgres.Collect(rows, nil, func(row postgres.Scanner) (none struct{}, err error) {
		var roomID string
		before := chat.Applied{Replayed: true}
		before.Message, before.Said, err = b.store.scanKept(row, &roomID)
		if err == nil {
			before.Room, err = roles.ParseChatRoom(roomID)
		}
		b.sent[sending{before.UserID, before.ClientID}] = before
		return none, err
	})
	return err
}

// missing are the rooms to be made by their first message.
func (b *batch) missing() (missing []groups.Founding) {
	for draft := range b.drafts() {
		_, isReplay := b.sent[sending{draft.UserID, draft.ClientID}]
		isReplay = isReplay || b.terms(draft.Room, draft.UserID).Blocks // which needs no room either
		isKnown := slices.ContainsFunc(missing, func(g groups.Founding) bool { return g.Room == draft.Room })
		if _, there := b.rooms[draft.Room.String()]; there || isReplay || isKnown {
			continue
		}
		missing = append(missing, groups.Founding{
			Room: draft.Room, CreatedBy: draft.UserID, CreatedAt: int64(draft.Timestamp), Members: draft.Room.People(),
		})
	}
	return missing
}

// append gives a message the next seq of its room, or finds the one that it was sent as before.
func (b *batch) append(draft *chat.Append) chat.Applied {
	roomID := draft.Room.String()
	room := b.rooms[roomID] // nil where there is none and the draft was sent before
	if room != nil {
		if room.isOutdated = room.isOutdated || room.membersSince != draft.MembersSince; room.isOutdated {
			return chat.Applied{Outdated: true}
		}
	}
	sent := sending{draft.UserID, draft.ClientID}
	if before, isReplay := b.sent[sent]; isReplay {
		return before
	}
	on := b.terms(draft.Room, draft.UserID)
	if err := on.MayAdd(); err != nil {
		return chat.Applied{Refused: err}
	}
	if !b.take(draft) {
		return chat.Applied{Refused: chat.NoAttachment()}
	}
	room.lastSeq++
	room.revision++
	room.latest = max(room.latest, draft.Timestamp)
	room.changed = true
	message := draft.Message
	if on.IsBlocked {
		message.Alone = chat.Unshown
	}
	message.Seq, message.Revision, message.Timestamp, message.ReadBy = room.lastSeq, room.revision, room.latest, []string{message.UserID}
	room.note(&message)
	who := author{roomID, message.UserID}
	b.nths[who]++
	isFirst := false
	switch {
	case b.nths[who] > 1:
	case message.Room.Kind() == roles.OpenKind:
		b.came = append(b.came, added{&message, room.number, 1})
	default:
		b.wrote = append(b.wrote, who)
		isFirst = true
	}
	if message.ClientID != "" {
		b.sent[sent] = chat.Applied{Message: message, Replayed: true}
	}
	b.added = append(b.added, added{&message, room.number, b.nths[who]})
	isAlone := message.Alone == chat.Unshown
	return chat.Applied{Message: message, IsFirst: isFirst && !isAlone, IsAlone: isAlone}
}

// write stores what was added. Messages go in the order of what their senders call them: where two batches have the same, in
// different rooms, one waits for the other and never both.
func (b *batch) write(ctx context.Context, tx *postgres.Tx) error {
	if len(b.added)+len(b.amended) == 0 {
		return nil
	}
	slices.SortStableFunc(b.added, func(one, other added) int {
		if one.UserID != other.UserID {
			return strings.Compare(one.UserID, other.UserID)
		}
		return strings.Compare(one.ClientID, other.ClientID)
	})
	wanted := &pgx.Batch{}
	inserted := int64(0)
	if len(b.added) > 0 {
		wanted.Queue(insertMessages, b.columns()...).Exec(func(tag pgconn.CommandTag) error {
			inserted = tag.RowsAffected()
			return nil
		})
		b.queueAttached(wanted)
	}
	b.queueMentions(wanted)
	b.queueAmended(wanted)
	b.queueTerms(wanted)
	b.queueRooms(wanted)
	if err := tx.SendBatch(ctx, wanted).Close(); err != nil {
		return fmt.Errorf("write changes: %w", err)
	}
	if inserted != int64(len(b.added)) {
		return errRaced
	}
	return nil
}

// columns are the parameters of insertMessages.
func (b *batch) columns() []any {
	var (
		rooms, seqs, revisions, nths, times, alone []int64
		ids, userIDs, roleNames, replies           []string
		mentions, attached, keys                   []string
		usernames, texts, clientIDs                []postgres.Text
	)
	for _, m := range b.added {
		rooms, seqs, revisions = append(rooms, m.room), append(seqs, m.Seq), append(revisions, m.Revision)
		nths, times = append(nths, m.authorNth), append(times, int64(m.Timestamp))
		ids, userIDs = append(ids, m.ID), append(userIDs, m.UserID)
		roleNames, replies = append(roleNames, string(m.Role)), append(replies, m.ReplyTo)
		kept := b.store.texts.Keep(m.Room.String(), m.ID, m.Text, 0)
		usernames, texts = append(usernames, postgres.Text(m.Username)), append(texts, postgres.Text(kept.Text))
		keys = append(keys, kept.KeyID)
		clientIDs, alone = append(clientIDs, postgres.Text(m.ClientID)), append(alone, int64(m.Alone))
		mentions, attached = append(mentions, mentioned.Encode(m.Mentions)), append(attached, m.Attachments.Text())
	}
	return []any{rooms, seqs, revisions, nths, times, ids, userIDs, usernames, roleNames, texts, replies, clientIDs, mentions, attached, keys, alone}
}

// queueRooms adds how far the rooms have come.
func (b *batch) queueRooms(wanted *pgx.Batch) {
	var numbers, seqs, revisions, active, direct, directActive []int64
	var whose []string // "" for both people of the room
	for _, room := range b.rooms {
		if !room.changed {
			continue
		}
		numbers, seqs, revisions = append(numbers, room.number), append(seqs, room.lastSeq), append(revisions, room.revision)
		active = append(active, room.activeAt)
		if room.directAt > 0 {
			direct, directActive, whose = append(direct, room.number), append(directActive, room.directAt), append(whose, "")
		}
	}
	wanted.Queue(updateRooms, numbers, seqs, revisions, active)
	if len(direct) > 0 {
		wanted.Queue(updateDirectActive, direct, directActive, whose)
	}
	b.queueAlone(wanted)
	b.queueWriters(wanted)
}

// queueWriters adds who has written in a room for the first time: those who have share the conversation, or take part in an
// open room.
func (b *batch) queueWriters(wanted *pgx.Batch) {
	var rooms, seqs []int64
	var userIDs []string
	for _, who := range b.wrote {
		rooms, userIDs = append(rooms, b.rooms[who.roomID].number), append(userIDs, who.userID)
	}
	if len(rooms) > 0 {
		wanted.Queue(updateWrote, rooms, userIDs)
	}
	rooms, userIDs = nil, nil
	for _, first := range b.came {
		rooms, userIDs, seqs = append(rooms, first.room), append(userIDs, first.UserID), append(seqs, first.Seq)
	}
	if len(rooms) > 0 {
		wanted.Queue(insertTakesPart, rooms, userIDs, seqs)
	}
}
