package tracking

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
)

// relay is Nodes that keeps the body of what was published last.
type relay struct{ last []byte }

func (r *relay) Publish(_ context.Context, message bus.Message)               { r.last = message.Body }
func (*relay) Handle(string, func(ctx context.Context, message bus.Message))  {}
func (*relay) Lost(func(ctx context.Context))                                 {}
func (*relay) Listen(context.Context, ...roles.Room) (release func())         { return func() {} }
func (*relay) Others() (nodes []string, known bool)                           { return []string{"other"}, true }
func (*relay) Emit(context.Context, string, any, []roles.Room, ...roles.Room) {}
func (*relay) EmitNewest(context.Context, string, bus.Newest, ...roles.Room)  {}

type nowhere struct{ Store }

func (nowhere) Drivers(context.Context) ([]Driver, error)           { return nil, nil }
func (nowhere) DriversOf(context.Context, string) ([]Driver, error) { return nil, nil }

// BenchmarkRelay is what it costs a node, a driver of a flush of a hundred, to tell others, and to take in what they tell.
func BenchmarkRelay(b *testing.B) {
	between := &relay{}
	service, err := New(b.Context(), nowhere{}, between, Options{
		Flush: time.Hour, Retention: 720 * time.Hour, Logger: slog.New(slog.DiscardHandler), Nodes: between,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = service.Close(context.Background()) })
	const drivers = 100
	heading, speed := 271.5, 8.3
	flushOf := func(ts int64) []*newest {
		taken := make([]*newest, drivers)
		for i := range taken {
			taken[i] = &newest{name: "Somebody", rank: ts, Position: Position{
				DriverID: fmt.Sprintf("driver-%d", i), CompanyID: "acme", Lat: 52.51234, Lng: 13.4051, TS: ts, Heading: &heading, Speed: &speed,
			}}
			_, _ = taken[i].value() // watchers here are told it as well
		}
		return taken
	}
	b.Run("tell", func(b *testing.B) {
		b.ReportAllocs()
		taken := flushOf(1)
		for b.Loop() {
			service.publishFlush(b.Context(), "acme", taken)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/drivers, "ns/driver")
	})
	b.Run("take in", func(b *testing.B) {
		b.ReportAllocs()
		ts := int64(1)
		for b.Loop() {
			b.StopTimer()
			ts++
			service.publishFlush(b.Context(), "acme", flushOf(ts))
			message := incoming{kind: kindFleet, node: "other", body: between.last}
			b.StartTimer()
			if err := service.understand(b.Context(), message); err != nil {
				b.Fatal(err)
			}
			taken, _ := service.directory.fleet("acme").take()
			for _, n := range taken {
				if _, ok := service.encode(b.Context(), n); !ok {
					b.Fatal("not encoded")
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/drivers, "ns/driver")
	})
}
