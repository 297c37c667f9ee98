package storetest

import (
	"fmt"
	"testing"
	"time"

	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/tracking"
	"rolecall/test/servicetest"
)

// Bench measures what a store's hottest calls cost the process that makes them. Besides the time of a call it reports the
// processor time of this process for each message or position, cpu-ns/item: of a database that is a process of its own, that
// is what it leaves to the server.
func Bench(b *testing.B, open func(b *testing.B) Store) {
	b.Helper()
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("messages/%d", size), func(b *testing.B) { benchMessages(b, open(b).Chat, size) })
		for _, drivers := range []int{1, 100} {
			if drivers <= size {
				b.Run(fmt.Sprintf("positions/%d of %d drivers", size, drivers), func(b *testing.B) {
					benchPositions(b, open(b).Tracking, size, drivers)
				})
			}
		}
	}
}

// perItem reports the processor time that calls take for each of their items.
func perItem(b *testing.B, items int, call func()) {
	b.Helper()
	b.ReportAllocs()
	before := servicetest.ProcessorTime()
	for b.Loop() {
		call()
	}
	used := servicetest.ProcessorTime() - before
	b.ReportMetric(float64(used/time.Nanosecond)/float64(b.N*items), "cpu-ns/item")
}

func benchMessages(b *testing.B, store chat.Store, size int) {
	drafts := make([]chat.Change, size)
	n := 0
	perItem(b, size, func() {
		for i := range drafts {
			n++
			drafts[i] = chat.Append{Message: chat.Message{
				ID: fmt.Sprintf("%032d", n), Room: servicetest.Room(fmt.Sprintf("room-%d", n%20)), UserID: "u1", Username: "Ann",
				Role: roles.Driver, Text: "On my way, there in ten minutes", Timestamp: instant.Stamp(n),
				ClientID: fmt.Sprintf("client-%d", n),
			}}
		}
		if _, err := store.Apply(b.Context(), drafts); err != nil {
			b.Fatal(err)
		}
	})
}

func benchPositions(b *testing.B, store tracking.Store, size, drivers int) {
	positions := make([]tracking.Position, size)
	senders := make([]tracking.Driver, drivers)
	for i := range senders {
		senders[i] = tracking.Driver{DriverID: fmt.Sprintf("driver-%04d", i), CompanyID: "acme", Username: "Ann"}
	}
	speed, heading := 13.5, 270.25
	now, n := time.Now().UnixMilli(), 0
	perItem(b, size, func() {
		for i := range positions {
			n++
			positions[i] = tracking.Position{
				DriverID: senders[i%drivers].DriverID, CompanyID: "acme", Lat: 52.52 + float64(n)/1e7, Lng: 13.405,
				TS: now + int64(n)/10, Speed: &speed, Heading: &heading,
			}
		}
		if err := store.AppendPositions(b.Context(), positions, senders); err != nil {
			b.Fatal(err)
		}
	})
}
