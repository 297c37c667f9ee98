package conversations_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/store"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

// names is People: everybody but nobodies is called after their id.
type names struct{ failure error }

func (n names) Usernames(_ context.Context, _ auth.Identity, userIDs []string) (map[string]string, error) {
	found := make(map[string]string)
	for _, userID := range userIDs {
		if !strings.HasPrefix(userID, "nobody") {
			found[userID] = "name of " + userID
		}
	}
	return found, n.failure
}

// open is Rooms: everybody may be in every room.
type open struct{}

func (open) Admits(_ context.Context, _ auth.Identity, roomID string) (roles.ChatRoom, error) {
	if strings.HasPrefix(roomID, "secret") {
		return roles.ChatRoom{}, fault.New(fault.RoomForbidden, "no")
	}
	return roles.ParseChatRoom(roomID)
}

// bench is a service over a store, in which things are said.
type bench struct {
	*conversations.Service
	store *store.Store
	told  *servicetest.Recorder
	now   int64
	sent  int
}

func newBench(t testing.TB) *bench {
	t.Helper()
	return newBenchOpen(t, roles.EveryOpenRoom())
}

func newBenchOpen(t testing.TB, policy roles.OpenRooms) *bench {
	t.Helper()
	b := &bench{store: sqlitetest.Open(t), told: &servicetest.Recorder{}, now: servicetest.Noon}
	b.Service = conversations.New(conversations.Parts{
		Store: b.store.Lists, Groups: b.store.Groups, People: names{}, Rooms: open{}, Emit: b.told,
	}, conversations.Options{OpenRooms: policy, Now: func() time.Time { return time.UnixMilli(b.now) }})
	return b
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

// say says something, now.
func (b *bench) say(t tester, roomID, userID, text string) {
	t.Helper()
	b.apply(t, b.saying(roomID, userID, text))
}

func (b *bench) saying(roomID, userID, text string) chat.Change {
	b.sent++
	return chat.Append{Message: chat.Message{
		ID: fmt.Sprint(b.sent), Room: servicetest.Room(roomID), UserID: userID, Username: "name of " + userID, Role: roles.Vendor,
		Text: text, Timestamp: instant.Stamp(b.now),
	}}
}

func (b *bench) apply(t tester, changes ...chat.Change) {
	t.Helper()
	if _, err := b.store.Chat.Apply(t.Context(), changes); err != nil {
		t.Fatalf("say: %v", err)
	}
}

func (b *bench) gather(t tester, id string, members ...string) {
	t.Helper()
	err := b.store.Groups.CreateGroup(t.Context(), groups.Founding{
		Room: roles.GroupRoom(id), Name: "the " + id, CreatedBy: members[0], CreatedAt: b.now, Members: members,
	})
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
}

func (b *bench) list(t tester, userID string, query conversations.Query) conversations.List {
	t.Helper()
	list, err := b.List(t.Context(), servicetest.Person(userID, roles.Vendor), query)
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	return list
}

func ids(list conversations.List) []string {
	all := []string{}
	for _, c := range list.Rooms {
		all = append(all, c.Room.String())
	}
	return all
}

// TestClosedRooms: of open rooms that have been closed to somebody, by their role, nothing is listed, on no page.
func TestClosedRooms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"orders-=vendor":            {"dm:amy:bob", "orders-2", "orders-1"},
		"orders-=driver":            {"dm:amy:bob"},
		"*=everyone":                {"dm:amy:bob", "orders-2", "lobby", "orders-1"},
		"*=everyone,orders-2=admin": {"dm:amy:bob", "lobby", "orders-1"},
	} {
		policy, err := roles.ParseOpenRooms(text)
		if err != nil {
			t.Fatal(err)
		}
		b := newBenchOpen(t, policy)
		for _, roomID := range []string{"orders-1", "lobby", "orders-2", "dm:amy:bob"} {
			b.say(t, roomID, "amy", "hello")
			b.now++
		}
		for _, limit := range []int{1, 2, 10} {
			got := []string{}
			for query := (conversations.Query{Limit: page.Limit(limit)}); ; {
				list := b.list(t, "amy", query)
				got = append(got, ids(list)...)
				if query.Cursor = list.NextCursor; query.Cursor == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, in pages of %d: %v, want %v", text, limit, got, want)
			}
		}
	}
}

