package sqlite_test

import (
	"fmt"
	"math"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
	"rolecall/test/servicetest"
)

func BenchmarkApply(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			store := open(b, file(b))
			drafts := make([]chat.Change, size)
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				for i := range drafts {
					n++
					drafts[i] = chat.Append{
						Message: chat.Message{
							ID: fmt.Sprintf("%032d", n), Room: servicetest.Room(fmt.Sprintf("room-%d", n%20)), UserID: "u1", Username: "Ann",
							Role: roles.Driver, Text: "On my way, there in ten minutes", Timestamp: instant.Stamp(n),
							ClientID: fmt.Sprintf("client-%d", n),
						},
					}
				}
				if _, err := store.Chat.Apply(b.Context(), drafts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendPositions(b *testing.B) {
	for _, size := range []int{1, tracking.MaxBatch} {
		for _, drivers := range []int{1, 500} {
			if drivers > size {
				continue
			}
			b.Run(fmt.Sprintf("%d of %d drivers", size, drivers), func(b *testing.B) {
				store := open(b, file(b))
				positions := make([]tracking.Position, size)
				senders := make([]tracking.Driver, drivers)
				for i := range senders {
					senders[i] = tracking.Driver{DriverID: fmt.Sprintf("driver-%04d", i), CompanyID: "acme", Username: "Ann"}
				}
				speed, heading := 13.5, 270.25
				n := 0
				b.ReportAllocs()
				for b.Loop() {
					for i := range positions {
						n++
						positions[i] = tracking.Position{
							DriverID: senders[i%drivers].DriverID, CompanyID: "acme", Lat: 52.52 + float64(n)/1e7, Lng: 13.405,
							TS: 1_700_000_000_000 + int64(n), Speed: &speed, Heading: &heading,
						}
					}
					if err := store.Tracking.AppendPositions(b.Context(), positions, senders); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkInbox(b *testing.B) {
	const sent = 100
	for _, unread := range []int{0, 1, sent} {
		b.Run(fmt.Sprintf("%d unread", unread), func(b *testing.B) {
			store := open(b, file(b))
			reader := notices.Reader{UserID: "u1", Rooms: roles.Standing("u1", roles.Driver, "acme")}
			ids := make([]string, sent)
			for i := range ids {
				ids[i] = fmt.Sprintf("n%d", i)
				notice := notices.Addressed{
					Notice: notices.Notice{ID: ids[i], Title: "Road closed", Body: "Take the bridge"},
					Rooms:  []roles.Room{reader.Rooms[i%4]},
				}
				if _, err := store.Notices.Apply(b.Context(), []notices.Change{{Create: &notice}}); err != nil {
					b.Fatal(err)
				}
			}
			if _, _, err := store.Notices.MarkNoticesRead(b.Context(), notices.Marking{Reader: reader, IDs: ids[:sent-unread]}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			page := notices.InboxPage{Reader: reader, AsOf: math.MaxInt64, Limit: sent}
			for b.Loop() {
				found, _, err := store.Notices.Inbox(b.Context(), page)
				if err != nil || len(found) != unread {
					b.Fatalf("%d notices, error %v", len(found), err)
				}
			}
		})
	}
}

// BenchmarkReadNotice reads one notice, and all, of 50,000 that somebody has unread.
func BenchmarkReadNotice(b *testing.B) {
	const unread = 50_000
	store := open(b, file(b))
	reader := notices.Reader{UserID: "u1", Rooms: roles.Standing("u1", roles.Driver, "acme")}
	changes := make([]notices.Change, 1000)
	for range unread / len(changes) {
		for i := range changes {
			changes[i] = notices.Change{Create: &notices.Addressed{
				Notice: notices.Notice{ID: uuid.NewString(), Title: "Road closed"}, Rooms: reader.Rooms[:1+i%4],
			}}
		}
		if _, err := store.Notices.Apply(b.Context(), changes); err != nil {
			b.Fatal(err)
		}
	}
	for name, asked := range map[string]notices.Marking{
		"one": {IDs: []string{changes[500].Create.ID}}, "all": {UpTo: unread},
	} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				asked.Reader = notices.Reader{UserID: fmt.Sprint(name, i), Rooms: reader.Rooms}
				if _, _, err := store.Notices.MarkNoticesRead(b.Context(), asked); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			if n, err := store.Notices.Unread(b.Context(), reader, math.MaxInt64, 0); err != nil || n != unread {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("history", func(b *testing.B) {
		for b.Loop() {
			page := notices.HistoryPage{Reader: reader, State: notices.All, Before: unread / 2, Limit: 51}
			if found, err := store.Notices.Received(b.Context(), page); err != nil || len(found) != 51 {
				b.Fatal(len(found), err)
			}
		}
	})
}

// BenchmarkUsers lists the people of a company, as everybody who connects has it done.
// BenchmarkSearch searches among 100,000 people: what few have, what all have, what nobody has, and somebody of a role that
// few of those who are found have, by which most of the bounded search is spent.
func BenchmarkSearch(b *testing.B) {
	store := open(b, file(b))
	names := []string{"Ada", "Ben", "Carla", "Dan", "Élodie", "Farid", "Gwen", "Hugo"}
	for chunk := range 50 {
		users := make([]people.User, 2000)
		for i := range users {
			n := chunk*2000 + i
			users[i] = people.User{UserID: fmt.Sprintf("user-%06d", n), Role: roles.Driver,
				Username: fmt.Sprintf("%s %s%d", names[n%8], names[n/8%8], n), CompanyID: fmt.Sprint("company-", n%1000)}
		}
		if err := store.People.SaveUsers(b.Context(), users); err != nil {
			b.Fatal(err)
		}
	}
	for name, query := range map[string]people.UserQuery{
		"few":       {Text: "user-0421"},
		"all":       {Text: "user"},
		"a letter":  {Text: "e"},
		"nobody":    {Text: "zzz"},
		"of a role": {Text: "user", Role: roles.Admin},
		"of all":    {},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if query.Text == "" {
					_, err = store.People.Users(b.Context(), query, "", 51)
				} else {
					_, _, err = store.People.Search(b.Context(), query, "", 50)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPeers asks for the peers of somebody whom strangers have put into 2,000 groups of 500, and of somebody who has
// answered 500 people.
func BenchmarkPeers(b *testing.B) {
	store := open(b, file(b))
	members := make([]string, 500)
	for i := range members {
		members[i] = fmt.Sprintf("m%03d", i)
	}
	members[0] = "victim"
	for i := range 2000 {
		g := groups.Founding{Room: roles.GroupRoom(fmt.Sprint(i)), Name: "g", CreatedBy: "m001", CreatedAt: 1, Members: members}
		if err := store.Groups.CreateGroup(b.Context(), g); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 500 {
		room := servicetest.Room(fmt.Sprintf("dm:busy:m%03d", i))
		for _, writer := range room.People() {
			draft := chat.Append{Message: chat.Message{
				ID: room.String() + writer, Room: room, UserID: writer, Role: roles.Vendor, Text: "x", Timestamp: 1,
			}}
			if _, err := store.Chat.Apply(b.Context(), []chat.Change{draft}); err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, who := range []string{"victim", "busy"} {
		b.Run(who, func(b *testing.B) {
			for b.Loop() {
				if _, err := store.Conversations.Peers(b.Context(), []string{who}, 500); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHistory(b *testing.B) {
	store := open(b, file(b))
	for n := range 200 {
		_, err := store.Chat.Apply(b.Context(), []chat.Change{chat.Append{Message: chat.Message{
			ID: fmt.Sprint(n), Room: servicetest.Room("room"), UserID: "u1", Role: roles.Driver, Text: "On my way"}}})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if page, err := store.Chat.History(b.Context(), servicetest.Room("room"), chat.Page{Limit: 51}); err != nil || len(page) != 51 {
			b.Fatalf("%d messages, error %v", len(page), err)
		}
	}
}

// BenchmarkSaveUser is a crowd that connects at once: their writes share commits.
func BenchmarkSaveUser(b *testing.B) {
	store := open(b, file(b))
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			user := people.User{UserID: fmt.Sprint(n.Add(1)), Username: "Ann", Role: roles.Driver, CompanyID: "acme"}
			if err := store.People.SaveUsers(b.Context(), []people.User{user}); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkDeleteChunk is the longest that retention holds up other writes.
func BenchmarkDeleteChunk(b *testing.B) {
	store := open(b, file(b))
	drafts := make([]chat.Change, 5000)
	n := 0
	for b.Loop() {
		b.StopTimer()
		for i := range drafts {
			n++
			drafts[i] = chat.Append{
				Message: chat.Message{ID: fmt.Sprint(n), Room: servicetest.Room("room"), UserID: "u1", Text: "On my way",
					Timestamp: instant.Stamp(n), ClientID: fmt.Sprint(n)},
			}
		}
		if _, err := store.Chat.Apply(b.Context(), drafts); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if gone, err := store.Chat.DeleteMessagesBefore(b.Context(), int64(n)+1); err != nil || gone != len(drafts) {
			b.Fatalf("%d deleted, error %v", gone, err)
		}
	}
}

// BenchmarkMarkRead is a read mark in a long room, with much unread beyond it.
func BenchmarkMarkRead(b *testing.B) {
	const messages, batch = 200_000, 5000
	store := open(b, file(b))
	room := servicetest.Room("room")
	for n := 0; n < messages; n += batch {
		drafts := make([]chat.Change, batch)
		for i := range drafts {
			drafts[i] = chat.Append{Message: chat.Message{
				ID: fmt.Sprint(n + i), Room: room, UserID: fmt.Sprint("u", i%7), Text: "On my way", Timestamp: instant.Stamp(n + i),
			}}
		}
		if _, err := store.Chat.Apply(b.Context(), drafts); err != nil {
			b.Fatal(err)
		}
	}
	seq := int64(0)
	for b.Loop() {
		seq++
		if unread, err := store.Chat.MarkRead(b.Context(), chat.ReadMark{Room: room, UserID: "u1", Seq: seq}); err != nil || unread.Unread == 0 {
			b.Fatalf("%d unread, %v", unread, err)
		}
	}
}

// BenchmarkHistoryOfReaders is the newest page of a long room that many have read.
func BenchmarkHistoryOfReaders(b *testing.B) {
	store := open(b, file(b))
	room := servicetest.Room("room")
	drafts := make([]chat.Change, 5000)
	for i := range drafts {
		drafts[i] = chat.Append{Message: chat.Message{
			ID: fmt.Sprint(i), Room: room, UserID: fmt.Sprint("u", i%7), Text: "On my way", Timestamp: instant.Stamp(i),
		}}
	}
	if _, err := store.Chat.Apply(b.Context(), drafts); err != nil {
		b.Fatal(err)
	}
	for _, readers := range []int{0, 1000} {
		for n := range readers {
			if _, err := store.Chat.MarkRead(b.Context(), chat.ReadMark{Room: room, UserID: fmt.Sprint("r", n), Seq: 5000}); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprint(readers, " readers"), func(b *testing.B) {
			for b.Loop() {
				if found, err := store.Chat.History(b.Context(), room, chat.Page{Limit: 51}); err != nil || len(found) != 51 {
					b.Fatalf("%d messages, %v", len(found), err)
				}
			}
		})
	}
}