// TestList: each kind of room as somebody sees it.
func TestList(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if list := b.list(t, "amy", conversations.Query{}); list.Rooms == nil || len(list.Rooms) > 0 || list.NextCursor != "" {
		t.Errorf("nothing was said, and listed is %+v", list)
	}
	b.say(t, "lobby", "amy", "hello all")
	b.now++
	b.gather(t, "crew", "amy", "bob", "cem")
	b.now++
	b.say(t, "dm:amy:nobody", "nobody", "hello")
	b.now++
	b.say(t, "dm:amy:bob", "amy", "hello")
	b.now++
	b.say(t, "dm:amy:nobody2", "amy", "hello")
	b.now++
	b.say(t, "dm:amy:amy", "amy", "a note")
	last := func(room string, seq int64) *chat.Message {
		t.Helper()
		messages, err := b.store.Chat.History(t.Context(), servicetest.Room(room), chat.Page{Limit: 1})
		if err != nil || messages[0].Seq != seq {
			t.Fatalf("%+v, %v", messages, err)
		}
		return &messages[0]
	}
	want := []conversations.Conversation{
		{Room: servicetest.Room("dm:amy:amy"), Kind: "direct", Peer: "amy", Name: "name of amy", LastSeq: 1, LastMessage: last("dm:amy:amy", 1)},
		{Room: servicetest.Room("dm:amy:nobody2"), Kind: "direct", Peer: "nobody2", Name: "nobody2", LastSeq: 1,
			LastMessage: last("dm:amy:nobody2", 1)}, // of whom the id alone is known
		{Room: servicetest.Room("dm:amy:bob"), Kind: "direct", Peer: "bob", Name: "name of bob", LastSeq: 1, LastMessage: last("dm:amy:bob", 1)},
		{Room: servicetest.Room("dm:amy:nobody"), Kind: "direct", Peer: "nobody", Name: "name of nobody", LastSeq: 1, Unread: 1,
			LastMessage: last("dm:amy:nobody", 1)}, // of whom is known what they were called
		{Room: servicetest.Room("group:crew"), Kind: "group", Name: "the crew", Members: []string{"amy", "bob", "cem"}, MemberCount: 3,
			Owner: "amy", History: groups.FromJoining},
		{Room: servicetest.Room("lobby"), Kind: "open", LastSeq: 1, LastMessage: last("lobby", 1)},
	}
	same := cmp.Comparer(func(a, b roles.ChatRoom) bool { return a == b })
	if diff := cmp.Diff(want, b.list(t, "amy", conversations.Query{}).Rooms, same); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	for i := range want {
		got, err := b.Get(t.Context(), servicetest.Person("amy", roles.Vendor), conversations.One{RoomID: want[i].Room.String()})
		if diff := cmp.Diff(want[i], got, same); diff != "" || err != nil {
			t.Errorf("%v, one (-want +got):\n%s", err, diff)
		}
	}
	for id, code := range map[string]fault.Code{"dm:amy:cem": fault.NotFound, "nothing": fault.NotFound, "secret": fault.RoomForbidden} {
		got, err := b.Get(t.Context(), servicetest.Person("amy", roles.Vendor), conversations.One{RoomID: id})
		if servicetest.Code(err) != code {
			t.Errorf("%s: %+v, %v", id, got, err)
		}
	}
}

// TestLargeGroups: of a large group a list says how many belong to it, and Get who.
func TestLargeGroups(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var many []string
	for i := range conversations.MaxListedMembers + 1 {
		many = append(many, fmt.Sprintf("u%03d", i))
	}
	b.gather(t, "large", many...)
	b.gather(t, "small", many[1:]...)
	listed := map[string]int{}
	for _, c := range b.list(t, "u001", conversations.Query{}).Rooms {
		listed[c.Name] = len(c.Members)
		one, err := b.Get(t.Context(), servicetest.Person("u001", roles.Vendor), conversations.One{RoomID: c.Room.String()})
		if err != nil || len(one.Members) != one.MemberCount || one.MemberCount != c.MemberCount {
			t.Errorf("%s: %d members of %d, in the list %d (%v)", c.Name, len(one.Members), one.MemberCount, c.MemberCount, err)
		}
	}
	if listed["the large"] != 0 || listed["the small"] != conversations.MaxListedMembers {
		t.Errorf("members listed: %v", listed)
	}
}

// TestPagesAreBounded: long messages make short pages, and no conversation is lost.
func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 30 {
		b.now++
		b.say(t, fmt.Sprintf("dm:amy:p%02d", i), "amy", strings.Repeat("😀", chat.MaxText)) // 20 kB
	}
	seen := map[string]int{}
	pages := 0
	for query := (conversations.Query{Limit: 20}); ; pages++ {
		list := b.list(t, "amy", query)
		if size := len(servicetest.Encode(list)); size > page.MaxBytes+10_000 {
			t.Errorf("a page of %d bytes", size)
		}
		for _, id := range ids(list) {
			seen[id]++
		}
		if query.Cursor = list.NextCursor; query.Cursor == "" {
			break
		}
	}
	if len(seen) != 30 || pages < 9 {
		t.Errorf("%d conversations on %d pages", len(seen), pages)
	}
}

// TestRefusals: who cannot chat, and cursors that no list has made.
func TestRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.List(t.Context(), auth.Identity{UserID: "amy", Role: "visitor"}, conversations.Query{}); servicetest.Code(err) != fault.Forbidden {
		t.Errorf("a role that may not chat: %v", err)
	}
	b.say(t, "lobby", "amy", "a")
	b.say(t, "hall", "amy", "b")
	good := b.list(t, "amy", conversations.Query{Limit: 1}).NextCursor
	if len(b.list(t, "amy", conversations.Query{Cursor: good}).Rooms) != 1 {
		t.Errorf("the cursor %s leads nowhere", good)
	}
	for _, cursor := range []string{
		"x", good + "A", good[1:], page.Users.Text("amy"), page.Conversations.Text("\x00"), page.Conversations.Text("\x00\x00\x00"),
		page.Conversations.Text("\x00\x00\x01abc"), page.Conversations.Text("\x00\x00\x00user:x"), page.Conversations.Text("\x80\x00\x00\x00lobby"),
		page.Conversations.Text("\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01lobby"), page.Conversations.Text("\x00\x00\xf5\x03lobby"),
		page.Conversations.Text("\x00\x00\x00dm:b:a"),
	} {
		list, err := b.List(t.Context(), servicetest.Person("amy", roles.Vendor), conversations.Query{Cursor: cursor})
		if servicetest.Code(err) != fault.InvalidPayload || fault.From(err).Field != "cursor" {
			t.Errorf("%q: %+v, %v", cursor, list, err)
		}
	}
}

func TestMute(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.say(t, "dm:amy:bob", "bob", "hello")
	amy := servicetest.Person("amy", roles.Vendor)
	for _, muted := range []bool{true, true, false} {
		got, err := b.Mute(t.Context(), amy, conversations.Muting{RoomID: "dm:bob:amy", Muted: &muted})
		if err != nil || got.Muted != muted || got.Room != servicetest.Room("dm:amy:bob") {
			t.Errorf("%v: %+v, %v", muted, got, err)
		}
		want := []servicetest.Emission{{
			Event: "room:muted", To: []roles.Room{"user:amy"}, Payload: fmt.Sprintf(`{"roomId":"dm:amy:bob","muted":%v}`, muted),
		}}
		if diff := cmp.Diff(want, b.told.Take()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if listed := b.list(t, "amy", conversations.Query{}).Rooms[0].Muted; listed != muted {
			t.Errorf("listed as muted: %v", listed)
		}
		if b.list(t, "bob", conversations.Query{}).Rooms[0].Muted {
			t.Error("it is muted for the other")
		}
	}
	for id, want := range map[string]fault.Code{"dm:amy:cem": fault.NotFound, "lobby": fault.NotFound, "secret": fault.RoomForbidden} {
		if _, err := b.Mute(t.Context(), amy, conversations.Muting{RoomID: id, Muted: new(bool)}); servicetest.Code(err) != want {
			t.Errorf("%s: %v, want %s", id, err, want)
		}
	}
	if told := b.told.Take(); len(told) > 0 {
		t.Errorf("told %v", told)
	}
}

// TestNamesUnknown: where nobody knows what people are called, nothing is listed.
func TestNamesUnknown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.say(t, "dm:amy:bob", "bob", "hello")
	down := errors.New("directory broken")
	b.People = names{failure: down}
	if list, err := b.List(t.Context(), servicetest.Person("amy", roles.Vendor), conversations.Query{}); !errors.Is(err, down) {
		t.Errorf("%v, %v", slices.Collect(slices.Values(list.Rooms)), err)
	}
}

// TestLastMessageThatReplies: the last message of a room has the one that it replies to, as that is by now.
func TestLastMessageThatReplies(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.say(t, "dm:amy:bob", "amy", "first")
	reply := b.saying("dm:amy:bob", "bob", "second").(chat.Append)
	reply.ReplyTo = "1"
	b.apply(t, reply)
	b.say(t, "lobby", "amy", "alone")
	for _, want := range []*chat.Quote{
		{Seq: 1, MessageID: "1", UserID: "amy", Username: "name of amy", Text: "first"},
		{Seq: 1, MessageID: "1", UserID: "amy", Username: "name of amy", Deleted: true},
	} {
		if want.Deleted {
			b.apply(t, chat.Deletion{Deed: chat.Deed{
				Room: servicetest.Room("dm:amy:bob"), MessageID: "1", By: audit.Actor{UserID: "amy"}, At: instant.Stamp(b.now),
			}})
		}
		one, err := b.Get(t.Context(), servicetest.Person("bob", roles.Vendor), conversations.One{RoomID: "dm:amy:bob"})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range append(b.list(t, "bob", conversations.Query{}).Rooms, one) {
			if diff := cmp.Diff(want, c.LastMessage.Quoted); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.Room, diff)
			}
		}
	}
	for _, c := range b.list(t, "amy", conversations.Query{}).Rooms {
		if isReply := c.Room == servicetest.Room("dm:amy:bob"); isReply != (c.LastMessage.Quoted != nil) {
			t.Errorf("%s: quoted %+v", c.Room, c.LastMessage.Quoted)
		}
	}
}
